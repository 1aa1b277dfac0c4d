"""A user's own environment and data, as the README documents them.

One of its two numbers is 1e8 away from 0, where float32 knows steps of 8 only.
"""

import gymnasium
import h5py
import numpy as np

from experience.real.probe import STEPS
from harness.log import metrics
from harness.log.metrics_file import read_rows
from programs.agent_files import saved_origin
from tests.cli.programs import succeed

RULE = """
def on_the_hill(state, action, next_state):
    return next_state[0] >= 0.45
"""
ENVIRONMENT = """
import gymnasium
from gymnasium.envs.classic_control import Continuous_MountainCarEnv
from pathlib import Path

class Car(Continuous_MountainCarEnv):
    def __init__(self, force):
        super().__init__()
        self.force = force
        self.action_space = gymnasium.spaces.Box(-force, 3 * force, (1,))
        self.observation_space = gymnasium.spaces.Box(-2e9, 2e9, (2,), "float64")

    def reset(self, **options):
        state, info = super().reset(**options)
        return far(state), info

    def step(self, action):
        with Path("forces.txt").open("a") as file:
            print(float(action[0]), file=file)
        state, *others = super().step(action / (3 * self.force))
        return far(state), *others

def far(state):
    return state.astype("float64") + [0.0, 1e8]

gymnasium.register("Car-v0", entry_point=Car, max_episode_steps=100)
"""
FAR = np.array([0.0, 1e8])


def write_dataset(path):
    """Three episodes of random pushes, with actions already scaled to [-1, 1]."""
    env, rng, rows = gymnasium.make("MountainCarContinuous-v0"), np.random.default_rng(0), []
    for seed in range(3):
        state, _ = env.reset(seed=seed)
        for step in range(100):
            action = rng.uniform(-1, 1, 1)
            reached, reward, terminated, *_ = env.step(action)
            rows.append((state + FAR, action, reward, terminated, step == 99, reached + FAR))
            state = reached
    keys = ("observations", "actions", "rewards", "terminals", "timeouts", "next_observations")
    with h5py.File(path, "w") as file:
        for key, column in zip(keys, zip(*rows, strict=True), strict=True):
            kind = bool if key in ("terminals", "timeouts") else np.float64
            file[key] = np.array(column, kind)


def test_own_environment_data_and_termination(tmp_path):
    (tmp_path / "hill.py").write_text(RULE)
    (tmp_path / "cars.py").write_text(ENVIRONMENT)
    write_dataset(tmp_path / "car.hdf5")
    task = (
        *("--config-name=base", "dataset_name=car", "debug=true", "env.id=cars:Car-v0"),
        *("+env.kwargs.force=2.0", "env.dataset_path=car.hdf5", "env.horizon=100"),
        *("env.termination=hill.on_the_hill", "env.ref_min=-100", "env.ref_max=100"),
    )
    own = {"PYTHONPATH": str(tmp_path)}
    custom = "--config-path={}configs/custom"
    succeed(tmp_path, "offline_world/cont_ensemble.py", custom.format("../"), *task, **own)
    told = succeed(tmp_path, "offline_cont.py", custom.format(""), *task, "run_dir=run", **own)
    assert "score" in told
    rows = read_rows(tmp_path / "run/metrics.jsonl")
    scores = [row for row in rows if metrics.SCORE in row]
    assert all(row[metrics.TEST_LENGTH_MEAN] == 100 for row in scores)
    origin = saved_origin(tmp_path / "run/agent")
    assert origin[0] == 0.0 and abs(origin[1] - 1e8) < 0.1
    # the agent's [-1, 1] reached the environment as its own [-2, 6]
    forces = np.loadtxt(tmp_path / "forces.txt")
    # each program tries the environment first
    assert len(forces) == len(scores) * 2 * 100 + 2 * STEPS
    assert forces.min() >= -2 and forces.max() <= 6 and (forces > 2).any()
