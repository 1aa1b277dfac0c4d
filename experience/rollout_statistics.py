"""What is logged of one collection of imagined rollouts."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from experience.tape import Tape


class RolloutStats(eqx.Module):
    """Of one collection: episodes as stored (history + rollout), and the imagined part alone."""

    return_mean: Float[Array, ""]
    return_std: Float[Array, ""]
    length_mean: Float[Array, ""]
    length_std: Float[Array, ""]
    horizon_mean: Float[Array, ""]
    horizon_q25: Float[Array, ""]
    horizon_q50: Float[Array, ""]
    horizon_q75: Float[Array, ""]
    horizon_q100: Float[Array, ""]
    data_size: Int[Array, ""]
    # of the imagined steps; 0 where there is none
    uncertainty_mean: Float[Array, ""]
    uncertainty_max: Float[Array, ""]


def rollout_statistics(
    tape: Tape,
    lengths: Int[Array, " rollout"],
    imagined_steps: Int[Array, " rollout"],
    uncertainty: Float[Array, "step rollout"],
) -> RolloutStats:
    """Of episodes end to end in `tape`, `lengths` rows each, the last steps of them imagined.

    `uncertainty` is that of every imagined step, of which the first `imagined_steps` count.
    """
    count = lengths.shape[0]
    end = jnp.cumsum(lengths)
    place = jnp.arange(tape.start.shape[0])
    episode = jnp.searchsorted(end, place, side="right", method="scan_unrolled")
    is_final = place == (end - 1)[jnp.minimum(episode, count - 1)]
    reward = jnp.where(is_final, 0.0, tape.learned_reward)
    # rows past the last episode belong to segment `count`, which is dropped
    returns = jax.ops.segment_sum(reward, episode, num_segments=count + 1)[:count]
    transitions = (lengths - 1).astype(jnp.float32)
    horizon = imagined_steps.astype(jnp.float32)
    alive = jnp.arange(uncertainty.shape[0])[:, None] < imagined_steps[None]
    uncertainty = jnp.where(alive, uncertainty, 0.0)
    q25, q50, q75, q100 = jnp.quantile(horizon, jnp.array([0.25, 0.5, 0.75, 1.0]))
    return RolloutStats(
        return_mean=returns.mean(),
        return_std=returns.std(),
        length_mean=transitions.mean(),
        length_std=transitions.std(),
        horizon_mean=horizon.mean(),
        horizon_q25=q25,
        horizon_q50=q50,
        horizon_q75=q75,
        horizon_q100=q100,
        data_size=(lengths - 1).sum(),
        uncertainty_mean=uncertainty.sum() / jnp.maximum(horizon.sum(), 1.0),
        uncertainty_max=uncertainty.max(),
    )
