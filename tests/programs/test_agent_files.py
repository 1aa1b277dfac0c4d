"""Saved agents, and what their states are measured from."""

import equinox as eqx
import jax
import numpy as np
import pytest

from harness.configuration.composition import load_config
from harness.errors import UserError
from online_rl.builders import markov_agent
from programs.agent_files import load_agent, save_agent, saved_origin


def test_an_agent_is_loaded_only_where_its_states_mean_the_same(tmp_path):
    agent = markov_agent(load_config("pendulum/base_markov", ["debug=true"]), 3, 1)
    learner = eqx.filter_jit(agent.init)(jax.random.key(0))
    origin = np.array([0.0, 1e9 + 0.1, 0.0])
    save_agent(tmp_path / "far", agent, learner, origin)
    np.testing.assert_array_equal(saved_origin(tmp_path / "far"), origin)
    load_agent(tmp_path / "far", agent, learner, origin)
    for wanted in (None, origin + 1):
        with pytest.raises(UserError, match="states are measured from"):
            load_agent(tmp_path / "far", agent, learner, wanted)
    save_agent(tmp_path / "far", agent, learner)
    assert saved_origin(tmp_path / "far") is None
    with pytest.raises(UserError, match="measured from 0, while those of this dataset"):
        load_agent(tmp_path / "far", agent, learner, origin)
