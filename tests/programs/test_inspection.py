"""Norms of parameters, gradients and updates, against what an optimiser was really given."""

from types import SimpleNamespace
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experience.tape import Tape
from harness.configuration.composition import load_config
from online_rl.builders import recurrent_agent
from online_rl.optimiser import SplitState
from programs.inspection import make_inspect, norms
from tests.online_rl.probes import make_agent, tape_of


@pytest.fixture(autouse=True)
def standard_promotion():
    """optax counts its steps in integers."""
    with jax.numpy_dtype_promotion("standard"):
        yield


@pytest.fixture
def before(standard_promotion):
    """A recurrent agent's critic, its optimisers in the midst of training."""
    config = load_config("pendulum/base", ["debug=true", "train.gradient_scale=0.5"])
    agent = recurrent_agent(config, 3, 1)
    learner = eqx.filter_eval_shape(agent.init, jax.random.key(0))
    rng = np.random.default_rng(0)
    critic = jax.tree.map(
        lambda x: jnp.asarray(rng.normal(size=x.shape), x.dtype) if hasattr(x, "shape") else x,
        learner.critic,
    )
    step = eqx.filter_jit(agent.critic_optimiser.step)
    state = eqx.filter_jit(agent.critic_optimiser.init)(critic)
    return step, *step(critic, jax.tree.map(jnp.sin, critic), state)


def test_norms_are_those_of_the_step(before):
    step, critic, state = before
    grads = jax.tree.map(lambda x: 1e-4 * jnp.cos(x), critic)
    after, after_state = step(critic, grads, state)
    found = norms({"critic": (critic, state)}, {"critic": (after, after_state)})
    for part, label in (("encoder", "enc"), ("head", "head")):
        old, new, given = (getattr(tree, part) for tree in (critic, after, grads))
        change = jax.tree.map(jnp.subtract, new, old)
        for kind, of in (("param", old), ("grad", given), ("update", change)):
            name = f"agent/critic_{label}_{kind}_norm"
            np.testing.assert_allclose(found.pop(name), optax.tree.norm(of), rtol=1e-3)
    assert not found


def test_a_clipped_gradient_is_as_long_as_it_was_let_through(before):
    step, critic, state = before
    after = step(critic, jax.tree.map(lambda x: 100 * x, critic), state)
    found = norms({"": (critic, state)}, {"": after})
    np.testing.assert_allclose(found["agent/enc_grad_norm"], 0.5, rtol=1e-3)


def test_several_agents_have_norms_of_their_own(before):
    step, critic, state = before
    after = step(critic, jax.tree.map(jnp.cos, critic), state)

    def stacked(tree):
        arrays = eqx.filter(tree, eqx.is_array)
        return jax.tree.map(lambda x: np.stack([x, 2 * x]), arrays)

    alone = norms({"": (critic, state)}, {"": after})
    both = norms(
        {"": (stacked(critic), _stacked(state, stacked))},
        {"": (stacked(after[0]), _stacked(after[1], stacked))},
        agents=(2,),
    )
    for name, norm in alone.items():
        np.testing.assert_allclose(both[name], [norm, 2 * norm], rtol=1e-4)


class Replay(NamedTuple):
    """Of one batch; its ring's place says on which device it is."""

    batch: Tape
    write: jax.Array


def test_memories_are_looked_at_one_by_one():
    agent = make_agent()
    learner = eqx.filter_jit(agent.init)(jax.random.key(0))
    # rows alike, so that some directions are worth less than a hundredth
    still = lambda key, shape: jnp.ones(shape)  # noqa: E731
    tape = tape_of(jax.random.key(1), 2, 20, lambda states, actions: 0 * actions, state=still)
    replay = Replay(tape, jnp.zeros(()))
    state = SimpleNamespace(learner=learner, replay=replay, rounds=1, updates=3)
    inspect = make_inspect(agent, lambda replay, key: replay.batch)
    found = inspect(lambda replay, learner, count: (learner, None), 0, {})(state)
    for name in ("critic", "actor"):
        network = getattr(learner, name)
        features = np.asarray(network.encoder(tape, jnp.asarray(agent.first_action)))
        singular = np.linalg.svd(features.astype(np.float64), compute_uv=False)
        # the fewest that make 99 % of the sum
        rank = next(n for n in range(9) if singular[:n].sum() >= 0.99 * singular.sum())
        assert 1 < rank < features.shape[1] and found.pop(f"agent/{name}_stable_rank") == rank
        norm = np.sqrt((features**2).sum(1)).mean()
        np.testing.assert_allclose(found.pop(f"agent/{name}_feature_norm"), norm, rtol=1e-4)
    assert not [name for name in found if "rank" in name or "feature" in name]


def _stacked(state: SplitState, stacked) -> SplitState:
    return SplitState(stacked(state.encoder), stacked(state.head))
