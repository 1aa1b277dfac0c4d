"""MuJoCo 2.1.0's masses and inertias on models compiled by today's engine.

MuJoCo up to 2.1.0 treated a capsule of radius r and cylinder height h as one solid cylinder of
height h + r: volume pi r^2 h + pi r^3, where the two half-spheres really hold 4/3 pi r^3. D4RL's
and NeoRL's data and reference scores were made with those bodies; with today's inertias hopper and
walker2d are other robots (walker2d leaves the old trajectory by 0.7 after one step).
"""

import math

import mujoco
import numpy as np
from jaxtyping import Float


def restore_capsule_inertias(model: mujoco.MjModel, total_mass: float | None) -> None:
    """Give every body with capsules the mass and inertia that MuJoCo 2.1.0 computed, in place.

    **Arguments:**

    - `model`: a compiled model whose inertias all come from its geoms.
    - `total_mass`: the model's `settotalmass` in kg, or None where it has none.

    **Raises:** `NotImplementedError` for a body that mixes capsules with shapes other than spheres.
    """
    moved_frame = False
    for body in range(1, model.nbody):
        first = model.body_geomadr[body]
        geoms = range(first, first + model.body_geomnum[body])
        if not any(model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_CAPSULE for geom in geoms):
            continue
        # The compiled model no longer holds densities; the geoms of a body share one here.
        density = model.body_mass[body] / sum(_volume(model, geom) for geom in geoms)
        parts = [_old_mass_and_inertia(model, geom, density) for geom in geoms]
        model.body_mass[body] = sum(mass for mass, _ in parts)
        if len(parts) == 1:
            model.body_inertia[body] = parts[0][1]
        else:
            _set_combined_inertia(model, body, geoms, parts)
            moved_frame = True
    if total_mass is not None:
        scale = total_mass / model.body_mass.sum()
        model.body_mass[:] *= scale
        model.body_inertia[:] *= scale
    if moved_frame:
        # The collision tree of a body is stored relative to its inertial frame, which has moved.
        model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_MIDPHASE
    mujoco.mj_setConst(model, mujoco.MjData(model))


def _volume(model: mujoco.MjModel, geom: int) -> float:
    """Today's volume of a capsule or a sphere in m^3."""
    radius, half_height, _ = model.geom_size[geom]
    sphere = 4 / 3 * math.pi * radius**3
    if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_CAPSULE:
        return sphere + math.pi * radius**2 * 2 * half_height
    if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_SPHERE:
        return sphere
    raise NotImplementedError("a body that mixes capsules with shapes other than spheres")


def _old_mass_and_inertia(
    model: mujoco.MjModel, geom: int, density: float
) -> tuple[float, Float[np.ndarray, "3"]]:
    """MuJoCo 2.1.0's mass in kg and principal moments in kg m^2 of a capsule or a sphere."""
    radius, half_height, _ = model.geom_size[geom]
    if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_SPHERE:
        mass = density * _volume(model, geom)
        return mass, np.full(3, 0.4 * mass * radius**2)
    height = 2 * half_height + radius
    mass = density * math.pi * radius**2 * height
    across = mass * (3 * radius**2 + height**2) / 12
    return mass, np.array([across, across, mass * radius**2 / 2])


def _set_combined_inertia(model, body, geoms, parts) -> None:
    """Centre of mass, principal axes and moments of a body made of several geoms."""
    masses = np.array([mass for mass, _ in parts])
    centre = masses @ model.geom_pos[list(geoms)] / masses.sum()
    tensor = np.zeros((3, 3))
    for geom, (mass, moments) in zip(geoms, parts, strict=True):
        axes = np.zeros(9)
        mujoco.mju_quat2Mat(axes, model.geom_quat[geom])
        axes = axes.reshape(3, 3)
        offset = model.geom_pos[geom] - centre
        steiner = mass * (offset @ offset * np.eye(3) - np.outer(offset, offset))
        tensor += axes @ np.diag(moments) @ axes.T + steiner
    moments, axes, quaternion = np.zeros(3), np.zeros(9), np.zeros(4)
    mujoco.mju_eig3(moments, axes, quaternion, tensor.ravel())
    model.body_ipos[body] = centre
    model.body_iquat[body] = quaternion
    model.body_inertia[body] = moments
