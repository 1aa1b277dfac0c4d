"""Many gradient steps in one dispatch."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key, PRNGKeyArray

from harness.log.compiling import announced
from harness.randomness import Purpose, key_for
from layers.trees import stacked, taken_apart
from online_rl.agent import Figures, Learner
from online_rl.batch import Batch

#: an agent's `update`: (learner, batch, key) → (learner, figures)
Update = Callable[[Learner, Batch, PRNGKeyArray], tuple[Learner, Figures]]
#: (replay, key) → batch
Sample = Callable[[Any, PRNGKeyArray], Batch]
#: (replay, learner, count) → (learner, figures averaged over the updates)
UpdateMany = Callable[[Any, Learner, int], tuple[Learner, dict[str, Any]]]
#: seed → its updates, all by one compiled program
UpdatesOf = Callable[[int], UpdateMany[Learner]]
#: (replays, learners, count), each by seed → (learners, figures), each by seed
UpdateTogether = Callable[
    [dict[int, Any], dict[int, Learner], int], tuple[dict[int, Learner], dict[int, dict[str, Any]]]
]

#: Batches that a replay in host memory sends to the accelerator at a time.
HOST_BATCHES = 32


def on_device(update: Update[Learner], sample: Sample) -> UpdatesOf[Learner]:
    """Updates that sample a replay on the accelerator inside the compiled loop.

    The number of updates is data: any count runs the one compiled program. The learner is donated.
    """

    @eqx.filter_jit(donate="all-except-first")
    def run(frozen, learner):
        replay, sample_key, update_key, count = frozen
        return sampled_updates(update, sample, replay, sample_key, update_key, count, learner)

    run = announced("the update", run)

    def of(seed):
        keys = key_for(seed, Purpose.SAMPLE), key_for(seed, Purpose.UPDATE)

        def update_many(replay, learner, count):
            learner, figures = run((replay, *keys, jax.device_put(np.int32(count))), learner)
            return learner, _to_host(figures)

        return update_many

    return of


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

    def update_once(learner, _):
        batch = sample(replay, jax.random.fold_in(sample_key, learner.updates))
        return update(learner, batch, jax.random.fold_in(update_key, learner.updates))

    return _loop(update_once, learner, count)


def vmapped(update: Update[Learner], sample: Sample) -> UpdateTogether[Learner]:
    """`on_device` for several seeds at once, vmapped; each has its own replay and its own draws."""

    @eqx.filter_jit(donate="all-except-first")
    def run(frozen, learners):
        replays, sample_keys, update_keys, count = frozen
        return vmapped_updates(update, sample, replays, sample_keys, update_keys, count, learners)

    run = announced("the update of several seeds", run)

    @cache
    def keys(seeds: tuple[int, ...], purpose: Purpose) -> Key[Array, " seed"]:
        return jnp.stack([key_for(seed, purpose) for seed in seeds])

    def update_together(replays, learners, count):
        seeds = tuple(learners)
        frozen = (
            [replays[seed] for seed in seeds],
            keys(seeds, Purpose.SAMPLE),
            keys(seeds, Purpose.UPDATE),
            jax.device_put(np.int32(count)),
        )
        after, figures = run(frozen, [learners[seed] for seed in seeds])
        figures = jax.device_get(figures)
        means = [
            {name: float(value[i]) for name, value in figures.items()} for i in range(len(seeds))
        ]
        return dict(zip(seeds, after, strict=True)), dict(zip(seeds, means, strict=True))

    return update_together


def vmapped_updates(
    update: Update[Learner],
    sample: Sample,
    replays: Sequence[Any],
    sample_keys: Key[Array, " seed"],
    update_keys: Key[Array, " seed"],
    count: Int[Array, ""],
    learners: Sequence[Learner],
) -> tuple[list[Learner], dict[str, Float[Array, " seed"]]]:
    """`sampled_updates` of every learner. Pure: compile it.

    The learners are stacked for the loop alone. Replays are not, which would copy gigabytes: each
    gives a batch, and the batches are stacked.
    """
    fold_in = jax.vmap(jax.random.fold_in)

    def update_once(together, _):
        keys = fold_in(sample_keys, together.updates)
        batches = [sample(replay, key) for replay, key in zip(replays, keys, strict=True)]
        update_key = fold_in(update_keys, together.updates)
        return eqx.filter_vmap(update)(together, stacked(batches), update_key)

    after, figures = _loop(update_once, stacked(learners), count)
    return taken_apart(after, len(learners)), figures


def from_host(update: Update[Learner], sample: Sample) -> UpdatesOf[Learner]:
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

        def update_once(learner, i):
            batch = jax.tree.map(lambda x: x[i], batches)
            return update(learner, batch, jax.random.fold_in(update_key, learner.updates))

        return _loop(update_once, learner, count)

    run = announced("the update", run)

    def of(seed):
        sample_key = jax.device_put(key_for(seed, Purpose.SAMPLE), host)
        update_key = key_for(seed, Purpose.UPDATE)

        def update_many(replay, learner, count):
            done, total = 0, {}
            while done < count:
                block = min(HOST_BATCHES, count - done)
                steps = np.asarray(learner.updates) + np.arange(HOST_BATCHES, dtype=np.int32)
                batches = draw(replay, sample_key, jax.device_put(steps, host))
                batches = jax.device_put(batches, device)
                blocks = jax.device_put(np.int32(block))
                learner, figures = run((batches, update_key, blocks), learner)
                figures = {name: block * value for name, value in _to_host(figures).items()}
                total = {k: total[k] + v if total else v for k, v in figures.items()}
                done += block
            return learner, {name: value / count for name, value in total.items()}

        return update_many

    return of


def _loop(update_once, learner, count):
    """`count` times `update_once`: (learner, turn) → (learner, figures); the figures' means."""
    # traced once, for the figures' names and for the loop: tracing takes longer than an update
    one: Any = eqx.filter_closure_convert(update_once, learner, jnp.zeros_like(count))
    shapes = one.out_struct[1]
    names = list(shapes)

    def body(i, carry):
        learner, sums = carry
        learner, figures = one(learner, i)
        # one array of all figures: one addition to launch
        return learner, sums + jnp.stack([figures[name] for name in names])

    sums = jnp.zeros((len(names), *shapes[names[0]].shape))
    learner, sums = jax.lax.fori_loop(0, count, body, (learner, sums))
    means = sums / count.astype(sums.dtype)
    return learner, {name: means[i] for i, name in enumerate(names)}


def _to_host(figures):
    return {name: float(value) for name, value in jax.device_get(figures).items()}
