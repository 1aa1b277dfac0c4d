"""Many gradient steps in one dispatch."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PRNGKeyArray

from harness.log.compiling import announced
from harness.randomness import Purpose, key_for
from online_rl.agent import Figures, Learner
from online_rl.batch import Batch

#: an agent's `update`: (learner, batch, key) → (learner, figures)
Update = Callable[[Learner, Batch, PRNGKeyArray], tuple[Learner, Figures]]
#: (replay, key) → batch
Sample = Callable[[Any, PRNGKeyArray], Batch]
#: (replay, learner, count) → (learner, figures averaged over the updates)
UpdateMany = Callable[[Any, Learner, int], tuple[Learner, dict[str, Any]]]

#: Batches that a replay in host memory sends to the accelerator at a time.
HOST_BATCHES = 32


def on_device(update: Update[Learner], sample: Sample, seed: int) -> UpdateMany[Learner]:
    """Updates that sample a replay on the accelerator inside the compiled loop.

    The number of updates is data: any count runs the one compiled program. The learner is donated.
    """

    @eqx.filter_jit(donate="all-except-first")
    def run(frozen, learner):
        replay, sample_key, update_key, count = frozen
        return sampled_updates(update, sample, replay, sample_key, update_key, count, learner)

    run = announced("the update", run)
    keys = key_for(seed, Purpose.SAMPLE), key_for(seed, Purpose.UPDATE)

    def update_many(replay, learner, count):
        learner, figures = run((replay, *keys, jax.device_put(np.int32(count))), learner)
        return learner, _to_host(figures)

    return update_many


def sampled_updates(
    update: Update[Learner],
    sample: Sample,
    replay: Any,
    sample_key: PRNGKeyArray,
    update_key: PRNGKeyArray,
    count: Int[Array, ""],
    learner: Learner,
) -> tuple[Learner, Figures]:
    """`count` updates on batches of the replay, and their figures' means. Pure: compile it."""

    def batch(_, step):
        return sample(replay, jax.random.fold_in(sample_key, step))

    return _loop(update, batch, update_key, learner, count)


def from_host(update: Update[Learner], sample: Sample, seed: int) -> UpdateMany[Learner]:
    """Updates whose batches are drawn where the replay lives and sent over in blocks.

    The draws, and so the numbers, are those of `on_device`.
    """
    device = jax.local_devices()[0]
    host = jax.local_devices(backend="cpu")[0]

    @eqx.filter_jit
    def draw(replay, key, steps):
        return jax.vmap(lambda step: sample(replay, jax.random.fold_in(key, step)))(steps)

    @eqx.filter_jit(donate="all-except-first")
    def run(frozen, learner):
        batches, update_key, count = frozen

        def batch(i, _):
            return jax.tree.map(lambda x: x[i], batches)

        return _loop(update, batch, update_key, learner, count)

    run = announced("the update", run)
    sample_key = jax.device_put(key_for(seed, Purpose.SAMPLE), host)
    update_key = key_for(seed, Purpose.UPDATE)

    def update_many(replay, learner, count):
        done, total = 0, {}
        while done < count:
            block = min(HOST_BATCHES, count - done)
            steps = np.asarray(learner.updates) + np.arange(HOST_BATCHES, dtype=np.int32)
            batches = draw(replay, sample_key, jax.device_put(steps, host))
            batches = jax.device_put(batches, device)
            learner, figures = run((batches, update_key, jax.device_put(np.int32(block))), learner)
            figures = {name: block * value for name, value in _to_host(figures).items()}
            total = {k: total[k] + v if total else v for k, v in figures.items()}
            done += block
        return learner, {name: value / count for name, value in total.items()}

    return update_many


def _loop(update, batch, update_key, learner, count):
    def update_once(learner, i):
        key = jax.random.fold_in(update_key, learner.updates)
        return update(learner, batch(i, learner.updates), key)

    # traced once, for the figures' names and for the loop: tracing takes longer than an update
    one: Any = eqx.filter_closure_convert(update_once, learner, jnp.zeros_like(count))
    names = list(one.out_struct[1])

    def body(i, carry):
        learner, sums = carry
        learner, figures = one(learner, i)
        # one array of all figures: one addition to launch
        return learner, sums + jnp.stack([figures[name] for name in names])

    learner, sums = jax.lax.fori_loop(0, count, body, (learner, jnp.zeros(len(names))))
    means = sums / count.astype(sums.dtype)
    return learner, {name: means[i] for i, name in enumerate(names)}


def _to_host(figures):
    return {name: float(value) for name, value in jax.device_get(figures).items()}
