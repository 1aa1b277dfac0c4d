"""Where a policy can be followed from any state on: the true environment, and a world model."""

from collections.abc import Sequence
from typing import Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, PRNGKeyArray

from experience.data.origin import Origin, measured_from, own_units
from experience.real.oracle import Oracle
from offline_world.world import World, WorldState


class Surroundings(Protocol):
    """One step of several episodes at once.

    States and rewards are measured as an agent learns from them. An episode that is no longer
    `alive` stays where it is, with a reward of 0.
    """

    def __call__(
        self,
        step: int,
        state: Float[np.ndarray, "episode state"],
        action: Float[np.ndarray, "episode action"],
        alive: Bool[np.ndarray, " episode"],
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Next states, rewards and terminations, of `step` 0 with the states they begin in."""
        ...


class TrueSurroundings:
    """One oracle for each episode; `reward_shift` is the task's, `origin` what states are measured
    from."""

    def __init__(
        self, oracles: Sequence[Oracle], *, reward_shift: float, origin: Origin | None = None
    ):
        self._oracles, self._shift, self._origin = oracles, reward_shift, origin

    def __call__(self, step, state, action, alive):
        if step == 0:
            for oracle, first in zip(self._oracles, state, strict=True):
                oracle.set_state(own_units(first, self._origin))
        state, reward, terminated = state.copy(), np.zeros(len(alive)), np.zeros(len(alive), bool)
        for i in np.flatnonzero(alive).tolist():
            reached, unshifted, terminated[i] = self._oracles[i].step(action[i])
            state[i] = measured_from(reached, self._origin)
            reward[i] = unshifted + self._shift
        return state, reward, terminated


class ImaginedSurroundings:
    """A world model that is followed however uncertain it is, without penalties (eq. 57).

    Each episode stays in one member. It ends where the termination rule says, or where the model
    gives numbers that are none.
    """

    def __init__(self, world: World, key: PRNGKeyArray):
        self._world = eqx.tree_at(lambda world: world.threshold, world, jnp.asarray(jnp.inf))
        self._key = key

    def __call__(self, step, state, action, alive):
        members = self._world.ensemble.size
        # as many in each member; those too many are dropped
        whole = np.arange(-(-len(alive) // members) * members) % len(alive)
        key = jax.random.fold_in(self._key, step)
        reached, reward, ended = (
            np.asarray(of_all)[: len(alive)]
            for of_all in _imagine(self._world, state[whole], action[whole], key)
        )
        return (
            np.where(alive[:, None], reached, state),
            np.where(alive, reward, 0.0),
            alive & ended,
        )


@eqx.filter_jit
def _imagine(world: World, state, action, key):
    here = WorldState(
        state=state,
        # the time limit never comes
        timestep=jnp.full(len(state), -1, jnp.int32),
        terminated=jnp.zeros(len(state), bool),
        truncated=jnp.zeros(len(state), bool),
    )
    after, imagined = world.step(here, action, key)
    return after.state, imagined.raw_reward, after.done
