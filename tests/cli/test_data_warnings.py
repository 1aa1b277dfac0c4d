"""docs/data.md's other table through the real commands: what is warned of, and what is learned from
in the end."""

import numpy as np
import pytest

from tests.cli.domain_data import write_dataset
from tests.cli.in_process import fail, run
from tests.cli.test_data import LAST, OWN, ROWS, STEPS, changed, sound, write

MODEL = "offline_world/cont_ensemble.py"
ONCE = (*OWN, "ensemble.total_epochs=1")
AGENT = ("--config-path=configs/custom", *OWN[1:])
ALLOWED = "env.allow_termination_mismatch=true"
FAR = np.array([1e9, 0.0, 0.0])
RULES = """
def third(state, action, next_state):
    return next_state[0] > 3

def flipped(state, action, next_state):
    return next_state[0] < 1e9
"""


@pytest.fixture
def told_of(tmp_path):
    """(arrays, settings…) → what the training of their world model prints, and its warnings."""
    (tmp_path / "rules.py").write_text(RULES)

    def train(arrays, *settings, name="mine.hdf5"):
        write(tmp_path / name, arrays)
        result = run(tmp_path, MODEL, *ONCE, f"env.dataset_path={name}", *settings)
        assert result.returncode == 0, result.stderr
        return result.stdout, result.stderr.splitlines()

    return train


def test_a_rule_that_ends_rows_which_are_not_terminal(told_of, tmp_path):
    states = sound()["next_observations"][:, 0]
    reached = int((states > 3).sum())
    assert 0 < reached < ROWS / 2
    out, warnings = told_of(sound(), "env.termination=rules.py:third")
    assert f"termination rule: ends 0 of 0 terminal rows and {reached} of {ROWS} others" in out
    assert len(warnings) == 1 and f"ends {reached} of {ROWS} rows" in warnings[0]
    flipped = ("env.dataset_path=mine.hdf5", "env.termination=rules.py:flipped", "run_dir=flipped")
    assert "the rule may be inverted" in fail(tmp_path, MODEL, *ONCE, *flipped)


def test_a_rule_is_compared_again_when_the_world_model_is_loaded(told_of, tmp_path):
    terminals = LAST & (np.arange(ROWS) < ROWS // 2)
    told_of(changed(terminals=terminals, timeouts=LAST & ~terminals), ALLOWED)
    own = ("env.dataset_path=mine.hdf5",)
    result = run(tmp_path, "offline_cont.py", *AGENT, *own)
    assert result.returncode == 2
    assert "env.termination=never does not end 7 of 7 terminal rows" in result.stderr
    assert not (tmp_path / "runs/offline_cont").exists()


def test_a_published_rule_is_reported_on_and_trained_with(tmp_path):
    write_dataset(tmp_path, "neorl", "Hopper-v3-low")
    task = ("--config-path=../configs/neorl", "--config-name=base", "dataset_name=Hopper-v3-low")
    result = run(tmp_path, MODEL, *task, "debug=true", "ensemble.total_epochs=1")
    assert result.returncode == 0 and result.stderr == "", result.stderr
    assert "termination rule: ends " in result.stdout


def test_a_step_far_beyond_the_usual_ones_is_warned_of(told_of):
    missing = LAST.copy()
    missing[STEPS - 1] = False
    _, warnings = told_of(changed(timeouts=missing, next_observations=None))
    assert f"after 1 of 586 rows (row {STEPS - 1}) inside episodes" in warnings[0]
    assert "jumps by more than 5 times the usual step" in warnings[0]


def test_episodes_longer_than_the_horizon_lose_their_rest_with_a_word(told_of):
    _, warnings = told_of(sound(), "env.horizon=20")
    assert "15 of 15 episodes are longer than env.horizon=20" in warnings[0]
    assert "the agent sees 300 of 600 rows (50%)" in warnings[0]


def test_offsets_keep_their_digits_and_float32_files_are_warned_of(told_of):
    def shifted(kind):
        keys = ("observations", "next_observations")
        return changed(**{key: (sound()[key] + FAR).astype(kind) for key in keys})

    out, warnings = told_of(shifted(np.float64), "run_dir=far")
    near, none = told_of(sound(), "run_dir=near", "ensemble.save_dir=near", name="near.hdf5")
    assert warnings == none == []
    scores = [
        text.partition("holdout/mse of the best member ")[2].split(",")[0] for text in (out, near)
    ]
    assert float(scores[0]) == pytest.approx(float(scores[1]), rel=1e-2)
    stored = ("run_dir=float32", "ensemble.save_dir=float32")
    _, warnings = told_of(shifted(np.float32), *stored, name="float32.hdf5")
    assert len(warnings) == 1 and "column 0 of 'observations' is stored as float32" in warnings[0]
    rewards = changed(rewards=1e9 + sound()["rewards"].astype(np.float64))
    stored = ("run_dir=rewards", "ensemble.save_dir=rewards")
    _, warnings = told_of(rewards, *stored, name="rewards.hdf5")
    assert len(warnings) == 1 and "in column 0 of 'rewards'" in warnings[0]


def test_a_tape_shorter_than_an_episode_of_ones_own_is_refused(tmp_path):
    write(tmp_path / "mine.hdf5", sound())
    own = ("env.dataset_path=mine.hdf5", "train.batch_size=40")
    told = fail(tmp_path, "offline_cont.py", *AGENT, *own)
    assert "train.batch_size=40 is shorter than an episode of 40 steps, which takes 41 rows" in told


def test_no_terminal_row_is_lost_where_both_flags_are_set(told_of):
    out, _ = told_of(changed(terminals=LAST), ALLOWED)
    assert "15 of 600 rows (first 39, 79, 119, 159, 199) are in 'terminals' and in 'time" in out
    assert "transitions: 600 of the dataset's 600 rows (100.0%) can be learned from" in out
    out, _ = told_of(sound(), "run_dir=cut", "ensemble.save_dir=cut", name="cut.hdf5")
    assert "transitions: 585 of the dataset's 600 rows" in out
