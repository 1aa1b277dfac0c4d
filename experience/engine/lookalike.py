"""A look-alike of the part of mujoco_py that gym 0.23.1 and d4rl 1.1 call, on `mujoco`.

`install` registers this module as `mujoco_py`, which no longer builds on current systems. Names and
behaviour are mujoco_py's, inertias MuJoCo 2.1.0's.
"""

import importlib.util
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import NamedTuple

import mujoco
import numpy as np

from experience.engine.drawing import Drawing
from experience.engine.inertia import restore_capsule_inertias
from harness.errors import UserError

__version__ = "2.1.2.14"  # the last mujoco_py, whose interface this is


def get_version() -> str:
    """The mujoco_py version whose interface this is; d4rl asks for at least 1.50."""
    return __version__


class MujocoException(UserError):
    """MuJoCo warned: mujoco_py raises where MuJoCo itself writes a log file and goes on."""


# Warnings become exceptions in `MjSim.step`; without this they also land in ./MUJOCO_LOG.TXT.
mujoco.set_mju_user_warning(lambda _message: None)


class MjSimState(NamedTuple):
    """A snapshot as mujoco_py's: time in s, generalised positions, velocities, activations."""

    time: float
    qpos: np.ndarray
    qvel: np.ndarray
    act: np.ndarray | None
    udd_state: dict


class Model:
    """mujoco_py's PyMjModel: an `MjModel`'s arrays, and `<kind>_name2id` look-ups."""

    def __init__(self, compiled: mujoco.MjModel):
        self.compiled = compiled

    def __getattr__(self, name):
        return getattr(self.compiled, name)

    @property
    def _camera_name2id(self) -> dict[str, int]:
        """Of the cameras that the model has a name for; gym looks there for one that tracks."""
        count = self.compiled.ncam
        return {self.compiled.camera(index).name: index for index in range(count)}

    def camera_name2id(self, name: str) -> int:
        return self._id_of(mujoco.mjtObj.mjOBJ_CAMERA, name)

    def _id_of(self, kind: mujoco.mjtObj, name: str) -> int:
        index = mujoco.mj_name2id(self.compiled, kind, name)
        if index < 0:
            raise ValueError(f'No "{kind.name}" with name {name} exists.')
        return index

    def body_name2id(self, name: str) -> int:
        return self._id_of(mujoco.mjtObj.mjOBJ_BODY, name)

    def joint_name2id(self, name: str) -> int:
        return self._id_of(mujoco.mjtObj.mjOBJ_JOINT, name)

    def geom_name2id(self, name: str) -> int:
        return self._id_of(mujoco.mjtObj.mjOBJ_GEOM, name)

    def site_name2id(self, name: str) -> int:
        return self._id_of(mujoco.mjtObj.mjOBJ_SITE, name)

    def actuator_name2id(self, name: str) -> int:
        return self._id_of(mujoco.mjtObj.mjOBJ_ACTUATOR, name)

    def sensor_name2id(self, name: str) -> int:
        return self._id_of(mujoco.mjtObj.mjOBJ_SENSOR, name)


class Data:
    """mujoco_py's PyMjData: an `MjData`'s arrays under mujoco_py's names.

    The arrays that every step reads are views bound once: making a view costs more than using it.
    """

    def __init__(self, model: Model, simulation: mujoco.MjData):
        self._model = model
        self.simulation = simulation
        self.qpos = simulation.qpos
        self.qvel = simulation.qvel
        self.ctrl = simulation.ctrl
        self.body_xpos = simulation.xpos
        self.body_xquat = simulation.xquat
        self.body_xmat = simulation.xmat
        self.site_xpos = simulation.site_xpos

    def __getattr__(self, name):
        return getattr(self.simulation, name)

    def get_body_xpos(self, name: str) -> np.ndarray:
        return self.body_xpos[self._model.body_name2id(name)]

    def get_site_xpos(self, name: str) -> np.ndarray:
        return self.site_xpos[self._model.site_name2id(name)]


class MjSim:
    """mujoco_py's MjSim: a model with its simulation data."""

    def __init__(self, model: Model):
        self.model = model
        self._compiled = model.compiled
        self.simulation = mujoco.MjData(model.compiled)
        self._warning_counts = self.simulation.warning.number
        self.data = Data(model, self.simulation)

    def step(self) -> None:
        """One engine step; raises `MujocoException` where MuJoCo warns."""
        mujoco.mj_step(self._compiled, self.simulation)
        if self._warning_counts.any():
            self._raise_on_warning()

    def forward(self) -> None:
        mujoco.mj_forward(self._compiled, self.simulation)

    def reset(self) -> None:
        mujoco.mj_resetData(self._compiled, self.simulation)

    def get_state(self) -> MjSimState:
        simulation = self.simulation
        return MjSimState(
            time=simulation.time,
            qpos=self.data.qpos.copy(),
            qvel=self.data.qvel.copy(),
            act=simulation.act.copy(),
            udd_state={},
        )

    def set_state(self, state: MjSimState) -> None:
        self.simulation.time = state.time
        self.data.qpos[:] = state.qpos
        self.data.qvel[:] = state.qvel
        if state.act is not None:
            self.simulation.act[:] = state.act

    def _raise_on_warning(self) -> None:
        counts = self._warning_counts
        names = [mujoco.mjtWarning(kind).name for kind in np.flatnonzero(counts)]
        raise MujocoException(
            f"MuJoCo warned ({', '.join(names)}): the simulation became unstable, or an action was "
            "not finite; run the command again with another seed, and if it comes back report it"
        )


MjViewer = MjRenderContextOffscreen = Drawing


def load_model_from_path(path: str) -> Model:
    """Compile the MJCF file at `path`, with MuJoCo 2.1.0's inertias where they come from geoms."""
    compiler = ElementTree.parse(path).find("compiler")
    settings = {} if compiler is None else compiler.attrib
    if settings.get("coordinate") == "global":
        path = _local_coordinate_twin(path)
    compiled = mujoco.MjModel.from_xml_path(path)
    if settings.get("inertiafromgeom") == "true":
        total_mass = settings.get("settotalmass")
        restore_capsule_inertias(compiled, None if total_mass is None else float(total_mass))
    return Model(compiled)


def _local_coordinate_twin(path: str) -> str:
    """gymnasium's copy of a gym model that uses global coordinates, which MuJoCo 3 cannot read."""
    package = importlib.util.find_spec("gymnasium")
    assert package is not None and package.origin is not None
    return str(Path(package.origin).parent / "envs" / "mujoco" / "assets" / Path(path).name)
