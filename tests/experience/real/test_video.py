"""Films: real pictures of real episodes, at the simulation's speed."""

import dataclasses
import subprocess
from contextlib import closing
from ctypes.util import find_library
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from experience.data.recording import UniformBehaviour
from experience.real.evaluator import evaluate
from experience.real.vector_env import make_vector_env
from experience.real.video import _play, check_video, film_episode
from experience.tasks import get_task
from experience.wrapper import make_env
from harness.configuration.groups import EnvConfig
from harness.errors import UserError

PENDULUM = EnvConfig(id="Pendulum-v1", horizon=12, ref_min=-1220.0, ref_max=-150.0)
draws = pytest.mark.skipif(
    not (find_library("EGL") or find_library("OSMesa")), reason="nothing to draw MuJoCo with"
)


def film(path: Path, domain: str, name: str, actions: int, env: EnvConfig | None = None):
    """Pictures (time, height, width, 3) of the first 12 steps, and pictures a second."""
    task = dataclasses.replace(get_task(domain, name, env), horizon=12)
    film_episode(UniformBehaviour(actions), path, task, env, seed=0)
    # closed while ffmpeg waits to be read: of a reader that got to its end the pipes stay open
    with closing(imageio_ffmpeg.read_frames(str(path))) as frames:
        about = next(frames)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24"]
    decoded = subprocess.run([*command, "-"], check=True, capture_output=True).stdout
    width, height = about["size"]
    shape = -1, height, width, 3
    return np.frombuffer(decoded, np.uint8).reshape(shape), about["fps"]


@draws
@pytest.mark.parametrize(
    ("domain", "name", "actions", "rate", "count"),
    [
        ("d4rl_loco", "halfcheetah-own-x-v2", 6, 20, 13),
        # 125 steps a second: every fifth is shown
        ("d4rl_loco", "hopper-own-x-v2", 3, 25, 3),
        ("antmaze", "antmaze-umaze-v2", 8, 10, 13),
    ],
)
def test_a_simulated_robot_moves(tmp_path, domain, name, actions, rate, count):
    pictures, fps = film(tmp_path / "film.mp4", domain, name, actions)
    assert (len(pictures), fps) == (count, rate)
    assert pictures[0].std() > 10
    changed = np.abs(pictures[-1].astype(int) - pictures[0]).max(-1) > 40
    assert 20 < changed.sum() < 0.5 * changed.size
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


def test_an_environment_of_gymnasium_draws_itself(tmp_path):
    pictures, fps = film(tmp_path / "film.mp4", "pendulum", "pendulum-random-v1", 1, PENDULUM)
    assert (len(pictures), fps) == (13, 30)
    assert np.abs(pictures[-1].astype(int) - pictures[0]).max() > 100


def test_what_cannot_be_a_video():
    task = get_task("d4rl_loco", "hopper-own-x-v2")
    with pytest.raises(UserError, match=r"\.mp4"):
        check_video(Path("film.gif"), task, None)
    with pytest.raises(UserError, match="engine=mujoco_py"):
        check_video(Path("film.mp4"), task, None, "mujoco_py")


@pytest.mark.filterwarnings("ignore:.*render_mode='rgb_array' that is not in:UserWarning:gymnasium")
def test_an_environment_without_pictures(tmp_path):
    import gymnasium

    class NoPictures(gymnasium.Env):
        observation_space = gymnasium.spaces.Box(-1, 1, (2,))
        action_space = gymnasium.spaces.Box(-1, 1, (1,))

        def __init__(self, render_mode=None):
            self.render_mode = render_mode

        def reset(self, *, seed=None, options=None):
            return np.zeros(2, np.float32), {}

        def step(self, action):
            return np.zeros(2, np.float32), 0.0, False, False, {}

    gymnasium.register("NoPictures-v0", entry_point=NoPictures, max_episode_steps=5)
    env = EnvConfig(id="NoPictures-v0", horizon=5, ref_min=0.0, ref_max=1.0, dataset_path="x")
    with pytest.raises(UserError, match="no pictures"):
        film(tmp_path / "film.mp4", "custom", "x", 1, env)
    assert list(tmp_path.iterdir()) == []


def test_what_is_filmed_is_the_first_episode_of_the_evaluation():
    def law(states):
        return np.sin(10 * states[:, :3])

    class Law(UniformBehaviour):
        def act(self, states, rewards):
            return law(states)

    class Positions:
        """Sees the joints' positions instead of light."""

        def __init__(self, env):
            from experience.engine.seeding import innermost

            self._simulation = innermost(env).sim

        def picture(self):
            return self._simulation.data.qpos[1:].copy()

    envs = make_vector_env("d4rl_loco", "hopper-own-x-v2", 2, workers=1)
    played = evaluate(
        lambda observation, start, memory: (law(observation), memory),
        None,
        envs,
        horizon=40,
        first_action=np.zeros(3, np.float32),
        reward_shift=0.0,
        score=float,
        seed=7,
        keep_trajectories=True,
    )
    env = make_env("d4rl_loco", "hopper-own-x-v2")
    seen = list(_play(Law(3), env, Positions(env), horizon=40, seed=7, every=1, origin=None))
    states = played.trajectories[0]
    assert 5 < len(seen) == len(states)
    np.testing.assert_allclose(seen, states[:, :5], atol=1e-6)
