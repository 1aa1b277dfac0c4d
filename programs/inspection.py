"""What an agent's networks look like from inside: norms of parameters, gradients and updates, and
how much its memories still tell apart.

It takes one update, which is thrown away, and one pass of the encoders: for evaluations only.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import numpy as np
import optax
from jaxtyping import Array, Float, PyTree

from harness.log import metrics
from harness.log.compiling import announced
from harness.randomness import Purpose, key_at
from online_rl import loop, updates
from online_rl.agent import AbstractAgent, Learner
from online_rl.batch import Batch
from online_rl.dqn import plasticity
from online_rl.optimiser import SplitState

#: Part of a network and of its optimiser's state → its name in the log.
PARTS = {"encoder": "enc", "head": "head"}
Inspect = Callable[[loop.TrainState[Learner]], dict[str, Any]]
# Adam's decay of the mean gradient, which is optax's own in every chain.
_B1 = 0.9


def make_inspect(
    agent: AbstractAgent[Learner], sample: updates.Sample | None = None
) -> Callable[[updates.UpdateMany[Learner], int, Mapping[str, float]], Inspect[Learner]]:
    """The loop's `inspect` by update_many, seed, and what is constant, which is told every time.

    Schedules are too, all else once there is data. The memories are looked at on a batch of
    `sample`, if there is one.
    """
    look = None if sample is None else _make_look(agent, sample)

    def of(
        update_many: updates.UpdateMany[Learner], seed: int, constants: Mapping[str, float]
    ) -> Inspect[Learner]:
        def inspect(state: loop.TrainState[Learner]) -> dict[str, Any]:
            found: dict[str, Any] = {**constants, **schedules(agent, state.learner)}
            if state.rounds:
                before, after = one_update(state, update_many)
                found |= norms(agent.trained(before), agent.trained(after))
                found |= {} if look is None else look(state, seed)
            return found

        return inspect

    return of


def schedules(agent: AbstractAgent[Learner], learner: Learner) -> dict[str, float]:
    """Learning rates and the like, under their logged names."""
    return {metrics.COUNT + n: float(v) for n, v in agent.schedules(learner).items()}


def one_update(
    state: loop.TrainState[Learner], update_many: updates.UpdateMany[Learner]
) -> tuple[Learner, Learner]:
    """The learner before and after the next update, with NumPy leaves; `state` is left alone."""
    before = jax.tree.map(lambda leaf: np.array(leaf), state.learner)
    # an update takes the learner that it is given, so it gets a copy
    copy = jax.tree.map(lambda x, of: jax.device_put(x, of.sharding), before, state.learner)
    after, _ = update_many(state.replay, copy, 1)
    return before, jax.device_get(after)


def norms(
    before: dict[str, tuple[PyTree, SplitState]],
    after: dict[str, tuple[PyTree, SplitState]],
    agents: tuple[int, ...] = (),
) -> dict[str, Float[np.ndarray, "*agents"]]:
    """Euclidean norms of what `AbstractAgent.trained` gave before and after one update.

    The gradient is the one that Adam took in: NaNs zeroed, clipped. All leaves may have leading
    axes `agents`, one for each of several agents.
    """
    found = {}
    for name, (network, state) in before.items():
        new_network, new_state = after[name]
        for part, label in PARTS.items():
            old, new = _arrays(getattr(network, part)), _arrays(getattr(new_network, part))
            if not old:
                continue
            means, new_means = (
                _arrays(optax.tree.get(getattr(s, part), "mu")) for s in (state, new_state)
            )
            gradient = [(b - _B1 * a) / (1 - _B1) for a, b in zip(means, new_means, strict=True)]
            change = [b - a for a, b in zip(old, new, strict=True)]
            of = metrics.AGENT + "_".join(word for word in (name, label) if word)
            for kind, arrays in (("param", old), ("grad", gradient), ("update", change)):
                found[f"{of}_{kind}_norm"] = _norm(arrays, len(agents))
    return found


def _make_look(
    agent: AbstractAgent[Learner], sample: updates.Sample
) -> Callable[[loop.TrainState[Learner], int], dict[str, float]]:
    draw = eqx.filter_jit(sample)

    @eqx.filter_jit
    def features(learner: Learner, batch: Batch) -> dict[str, Float[Array, ""]]:
        found = {}
        first_action = jax.numpy.asarray(agent.first_action)
        for name, (network, _) in agent.trained(learner).items():
            if not _arrays(network.encoder):
                continue
            rank, norm = plasticity(network.encoder(batch, first_action))
            found[f"{metrics.AGENT}{name}_stable_rank"] = rank
            found[f"{metrics.AGENT}{name}_feature_norm"] = norm
        return found

    features = announced("the ranks of the features", features)

    def look(state: loop.TrainState[Learner], seed: int) -> dict[str, float]:
        key = key_at(seed, Purpose.INSPECT, state.updates)
        batch = draw(state.replay, jax.device_put(key, state.replay.write.device))
        batch = jax.device_put(batch, jax.local_devices()[0])
        return {n: float(v) for n, v in features(state.learner, batch).items()}

    return look


def _arrays(tree: PyTree) -> list:
    return jax.tree.leaves(eqx.filter(tree, eqx.is_array))


def _norm(arrays: Sequence[np.ndarray], leading: int) -> np.ndarray:
    squares = [
        np.square(array, dtype=np.float64).sum(tuple(range(leading, array.ndim)))
        for array in arrays
    ]
    return np.sqrt(sum(squares))
