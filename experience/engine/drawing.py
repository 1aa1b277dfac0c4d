"""Pictures of a MuJoCo simulation, without a screen; behind mujoco_py's names for drawing."""

import weakref

import mujoco
import numpy as np

from experience.engine.camera import make_renderer
from harness.errors import UserError


class Drawing:
    """mujoco_py's MjViewer and MjRenderContextOffscreen in one: draws into arrays, never a window.

    `cam` is the free camera, which gym's `viewer_setup` places.
    """

    def __init__(self, sim, *_):
        self._sim = sim
        self.cam = mujoco.MjvCamera()
        mujoco.mjv_defaultFreeCamera(sim.model.compiled, self.cam)
        # as mujoco_py: at the middle of what there is, from as far as the model is large
        self.cam.lookat[:] = np.median(sim.data.geom_xpos, axis=0)
        self.cam.distance = sim.model.stat.extent
        self._renderer: mujoco.Renderer | None = None

    def render(
        self, width: int | None = None, height: int | None = None, camera_id: int | None = None
    ) -> None:
        """Draw the present state, `width` × `height` pixels, from a camera of the model or `cam`.

        Raises UserError for a window (no size), and where nothing can draw.
        """
        if width is None or height is None:
            raise UserError(
                "there is no window to draw in: call env.render(mode='rgb_array'), which returns"
                " the picture as an array"
            )
        renderer = self._sized(width, height)
        camera = self.cam if camera_id is None or camera_id < 0 else camera_id
        renderer.update_scene(self._sim.data.simulation, camera)

    def read_pixels(self, width: int, height: int, depth: bool = True):
        """The drawn picture (height, width, 3), its rows from the bottom up as OpenGL has them.

        With `depth` also the distance of each pixel from the camera in m, (height, width).
        """
        renderer = self._sized(width, height)
        picture = renderer.render()[::-1]
        if not depth:
            return picture
        renderer.enable_depth_rendering()
        distance = renderer.render()[::-1]
        renderer.disable_depth_rendering()
        return picture, distance

    def _sized(self, width: int, height: int) -> mujoco.Renderer:
        renderer = self._renderer
        if renderer is None or (renderer.width, renderer.height) != (width, height):
            if renderer is not None:
                renderer.close()
            renderer = self._renderer = make_renderer(self._sim.model.compiled, height, width)
            # before the interpreter takes OpenGL apart
            weakref.finalize(self, renderer.close)
        return renderer
