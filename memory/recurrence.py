"""The resettable linear recurrence  h_t = λ ⊙ h_{t−1} · (1 − start_t) + u_t  over complex h
(eq. 28).

One definition, four ways to run it, all on pairs of real arrays (re, im). The gradient of a linear
recurrence is the same recurrence backwards in time, so every strategy serves both directions and no
intermediate result is stored for it.
"""

import math
from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.layout import Layout, with_layout_constraint
from jaxtyping import Array, Bool

from layers.backend import on_cpu
from memory.complex_pairs import Pair, add, conjugate, mask, power, times

Strategy = Literal["auto", "sequential", "chunked", "blocks", "associative"]

#: Sequences up to this length are run row by row: two shorter scans would cost more.
SHORT = 16
#: (row, row, width), the last one next to itself in memory.
_AS_WRITTEN = Layout(major_to_minor=(0, 1, 2))


def combine(first, second):
    """Compose two steps h → a·h + u, `first` earlier in time: the associative operation
    (eq. 29).

    Each is (a, u), two `Pair`s of one shape.
    """
    (a1, u1), (a2, u2) = first, second
    return times(a1, a2), add(times(a2, u1), u2)


def pick_strategy(strategy: Strategy, length: int) -> Strategy:
    """What `auto` means for a sequence of `length` rows on the default backend."""
    if strategy != "auto":
        return strategy
    if length <= SHORT:
        return "sequential"
    return "chunked" if on_cpu() else "blocks"


def _sequential(decay, inputs, keep, initial):
    def step(h, row):
        row_keep, u = row
        h = add(mask(row_keep, times(decay, h)), u)
        return h, h

    return jax.lax.scan(step, initial, (keep, inputs))[1]


def _associative(decay, inputs, keep, initial):
    factors = jax.vmap(mask, in_axes=(0, None))(keep, decay)
    carried = times(jax.tree.map(lambda f: f[0], factors), initial)
    inputs = jax.tree.map(lambda u, c: u.at[0].add(c), inputs, carried)
    return jax.lax.associative_scan(combine, (factors, inputs))[1]


