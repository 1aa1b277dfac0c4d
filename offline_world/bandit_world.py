"""The imagined bandit: an ensemble's rewards for a one-hot arm, and nothing else (eq. 17, 20)."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from catalogue.uncertainty import Measure
from offline_world.modules import Ensemble
from offline_world.world import AbstractWorld, Imagined, WorldState, dream


class BanditWorld(AbstractWorld):
    """A world without states: episodes of `horizon` pulls, no termination and no threshold.

    The state is the (rollout, 1) zeros with which a rollout starts, the action a one-hot arm. Each
    rollout lives in a member of its own, as in `World`.
    """

    ensemble: Ensemble
    #: subtracted from the learned reward per unit of uncertainty; not divided by any average
    penalty_coef: Float[Array, ""]
    horizon: int = eqx.field(static=True)
    measure: Measure = eqx.field(static=True)

    def step(self, state, action, key):
        reward, uncertainty = dream(self.ensemble, self.measure, action, key)
        timestep = state.timestep + 1
        truncated = state.truncated | (timestep >= self.horizon)
        after = WorldState(
            state=state.state, timestep=timestep, terminated=state.terminated, truncated=truncated
        )
        return after, Imagined.after(after, reward[:, 0], uncertainty, self.penalty_coef)


@eqx.filter_jit
def arm_means(ensemble: Ensemble, arms: int) -> Float[Array, "member arm"]:
    """Every member's mean reward of every arm."""
    return ensemble(jnp.eye(arms))[0][..., 0]
