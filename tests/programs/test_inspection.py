"""Norms of parameters, gradients and updates, against what an optimiser was really given."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from harness.configuration.composition import load_config
from online_rl.builders import recurrent_agent
from online_rl.optimiser import SplitState
from programs.inspection import norms


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


def _stacked(state: SplitState, stacked) -> SplitState:
    return SplitState(stacked(state.encoder), stacked(state.head))