def _chunked(decay, inputs, keep, initial):
    """Scan √T chunks of √T rows side by side, then carry their ends across: 2√T steps, not T."""
    length, width = inputs[0].shape
    rows = math.ceil(math.sqrt(length))
    count = -(-length // rows)

    def chunks(x):
        x = jnp.pad(x, [(0, count * rows - length)] + [(0, 0)] * (x.ndim - 1))
        return x.reshape(count, rows, *x.shape[1:])

    keep = chunks(keep)
    zero = jax.tree.map(jnp.zeros_like, initial)
    local = jax.vmap(_sequential, in_axes=(None, 0, 0, None))(
        decay, jax.tree.map(chunks, inputs), keep, zero
    )
    powers = jax.lax.associative_scan(times, jax.tree.map(lambda d: jnp.tile(d, (rows, 1)), decay))
    unbroken = jnp.cumprod(keep, axis=1)

    def across(h, chunk):
        chunk_unbroken, end = chunk
        return add(mask(chunk_unbroken, times(jax.tree.map(lambda p: p[-1], powers), h)), end), h

    ends = jax.tree.map(lambda h: h[:, -1], local)
    _, entering = jax.lax.scan(across, initial, (unbroken[:, -1], ends))

    def finish(local, unbroken, entering):
        carried = jax.vmap(times, in_axes=(0, None))(powers, entering)
        return add(local, jax.vmap(mask)(unbroken, carried))

    full = jax.vmap(finish)(local, unbroken, entering)
    return jax.tree.map(lambda f: f.reshape(count * rows, width)[:length], full)


def _blocks(decay, inputs, keep, initial, *, conjugated=False):
    """A few large kernels instead of many small ones: what an accelerator is fastest at.

    Within blocks, and then among the blocks' ends, h_t = Σ_s λ^(t−s) u_s over the rows s ≤ t of t's
    episode, written out as a sum. T rows in blocks of R cost T·R + (T/R)² products, fewest for
    R³ = 2T.
    """
    length, width = inputs[0].shape
    rows = 1 << math.ceil(math.log2(2 * length) / 3)
    count = -(-length // rows)

    def blocks(x):
        x = jnp.pad(x, [(0, count * rows - length)] + [(0, 0)] * (x.ndim - 1))
        return x.reshape(count, rows, *x.shape[1:])

    # rows of one episode have one number, and 0 is the episode that `initial` belongs to
    episode = blocks(jnp.cumsum((keep == 0.0).astype(jnp.int32)))
    before = jnp.concatenate([jnp.zeros_like(episode[:1, 0]), episode[:-1, -1]])
    # λ^0 … λ^R, then λ^0, λ^R, λ^2R, … in one table: looked up, which is no launch as a slice is
    table = power(decay, np.concatenate([np.arange(rows + 1), rows * np.arange(count)]))
    table = conjugate(table) if conjugated else table
    u, lag, back = jax.tree.map(blocks, inputs), _lags(rows), _lags(count) - 1

    # the ends once more, on their own: cutting them out of `local` would cost as many launches
    sums = jax.vmap(_sum_of_past, (None, None, None, 0, 0, 0))
    ends = sums(table, lag[-1:], 0, u, episode, episode[:, -1:])
    ends = jax.tree.map(lambda h: h[:, 0], ends)
    entering = _sum_of_past(table, back, rows + 1, ends, episode[:, -1], before)
    from_start = jax.vmap(times, (0, None))(_entries(table, rows + 1 + np.arange(count)), initial)
    entering = add(entering, mask((before == 0).astype(u[0].dtype)[:, None], from_start))
    reached = (episode == before[:, None]).astype(u[0].dtype)[..., None]
    carried = jax.vmap(jax.vmap(times, (0, None)), (None, 0))(
        _entries(table, 1 + np.arange(rows)), entering
    )
    full = add(sums(table, lag, 0, u, episode, episode), mask(reached, carried))
    return jax.tree.map(lambda h: h.reshape(count * rows, width)[:length], full)


def _lags(rows: int) -> np.ndarray:
    """How many rows back the second index lies from the first."""
    return np.subtract.outer(np.arange(rows), np.arange(rows))


def _entries(table: Pair, place: np.ndarray) -> Pair:
    return table[0][place], table[1][place]


def _sum_of_past(table, lag, first, inputs, episode, now):
    """Σ_s p[lag[t, s]] u_s over the rows s with a lag from 0 whose `episode` is t's `now`.

    p are the entries of `table` from `first` on.
    """
    counted = (now[:, None] == episode[None]) & (lag >= 0)
    factor = _entries(table, first + np.maximum(lag, 0))
    terms = times(factor, jax.tree.map(lambda u: u[None], inputs))
    # With several seeds' recurrences in one, XLA would lay the rows s side by side to add them up,
    # and turn every factor around for it, which is launches and a quarter of a gigabyte.
    terms = jax.tree.map(lambda t: with_layout_constraint(t, _AS_WRITTEN), terms)
    return jax.tree.map(lambda t: jnp.where(counted[..., None], t, 0.0).sum(1), terms)


_RUN = {
    "sequential": _sequential,
    "chunked": _chunked,
    "blocks": _blocks,
    "associative": _associative,
}


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _recur(strategy, decay, inputs, keep, initial):
    return _RUN[strategy](decay, inputs, keep, initial)


def _recur_forward(strategy, decay, inputs, keep, initial):
    states = _RUN[strategy](decay, inputs, keep, initial)
    return states, (decay, states, keep, initial)


def _recur_backward(strategy, residuals, grad):
    # JAX's gradient of a complex quantity, kept as a pair, is carried by the conjugate factor.
    decay, states, keep, initial = residuals
    ahead = jnp.concatenate([keep[1:], jnp.zeros(1)])
    reverse = partial(jnp.flip, axis=0)
    zero = jax.tree.map(jnp.zeros_like, initial)
    problem = jax.tree.map(reverse, grad), reverse(ahead), zero
    if strategy == "blocks":
        # the powers of λ that the states took, not those of its conjugate once more
        adjoint = _blocks(decay, *problem, conjugated=True)
    else:
        adjoint = _RUN[strategy](conjugate(decay), *problem)
    adjoint = jax.tree.map(reverse, adjoint)
    previous = jax.tree.map(lambda h0, h: jnp.concatenate([h0[None], h[:-1]]), initial, states)
    grad_decay = times(jax.vmap(mask)(keep, adjoint), conjugate(previous))
    grad_initial = mask(keep[0], times(conjugate(decay), (adjoint[0][0], adjoint[1][0])))
    return (
        jax.tree.map(lambda g: g.sum(0), grad_decay),
        adjoint,
        jnp.zeros_like(keep),
        grad_initial,
    )


_recur.defvjp(_recur_forward, _recur_backward)


def recurrence(
    decay: Pair,
    inputs: Pair,
    start: Bool[Array, " time"],
    initial: Pair,
    strategy: Strategy = "auto",
) -> Pair:
    """All states h_1 … h_T of the recurrence.

    `decay` λ is a pair of (hidden,), `inputs` u a pair of (time, hidden), `initial` h_0 a pair of
    (hidden,). Where `start` is set the past, `initial` included, is forgotten. Differentiable in
    `decay`, `inputs` and `initial`. A single row costs no scan.
    """
    keep = 1.0 - start.astype(inputs[0].dtype)
    if start.shape[0] == 1:
        h = add(mask(keep[0], times(decay, initial)), jax.tree.map(lambda u: u[0], inputs))
        return jax.tree.map(lambda h: h[None], h)
    return _recur(pick_strategy(strategy, start.shape[0]), decay, inputs, keep, initial)
