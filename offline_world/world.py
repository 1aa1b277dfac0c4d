"""The imagined environment: one step of many rollouts in the ensemble (eq. 20, 21)."""

from abc import abstractmethod
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from catalogue.uncertainty import Measure
from offline_world.modules import Ensemble
from offline_world.scaler import Scaler
from offline_world.termination_rule import TerminationFn


class WorldState(eqx.Module):
    """Where each rollout is."""

    state: Float[Array, "rollout state"]
    timestep: Int[Array, " rollout"]
    terminated: Bool[Array, " rollout"]
    truncated: Bool[Array, " rollout"]

    @property
    def done(self) -> Bool[Array, " rollout"]:
        return self.terminated | self.truncated


class Imagined(eqx.Module):
    """What one imagined step gave: `reward` is penalised (to be learned from), `raw_reward` is
    not (to be observed)."""

    next_state: Float[Array, "rollout state"]
    reward: Float[Array, " rollout"]
    raw_reward: Float[Array, " rollout"]
    uncertainty: Float[Array, " rollout"]
    terminated: Bool[Array, " rollout"]
    truncated: Bool[Array, " rollout"]

    @classmethod
    def after(
        cls,
        state: WorldState,
        raw_reward: Float[Array, " rollout"],
        uncertainty: Float[Array, " rollout"],
        penalty_coef: Float[Array, ""],
    ) -> "Imagined":
        """What led to `state`: the learned reward is r − penalty_coef · uncertainty (eq. 17)."""
        return cls(
            next_state=state.state,
            reward=raw_reward - penalty_coef * uncertainty,
            raw_reward=raw_reward,
            uncertainty=uncertainty,
            terminated=state.terminated,
            truncated=state.truncated,
        )


def own_member(
    prediction: Float[Array, "member rollout out"],
) -> Float[Array, "rollout out"]:
    """Each rollout's own member's prediction: rollout b's is b // (rollouts / members) for good.

    The number of rollouts must be a multiple of the ensemble's size.
    """
    members, rollouts, _ = prediction.shape
    rollout = jnp.arange(rollouts)
    return prediction[rollout // (rollouts // members), rollout]


def dream(
    ensemble: Ensemble, measure: Measure, inputs: Float[Array, "rollout in"], key: PRNGKeyArray
) -> tuple[Float[Array, "rollout out"], Float[Array, " rollout"]]:
    """A sample of each rollout's own Gaussian, and the uncertainty of its input under all."""
    mean, std = ensemble(inputs)
    own_mean = own_member(mean)
    sample = own_mean + own_member(std) * jax.random.normal(key, own_mean.shape)
    return sample, measure(mean, std)


class Prediction(NamedTuple):
    """One step of every rollout as the ensemble samples it."""

    next_state: Float[Array, "rollout state"]
    reward: Float[Array, " rollout"]
    uncertainty: Float[Array, " rollout"]


class AbstractWorld(eqx.Module):
    """A pure imagined environment of `horizon` steps."""

    horizon: eqx.AbstractVar[int]

    @abstractmethod
    def step(
        self, state: WorldState, action: Float[Array, "rollout action"], key: PRNGKeyArray
    ) -> tuple[WorldState, Imagined]:
        """Let every rollout act once. Finished rollouts go on; the caller ignores them."""


class World(AbstractWorld):
    """The continuous world: each rollout lives in a member of its own (`own_member`)."""

    ensemble: Ensemble
    scaler: Scaler
    #: uncertainty above which a rollout is cut off (the crossing step is kept)
    threshold: Float[Array, ""]
    #: subtracted from the learned reward per unit of uncertainty
    penalty_coef: Float[Array, ""]
    horizon: int = eqx.field(static=True)
    measure: Measure = eqx.field(static=True)
    termination: TerminationFn = eqx.field(static=True)

    def predict(
        self, state: Float[Array, "rollout state"], action: Float[Array, "rollout action"], key
    ) -> Prediction:
        """What the ensemble says of one step, be it a number or not: nothing is ended or kept."""
        inputs = self.scaler.inputs(state, action)
        sample, uncertainty = dream(self.ensemble, self.measure, inputs, key)
        return Prediction(*self.scaler.unscale(sample), uncertainty)

    def step(self, state, action, key):
        next_state, raw_reward, uncertainty = self.predict(state.state, action, key)
        timestep = state.timestep + 1
        terminated = state.terminated | jax.vmap(self.termination)(state.state, action, next_state)
        # A diverged model gives numbers that are none; on a tape they would spread past `start`
        # (0 · NaN is NaN). Such a step ends its rollout where it was.
        finite = jnp.isfinite(next_state).all(-1) & jnp.isfinite(raw_reward)
        finite = finite & jnp.isfinite(uncertainty)
        next_state = jnp.where(finite[:, None], next_state, state.state)
        raw_reward, uncertainty = (jnp.where(finite, x, 0.0) for x in (raw_reward, uncertainty))
        truncated = (
            state.truncated | (timestep >= self.horizon) | (uncertainty > self.threshold) | ~finite
        )
        after = WorldState(
            state=next_state, timestep=timestep, terminated=terminated, truncated=truncated
        )
        return after, Imagined.after(after, raw_reward, uncertainty, self.penalty_coef)
