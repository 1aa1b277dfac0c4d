"""An ensemble spread over several devices: each holds its share of the members and computes it.

Programs stay as they are: arrays are placed, and XLA divides the work and adds the exchanges.
"""

from typing import TypeVar

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from harness.errors import UserError

MEMBER = "member"

Tree = TypeVar("Tree")


def require_devices(devices: int, members: int, key: str) -> None:
    """Raise UserError unless `members`, which the configuration's `key` asks for, can be spread
    evenly over `devices` of this process."""
    found = jax.local_devices()
    if devices > len(found):
        raise UserError(
            f"ensemble.devices={devices} is more than this process sees, {len(found)}"
            f" ({found[0].device_kind}): give a smaller number, or look at CUDA_VISIBLE_DEVICES"
        )
    if members % devices:
        raise UserError(
            f"{key}={members} is no multiple of ensemble.devices={devices}: every device needs the"
            " same number of members"
        )


def by_members(tree: Tree, devices: int) -> Tree:
    """`tree` with the first axis of every array, that of the members, spread over the devices.

    Numbers without axes are on all of them. Inside a compiled program it is a constraint.
    """
    if devices == 1:
        return tree
    mesh = _mesh(devices)

    def place(leaf):
        spec = PartitionSpec(MEMBER) if leaf.ndim else PartitionSpec()
        return jax.lax.with_sharding_constraint(leaf, NamedSharding(mesh, spec))

    return jax.tree.map(place, tree)


def everywhere(tree: Tree, devices: int) -> Tree:
    """`tree` with a copy of every array on each of the devices that an ensemble is spread over."""
    if devices == 1:
        return tree
    return jax.device_put(tree, NamedSharding(_mesh(devices), PartitionSpec()))


def _mesh(devices: int) -> Mesh:
    return Mesh(np.array(jax.local_devices()[:devices]), (MEMBER,))
