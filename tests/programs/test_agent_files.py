"""Saved agents: what is refused at load, and where they go when their run's directory is lost."""

from pathlib import Path

import equinox as eqx
import jax
import numpy as np
import pytest

from harness.errors import UserError
from programs.agent_files import load_agent, rescue_agent, save_agent
from tests.online_rl.probes import make_agent


@pytest.fixture(scope="module")
def agent():
    return make_agent()


@pytest.fixture(scope="module")
def learner(agent):
    return agent.init(jax.random.key(0))


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(tmp_path, agent, learner, number):
    bad = eqx.tree_at(lambda le: le.log_alpha, learner, jax.numpy.asarray(number, "float32"))
    save_agent(tmp_path, agent, bad)
    with pytest.raises(UserError, match="holds NaN or inf in 3"):
        load_agent(tmp_path, agent, learner)


def test_an_agent_is_rescued_where_there_is_a_place(tmp_path, agent, learner, monkeypatch, capsys):
    home, gone = tmp_path / "home", tmp_path / "gone"
    home.mkdir()
    gone.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(gone)
    # where the program was started is lost as well
    gone.rmdir()
    rescue_agent(Path("/data/runs/offline_cont/hopper/default/seed0"), agent, learner)
    rescued = home / "rescued-offline_cont-hopper-default-seed0"
    assert f"is rescued in {rescued}:" in capsys.readouterr().err
    loaded = load_agent(rescued, agent, agent.init(jax.random.key(1)))
    assert eqx.tree_equal(agent.networks(loaded), agent.networks(learner))
