"""Golden parity of the LRU stack, and the algebra that its execution strategies rely on."""

from typing import get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memory import LRUStack, MemorySettings
from memory.complex_pairs import times
from memory.recurrence import Strategy, combine, recurrence
from tests import golden_map

STRATEGIES = [strategy for strategy in get_args(Strategy) if strategy != "auto"]


@eqx.filter_jit
def make_stack(d_model, d_hidden, layers, r_min=0.0, r_max=0.9, *, strategy="auto", key):
    """Compiled: drawing weights one operation after another takes seconds."""
    return LRUStack(MemorySettings(d_model, d_hidden, layers, r_min, r_max, strategy), key=key)


#: (stack, x, start, state) → all rows and the last state; compiled once for each shape
run_stack = eqx.filter_jit(LRUStack.sequence)


def golden_stack(strategy):
    arrays = golden_map.load("lru")
    p = golden_map.Params(arrays)
    key = jax.eval_shape(lambda: jax.random.key(0))
    blank = eqx.filter_eval_shape(LRUStack, golden_map.memory_settings(p, strategy), key=key)
    return golden_map.stack(blank, p), arrays


def complex_state(state):
    """Published (layer, 1, hidden) complex → ours (layer, 2, hidden)."""
    return jnp.concatenate([state.real, state.imag], axis=1)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_matches_the_published_outputs_states_and_gradients(strategy):
    stack, g = golden_stack(strategy)

    @eqx.filter_jit
    def run(stack, start, state):
        return stack.sequence(g["x"], start, state)

    y, state = run(stack, g["start"], stack.initial_state())
    np.testing.assert_allclose(y, g["y"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(state, complex_state(g["state"]), rtol=1e-4, atol=1e-5)
    y, state = run(stack, g["start_mid"], complex_state(g["state0"]))
    np.testing.assert_allclose(y, g["y_mid"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(state, complex_state(g["state_mid"]), rtol=1e-4, atol=1e-5)

    def loss(stack):
        return jnp.square(stack.sequence(g["x"], g["start"], stack.initial_state())[0]).mean()

    value, grads = eqx.filter_jit(eqx.filter_value_and_grad(loss))(stack)
    np.testing.assert_allclose(value, g["loss"], rtol=1e-4)
    expected = golden_map.stack(stack, golden_map.Params(g, "grad:"))
    for ours, theirs in zip(jax.tree.leaves(grads), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)


def random_problem(key, length, hidden=5, start_rate=0.05):
    keys = jax.random.split(key, 7)
    radius = jax.random.uniform(keys[0], (hidden,), minval=0.3, maxval=0.999)
    angle = 6.28 * jax.random.uniform(keys[1], (hidden,))
    decay = radius * jnp.cos(angle), radius * jnp.sin(angle)
    inputs = tuple(jax.random.normal(k, (length, hidden)) for k in keys[2:4])
    initial = tuple(jax.random.normal(k, (hidden,)) for k in keys[4:6])
    return decay, inputs, jax.random.bernoulli(keys[6], start_rate, (length,)), initial


def by_definition(decay, inputs, start, initial):
    """The recurrence in complex128, one row after another."""
    decay, initial = (np.asarray(p[0]) + 1j * np.asarray(p[1]) for p in (decay, initial))
    u = np.asarray(inputs[0], np.float64) + 1j * np.asarray(inputs[1])
    h, out = initial, []
    for row, s in zip(u, np.asarray(start), strict=True):
        h = decay * h * (not s) + row
        out.append(h)
    return np.stack(out)


@pytest.mark.parametrize("length", [1, 2, 63, 64, 65, 200])
@pytest.mark.parametrize("strategy", [*STRATEGIES, "auto"])
def test_every_strategy_computes_the_definition(strategy, length, getkey):
    problem = random_problem(getkey(), length)
    re, im = jax.jit(lambda *p: recurrence(*p, strategy))(*problem)
    expected = by_definition(*problem)
    np.testing.assert_allclose(re, expected.real, atol=2e-5)
    np.testing.assert_allclose(im, expected.imag, atol=2e-5)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_hand_written_gradient_is_the_automatic_one(strategy, getkey):
    decay, inputs, start, initial = random_problem(getkey(), 70)
    weights = tuple(jax.random.normal(getkey(), u.shape) for u in inputs)

    def automatic(decay, inputs, initial):
        def step(h, row):
            u, s = row
            h = jax.tree.map(lambda a, b: a * (1.0 - s) + b, times(decay, h), u)
            return h, h

        states = jax.lax.scan(step, initial, (inputs, start.astype(jnp.float32)))[1]
        return sum(jnp.vdot(w, s) for w, s in zip(weights, states, strict=True))

    def ours(decay, inputs, initial):
        states = recurrence(decay, inputs, start, initial, strategy)
        return sum(jnp.vdot(w, s) for w, s in zip(weights, states, strict=True))

    grads = [jax.jit(jax.grad(f, (0, 1, 2)))(decay, inputs, initial) for f in (automatic, ours)]
    for a, b in zip(*map(jax.tree.leaves, grads), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-3, atol=1e-4)


def test_combining_steps_is_associative(getkey):
    a, b, c = (
        tuple(tuple(jax.random.normal(getkey(), (4,)) for _ in range(2)) for _ in range(2))
        for _ in range(3)
    )
    left, right = combine(combine(a, b), c), combine(a, combine(b, c))
    for x, y in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_tape_with_starts_equals_separate_sequences(strategy, getkey):
    stack = make_stack(6, 5, 2, strategy=strategy, key=getkey())
    lengths = [3, 70, 1, 10]
    pieces = [jax.random.normal(getkey(), (n, 6)) for n in lengths]
    start = jnp.concatenate([jnp.arange(n) == 0 for n in lengths])
    together, _ = run_stack(stack, jnp.concatenate(pieces), start, stack.initial_state())
    apart = [run_stack(stack, p, jnp.zeros(len(p), bool), stack.initial_state())[0] for p in pieces]
    np.testing.assert_allclose(together, jnp.concatenate(apart), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_nothing_leaks_across_a_start(strategy, getkey):
    stack = make_stack(6, 5, 2, strategy=strategy, key=getkey())
    x = jax.random.normal(getkey(), (80, 6))
    start = jnp.zeros(80, bool).at[40].set(True)

    def after(x):
        return stack.sequence(x, start, stack.initial_state() + 1.0)[0][40:].sum()

    grad = jax.jit(jax.grad(after))(x)
    assert (grad[:40] == 0).all() and (grad[40:] != 0).any(axis=1).all()


def test_one_row_at_a_time_gives_all_rows_and_the_last_state(getkey):
    stack = make_stack(6, 5, 3, key=getkey())
    x = jax.random.normal(getkey(), (100, 6))
    start = jax.random.bernoulli(getkey(), 0.1, (100,))
    y, last = run_stack(stack, x, start, stack.initial_state())
    step = jax.jit(lambda x, s, h: stack.sequence(x[None], s[None], h))
    h = stack.initial_state()
    for i in range(100):
        row, h = step(x[i], start[i], h)
        np.testing.assert_allclose(row[0], y[i], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(h, last, rtol=1e-3, atol=1e-4)


def test_learns_to_recall_the_first_input(getkey):
    import optax

    stack = make_stack(8, 16, 1, 0.9, 0.999, key=getkey())
    optimiser = optax.adam(1e-2)
    bits = jax.random.bernoulli(getkey(), 0.5, (64, 20)).astype(jnp.float32)
    x = jnp.zeros((64, 20, 8)).at[..., 0].set(bits)
    start = jnp.zeros(20, bool)

    def loss(stack):
        y = jax.vmap(lambda x: stack.sequence(x, start, stack.initial_state())[0])(x)
        return jnp.square(y[:, -1, 1] - bits[:, 0]).mean()

    @eqx.filter_jit
    def train(stack):
        def step(_, carry):
            stack, state = carry
            updates, state = optimiser.update(eqx.filter_grad(loss)(stack), state)
            return eqx.apply_updates(stack, updates), state

        return jax.lax.fori_loop(0, 200, step, (stack, optimiser.init(stack)))[0]

    with jax.numpy_dtype_promotion("standard"):  # optax counts steps in integers
        stack, untrained = train(stack), stack
    assert loss(stack) < 0.03 < 0.2 < loss(untrained)
