"""A termination rule against the terminal rows of the data that it is to imagine."""

import dataclasses

import numpy as np
import pytest

from experience.data.rows import Dataset
from experience.tasks import get_task
from harness.configuration.groups import EnvConfig
from harness.errors import UserError
from programs.termination import compared_termination

RULES = """
def beyond(state, action, next_state):
    return next_state[0] >= 10

def inverted(state, action, next_state):
    return next_state[0] < 10
"""
LENGTH = 10


def dataset(next_observations: bool = True) -> Dataset:
    """Three episodes along one axis, each ended by reaching 10 in its last row."""
    place = np.tile(np.arange(LENGTH, dtype=np.float32), 3)[:, None]
    return Dataset(
        observations=place,
        actions=np.zeros((len(place), 1), np.float32),
        rewards=np.zeros(len(place), np.float32),
        terminals=place[:, 0] == LENGTH - 1,
        timeouts=np.zeros(len(place), bool),
        next_observations=place + 1 if next_observations else None,
    )


@pytest.fixture
def task(tmp_path):
    def make(rule: str, **settings):
        (tmp_path / "rules.py").write_text(RULES)
        termination = rule if rule == "never" else f"{tmp_path}/rules.py:{rule}"
        env = EnvConfig(
            dataset_path="x.hdf5", horizon=20, ref_min=0.0, ref_max=1.0, termination=termination
        )
        return get_task("custom", "mine", dataclasses.replace(env, **settings))

    return make


def test_a_rule_that_agrees_is_reported(task, capsys):
    compared_termination(task("beyond"), dataset())
    told = capsys.readouterr()
    assert told.out == "termination rule: ends 3 of 3 terminal rows and 0 of 27 others\n"
    assert told.err == ""


@pytest.mark.parametrize("next_observations", [True, False])
def test_never_denies_every_terminal_row(task, next_observations, capsys):
    words = r"env.termination=never does not end 3 of 3 terminal rows \(rows 9, 19, 29\)"
    with pytest.raises(UserError, match=words):
        compared_termination(task("never"), dataset(next_observations))
    compared_termination(task("never", allow_termination_mismatch=True), dataset(next_observations))
    assert "warning: dataset mine: env.termination=never does not" in capsys.readouterr().err


def test_an_inverted_rule_is_refused_both_ways(task):
    with pytest.raises(UserError, match="inverted does not end 3 of 3 terminal rows"):
        compared_termination(task("inverted"), dataset())
    endless = dataclasses.replace(dataset(), terminals=np.zeros(3 * LENGTH, bool))
    with pytest.raises(UserError, match="inverted ends 27 of 30 rows .* may be inverted"):
        compared_termination(task("inverted"), endless)


def test_states_measured_from_an_origin_are_shown_in_their_own_units(task, capsys):
    far = dataclasses.replace(
        dataset(),
        observations=dataset().observations - 4,
        next_observations=dataset().next_observations - 4,
        origin=np.array([4.0]),
    )
    compared_termination(task("beyond"), far)
    assert "ends 3 of 3 terminal rows and 0 of 27 others" in capsys.readouterr().out


def test_a_published_rule_is_only_reported_on(capsys):
    rows = dataclasses.replace(
        dataset(),
        observations=np.ones((30, 11), np.float32),
        next_observations=np.ones((30, 11), np.float32),
    )
    compared_termination(get_task("d4rl_loco", "hopper-medium-v2"), rows)
    told = capsys.readouterr()
    assert "the termination rule ends 27 of 27 rows" in told.out and told.err == ""
