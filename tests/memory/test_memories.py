"""What every kind of memory promises, whatever it is made of, and what the GRU computes."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from catalogue.memories import MEMORIES
from memory import GRUStack, MemorySettings
from memory.gru import GRU

SETTINGS = MemorySettings(d_model=6, d_hidden=5, n_layers=2, r_min=0.0, r_max=0.9)
ROWS = 24


@pytest.fixture(params=MEMORIES, scope="module")
def memory(request):
    return eqx.filter_jit(MEMORIES[request.param])(SETTINGS, key=jax.random.key(0))


@pytest.fixture(scope="module")
def rows():
    x = jax.random.normal(jax.random.key(1), (ROWS, SETTINGS.d_model))
    start = jnp.zeros(ROWS, bool).at[jnp.array([0, 7, 8])].set(True)
    return x, start


def run(memory, x, start, state):
    """`sequence`, of the memory's own class."""
    return eqx.filter_jit(type(memory).sequence)(memory, x, start, state)


def close(actual, expected):
    for a, b in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def used_state(memory):
    """A state that an episode could have left behind."""
    return jax.tree.map(lambda s: s + 0.5, memory.initial_state())


def test_a_start_forgets_everything_before_it(memory, rows):
    x, start = rows
    features, last = run(memory, x, start, used_state(memory))
    fresh, fresh_last = run(memory, x[8:], start[8:].at[0].set(False), memory.initial_state())
    close((features[8:], last), (fresh, fresh_last))


def test_without_a_start_the_given_state_is_remembered(memory, rows):
    x, start = rows
    start = jnp.zeros_like(start)
    first, between = run(memory, x[:10], start[:10], used_state(memory))
    second, last = run(memory, x[10:], start[10:], between)
    close((jnp.concatenate([first, second]), last), run(memory, x, start, used_state(memory)))
    other, _ = run(memory, x, start, memory.initial_state())
    assert not np.allclose(other[0], first[0])


def test_row_by_row_gives_the_sequence(memory, rows):
    x, start = rows

    @jax.jit
    def all_steps(x, start):
        def step(state, row):
            features, state = memory.step(*row, state)
            return state, features

        return jax.lax.scan(step, used_state(memory), (x, start))

    last, features = all_steps(x, start)
    close((features, last), run(memory, x, start, used_state(memory)))


def test_absorbing_leaves_the_state_of_the_sequence(memory, rows):
    x, start = rows
    absorbed = eqx.filter_jit(type(memory).absorb)(memory, x, start, used_state(memory))
    close(absorbed, run(memory, x, start, used_state(memory))[1])


def test_gradients_flow_back_to_a_start_and_no_further(memory, rows):
    x, start = rows

    def last_row(memory, x):
        return memory.sequence(x, start, used_state(memory))[0][-1].sum()

    of_memory, of_rows = jax.jit(jax.grad(last_row, (0, 1)))(memory, x)
    assert (of_rows[:8] == 0).all() and (of_rows[8:] != 0).any(axis=1).all()
    assert all((g != 0).any() and jnp.isfinite(g).all() for g in jax.tree.leaves(of_memory))


def test_a_batch_of_episodes_is_a_vmap(memory, rows):
    x, start = rows
    both = jnp.stack([x, -x]), jnp.stack([start, ~start])
    states = jax.tree.map(lambda s: jnp.stack([s, s + 1.0]), memory.initial_state())
    features, last = jax.jit(jax.vmap(memory.sequence))(*both, states)
    for i in range(2):
        alone = run(memory, both[0][i], both[1][i], jax.tree.map(lambda s, i=i: s[i], states))
        close((features[i], jax.tree.map(lambda s, i=i: s[i], last)), alone)


def test_the_gru_is_the_one_of_equinox():
    gru = GRU(4, 3, key=jax.random.key(0))
    cell = eqx.nn.GRUCell(4, 3, key=jax.random.key(1))
    inputs, recurrent = gru.inputs, gru.recurrent
    # its r and z have one bias, its n keeps two apart
    joint = inputs.bias + jnp.where(jnp.arange(9) < 6, recurrent.bias, 0.0)
    cell = eqx.tree_at(
        lambda c: (c.weight_ih, c.weight_hh, c.bias, c.bias_n),
        cell,
        (inputs.weight.T, recurrent.weight.T, joint, recurrent.bias[6:]),
    )
    x, h0 = jax.random.normal(jax.random.key(2), (10, 4)), jnp.array([0.3, -0.2, 0.9])
    states = eqx.filter_jit(GRU.states)(gru, x, jnp.zeros(10, bool), h0)
    h = h0
    for row, state in zip(x, states, strict=True):
        h = cell(row, h)
        close(state, h)


def test_settings_without_effect_are_named():
    for name in GRUStack.unused:
        assert hasattr(SETTINGS, name)
