"""The baselines' door to the real environments: it follows the worker's messages."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from experience.wrapper import make_env

SCRIPT = Path(__file__).parents[1] / "benchmarks/baselines/real_env.py"


def test_they_act_in_the_same_environments(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    spec = importlib.util.spec_from_file_location("real_env", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    environments = module.RealEnvironments(sys.executable, "hopper-own-x-v2", copies=2)
    returns = environments.returns(lambda states: np.sin(states[:, :3]), seed=3)
    score = environments.score(returns)
    environments.close()

    for found, seed in zip(returns, np.random.SeedSequence(3).generate_state(2), strict=True):
        env = make_env("d4rl_loco", "hopper-own-x-v2")
        state, total, done = np.float32(env.reset(seed=int(seed))), 0.0, False
        while not done:
            state, reward, done, _ = env.step(np.sin(np.float32(state)[:3]))
            total += reward
        assert found == pytest.approx(total, rel=1e-6)
    assert score == pytest.approx((returns.mean() + 20.272305) / (3234.3 + 20.272305))
