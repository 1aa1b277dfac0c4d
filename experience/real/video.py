"""Films of episodes in the real environments, as MP4 files (optional extra `video`)."""

import importlib.util
import math
import os
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
from jaxtyping import UInt8

from catalogue import domains
from experience.data.origin import Origin, measured_from
from experience.data.recording import AbstractBehaviour
from experience.environment_names import PENDULUM_ID
from experience.real.evaluator import copy_seeds
from experience.tasks import Task
from experience.wrapper import RealEnv, make_env
from harness.configuration.groups import EnvConfig
from harness.errors import UserError
from harness.files import atomic_write

Picture = UInt8[np.ndarray, "height width 3"]

WIDTH, HEIGHT = 480, 360
#: Pictures a second at most; a film runs at the simulation's own speed.
FASTEST = 30


def check_video(
    path: Path, task: Task, env_config: EnvConfig | None, engine: str = "mujoco"
) -> None:
    """UserError, before anything is played, where `film_episode` could not write to `path`."""
    if path.suffix != ".mp4":
        raise UserError(f"--video {path} must be a file whose name ends in .mp4")
    if importlib.util.find_spec("imageio_ffmpeg") is None:
        raise UserError(
            "a video needs the package imageio-ffmpeg; install it with `pip install -e .[video]`"
        )
    if engine != "mujoco":
        raise UserError(f"--video draws with engine=mujoco only, and the run has engine={engine}")
    with _drawn(task, env_config) as (env, camera):
        env.reset()
        camera.picture()


def film_episode(
    behaviour: AbstractBehaviour,
    path: Path,
    task: Task,
    env_config: EnvConfig | None,
    seed: int,
    origin: Origin | None = None,
) -> None:
    """Film the episode that an evaluation with this `seed` plays first.

    `origin` is where the agent's states are measured from.

    **Raises:** `UserError` where this machine cannot draw, and for an environment that has no
    pictures of itself.
    """
    with _drawn(task, env_config) as (env, camera):
        every, rate = _speed(env)
        pictures = _play(behaviour, env, camera, task.horizon, seed, every, origin)
        write_film(path, pictures, rate)


def write_film(path: Path, pictures: Iterator[Picture], rate: float) -> None:
    """Write an MP4 file of `rate` pictures a second; it appears complete or not at all."""
    import imageio_ffmpeg

    first = next(pictures)
    height, width, _ = first.shape
    with atomic_write(path) as temporary:
        writer = imageio_ffmpeg.write_frames(
            str(temporary),
            (width, height),
            fps=cast(int, rate),  # ffmpeg takes fractions, too
            macro_block_size=2,
            # the temporary name does not tell the format
            output_params=["-f", "mp4"],
        )
        with warnings.catch_warnings():
            # the fork is followed by exec at once, which JAX's warning does not know
            warnings.filterwarnings("ignore", r"os\.fork", RuntimeWarning)
            writer.send(None)
        writer.send(np.ascontiguousarray(first))
        for picture in pictures:
            writer.send(np.ascontiguousarray(picture))
        writer.close()


def _play(
    behaviour: AbstractBehaviour,
    env: RealEnv,
    camera: Any,
    horizon: int,
    seed: int,
    every: int,
    origin: Origin | None,
) -> Iterator[Picture]:
    """The first picture, one after `every` so many steps, and the last."""
    state = env.reset(seed=copy_seeds(seed, 1)[0])
    reward, done = 0.0, False
    behaviour.begin(seed, 1)
    yield camera.picture()
    for step in range(1, horizon + 1):
        action = behaviour.act(measured_from(state, origin)[None], np.array([reward]))[0]
        state, reward, done, _ = env.step(action)
        if done or step % every == 0:
            yield camera.picture()
        if done:
            return


@contextmanager
def _drawn(task: Task, env_config: EnvConfig | None) -> Iterator[tuple[RealEnv, Any]]:
    """The environment, and what takes pictures of it."""
    with (
        closing(_drawable(task, env_config)) as env,
        closing(_camera(env, task)) as camera,
    ):
        yield env, camera


def _drawable(task: Task, env_config: EnvConfig | None) -> RealEnv:
    if task.domain not in domains.DESCRIBED:
        return make_env(task.domain, task.dataset_name, env_config)
    # pygame shall not look for a screen, and complain that there is none
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    env_config = env_config or EnvConfig()
    kwargs = dict(env_config.kwargs or {}) | {"render_mode": "rgb_array"}
    own = EnvConfig(id=env_config.id or PENDULUM_ID, kwargs=kwargs)
    return make_env(task.domain, task.dataset_name, own)


def _camera(env: RealEnv, task: Task) -> Any:
    """Something with `picture` and `close`."""
    from experience.engine.seeding import innermost

    if task.domain in domains.DESCRIBED:
        return _OwnPictures(innermost(env).modern)
    from experience.engine.camera import Camera

    return Camera(innermost(env).sim, WIDTH, HEIGHT, from_above=task.domain == domains.ANTMAZE)


class _OwnPictures:
    """A gymnasium environment that draws itself."""

    def __init__(self, modern: Any):
        if "rgb_array" not in modern.metadata.get("render_modes", ()):
            raise UserError("this environment has no pictures (render_mode rgb_array) for a video")
        self._modern = modern

    def picture(self) -> Picture:
        from gymnasium.error import DependencyNotInstalled

        try:
            return self._modern.render()
        except DependencyNotInstalled as error:
            raise UserError(f"this environment cannot draw itself: {error}") from error

    def close(self) -> None:
        """The environment's maker closes it."""


def _speed(env: RealEnv) -> tuple[int, float]:
    """After how many steps there is a picture, and how many pictures make a second."""
    from experience.engine.seeding import innermost

    simulation = innermost(env)
    if hasattr(simulation, "modern"):
        steps = float(simulation.modern.metadata.get("render_fps", FASTEST))
    else:
        steps = 1 / simulation.dt
    every = math.ceil(steps / FASTEST)
    return every, steps / every
