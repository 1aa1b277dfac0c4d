"""Gated recurrent units (Cho et al. 2014) as the agent's memory, beside the LRU (eq. 33)."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from layers import LayerNorm, Linear
from memory.abstract import AbstractMemory, MemorySettings, through_blocks

#: One memory state: h of each layer.
State = Float[Array, "layer hidden"]


class GRU(eqx.Module):
    """r, z = sigmoid(W x_t + U h), n = tanh(W_n x_t + r ⊙ U_n h), h_t = (1 − z) ⊙ n + z ⊙ h
    with h = h_{t−1}(1 − start_t).

    Each of W and U is one affine map to r, z and n, in this order.
    """

    inputs: Linear
    recurrent: Linear

    def __init__(self, d_model: int, d_hidden: int, *, key: PRNGKeyArray):
        inputs_key, recurrent_key = jax.random.split(key)
        self.inputs = Linear(d_model, 3 * d_hidden, key=inputs_key)
        self.recurrent = Linear(d_hidden, 3 * d_hidden, key=recurrent_key)

    def states(
        self,
        x: Float[Array, "time model"],
        start: Bool[Array, " time"],
        h0: Float[Array, " hidden"],
    ) -> Float[Array, "time hidden"]:
        """All hidden states. Nothing but U h waits for the row before."""

        def step(h, row):
            u, start = row
            h = jnp.where(start, 0.0, h)
            reset, update, new = jnp.split(u, 3)
            from_reset, from_update, from_new = jnp.split(self.recurrent(h), 3)
            reset = jax.nn.sigmoid(reset + from_reset)
            update = jax.nn.sigmoid(update + from_update)
            new = jnp.tanh(new + reset * from_new)
            h = (1.0 - update) * new + update * h
            return h, h

        return jax.lax.scan(step, h0, (jax.vmap(self.inputs)(x), start))[1]


class GRUBlock(eqx.Module):
    """x + W GRU(LayerNorm(x))."""

    norm: LayerNorm
    gru: GRU
    out: Linear

    def __init__(self, d_model: int, d_hidden: int, *, key: PRNGKeyArray):
        gru_key, out_key = jax.random.split(key)
        self.norm = LayerNorm(d_model)
        self.gru = GRU(d_model, d_hidden, key=gru_key)
        self.out = Linear(d_hidden, d_model, key=out_key)

    def __call__(self, x, start, h0):
        """(time, model) → (time, model) and the last state (hidden,)."""
        h = self.gru.states(jax.vmap(self.norm)(x), start, h0)
        return x + jax.vmap(self.out)(h), h[-1]


class GRUStack(AbstractMemory):
    """`n_layers` GRU blocks, one after the other."""

    unused: ClassVar[tuple[str, ...]] = ("r_min", "r_max", "strategy")

    blocks: tuple[GRUBlock, ...]
    d_hidden: int = eqx.field(static=True)

    def __init__(self, settings: MemorySettings, *, key: PRNGKeyArray):
        self.d_hidden = settings.d_hidden
        self.blocks = tuple(
            GRUBlock(settings.d_model, settings.d_hidden, key=k)
            for k in jax.random.split(key, settings.n_layers)
        )

    def initial_state(self) -> State:
        return jnp.zeros((len(self.blocks), self.d_hidden))

    def sequence(self, x, start, state):
        return through_blocks(self.blocks, x, start, state)
