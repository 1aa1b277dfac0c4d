"""Pictures of a MuJoCo simulation without a screen."""

import importlib
import os
import warnings
from ctypes.util import find_library

import mujoco
import numpy as np
from jaxtyping import UInt8

from harness.errors import UserError

#: Where a model has no camera that follows its robot: azimuth and elevation in degrees.
_AZIMUTH, _ELEVATION = 60.0, -25.0


class Camera:
    """Looks at a simulation from the model's own tracking camera, or at all of it from a corner.

    A maze is seen from above. **Raises:** `UserError` where the machine can draw nothing.
    """

    def __init__(self, simulation, width: int, height: int, *, from_above: bool):
        """`simulation` is a `lookalike.MjSim`; sizes in pixels."""
        self._model, self._data = simulation.model.compiled, simulation.simulation
        self._renderer = make_renderer(self._model, height, width)
        self._view = self._fixed_view(from_above)

    def picture(self) -> UInt8[np.ndarray, "height width 3"]:
        """What there is to see now."""
        self._renderer.update_scene(self._data, self._view)
        return self._renderer.render()

    def close(self) -> None:
        self._renderer.close()

    def _fixed_view(self, from_above: bool) -> "str | mujoco.MjvCamera":
        tracking = mujoco.mj_name2id(self._model, mujoco.mjtObj.mjOBJ_CAMERA, "track")
        if tracking >= 0 and not from_above:
            return "track"
        view = mujoco.MjvCamera()
        mujoco.mjv_defaultFreeCamera(self._model, view)
        view.azimuth, view.elevation = (90.0, -89.9) if from_above else (_AZIMUTH, _ELEVATION)
        if from_above:
            walls = self._model.geom_bodyid == 0
            low, high = self._data.geom_xpos[walls].min(0), self._data.geom_xpos[walls].max(0)
            view.lookat[:] = (low + high) / 2
            # as far away as 45° of view need for the whole maze and the walls' thickness
            view.distance = 1.5 * (high - low).max()
        return view


class _Renderer(mujoco.Renderer):
    # its destructor asks for one, also where none could be made
    _mjr_context = None


def make_renderer(model: mujoco.MjModel, height: int, width: int) -> mujoco.Renderer:
    """What draws pictures of this size in pixels; UserError where the machine can draw nothing."""
    _choose_context()
    screen = model.vis.global_
    screen.offwidth, screen.offheight = max(screen.offwidth, width), max(screen.offheight, height)
    # glfw only warns where there is no screen, and mujoco does not know what is wrong
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            return _Renderer(model, height, width)
        except (RuntimeError, AttributeError, mujoco.FatalError) as error:
            reason = told[0].message if told else error
            raise UserError(
                f"MuJoCo cannot draw here ({reason}): set MUJOCO_GL to egl, osmesa or glfw,"
                " whichever works on this machine"
            ) from error


def _choose_context() -> None:
    """Let mujoco draw off screen; MUJOCO_GL decides where it is set, as in all of its programs."""
    if os.environ.get("MUJOCO_GL"):
        return
    remedy = "install one (Debian: apt-get install libosmesa6) and set MUJOCO_GL=osmesa"
    backend = _installed_backend()
    if backend is None:
        raise UserError(f"drawing needs a library without a screen, EGL or OSMesa: {remedy}")
    try:
        context = importlib.import_module(f"mujoco.{backend}").GLContext
    except ImportError as error:
        raise UserError(f"{backend} cannot draw on this machine ({error}): {remedy}") from error
    # mujoco.Renderer looks it up there whenever it is made
    mujoco.gl_context.GLContext = context


def _installed_backend() -> str | None:
    libraries = {"egl": "EGL", "osmesa": "OSMesa"}
    return next((name for name, library in libraries.items() if find_library(library)), None)
