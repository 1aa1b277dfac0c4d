"""The linear recurrent unit (Orvieto et al. 2023) as the agent's memory (eq. 28, 30 to 32)."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from layers import LayerNorm, Linear
from memory.abstract import AbstractMemory, MemorySettings, through_blocks
from memory.recurrence import Strategy, recurrence

#: One memory state: per layer the real and imaginary part of h.
State = Float[Array, "layer 2 hidden"]


class LRU(eqx.Module):
    """h_t = λ ⊙ h_{t−1}(1 − start_t) + e^γ ⊙ (B x_t),  y_t = Re(C h_t) + D ⊙ x_t,
    with λ = exp(−exp(ν) + i exp(θ)).

    B and C are complex and applied as one real matrix product each: `b` holds the real and the
    imaginary part of B, `c` the real and minus the imaginary part of C.
    """

    nu_log: Float[Array, " hidden"]
    theta_log: Float[Array, " hidden"]
    gamma_log: Float[Array, " hidden"]
    b: Float[Array, "2 hidden model"]
    c: Float[Array, "model 2 hidden"]
    d: Float[Array, " model"]
    strategy: Strategy = eqx.field(static=True)

    def __init__(
        self,
        d_model: int,
        d_hidden: int,
        r_min: float,
        r_max: float,
        *,
        strategy: Strategy = "auto",
        key: PRNGKeyArray,
    ):
        keys = jax.random.split(key, 7)
        radius, phase = jax.random.uniform(keys[0], (2, d_hidden))
        self.nu_log = jnp.log(-0.5 * jnp.log(radius * (r_max**2 - r_min**2) + r_min**2))
        self.theta_log = jnp.log(6.28 * phase)
        self.gamma_log = 0.5 * jnp.log(1.0 - jnp.exp(-2.0 * jnp.exp(self.nu_log)))
        b = [jax.random.normal(k, (d_hidden, d_model)) for k in keys[1:3]]
        c_real, c_imag = (jax.random.normal(k, (d_model, d_hidden)) for k in keys[3:5])
        self.b = jnp.stack(b) / (2.0 * d_model) ** 0.5
        self.c = jnp.stack([c_real, -c_imag], axis=1) / d_hidden**0.5
        self.d = jax.random.normal(keys[5], (d_model,))
        self.strategy = strategy

    def states(
        self,
        x: Float[Array, "time model"],
        start: Bool[Array, " time"],
        h0: Float[Array, "2 hidden"],
    ) -> Float[Array, "time re_im"]:
        """All hidden states, real parts before imaginary parts."""
        modulus = jnp.exp(-jnp.exp(self.nu_log))
        angle = jnp.exp(self.theta_log)
        decay = modulus * jnp.cos(angle), modulus * jnp.sin(angle)
        b = jnp.exp(self.gamma_log)[None, :, None] * self.b
        real, imaginary = jnp.split(x @ b.reshape(-1, b.shape[-1]).T, 2, axis=1)
        h = recurrence(decay, (real, imaginary), start, (h0[0], h0[1]), self.strategy)
        return jnp.concatenate(h, axis=1)

    def output(
        self, h: Float[Array, "time re_im"], x: Float[Array, "time model"]
    ) -> Float[Array, "time model"]:
        return h @ self.c.reshape(self.c.shape[0], -1).T + self.d[None] * x


class LRUBlock(eqx.Module):
    """x + GLU(gelu(LRU(LayerNorm(x)))) with GLU(v) = W₁v ⊙ sigmoid(W₂v)."""

    norm: LayerNorm
    lru: LRU
    gate: Linear

    def __init__(self, d_model: int, *lru_sizes, strategy: Strategy, key: PRNGKeyArray):
        lru_key, gate_key = jax.random.split(key)
        self.norm = LayerNorm(d_model)
        self.lru = LRU(d_model, *lru_sizes, strategy=strategy, key=lru_key)
        # W₁ and W₂ side by side: one matrix product
        self.gate = Linear(d_model, 2 * d_model, key=gate_key)

    def __call__(self, x, start, h0):
        """(time, model) → (time, model) and the last state (2, hidden)."""
        normed = jax.vmap(self.norm)(x)
        h = self.lru.states(normed, start, h0)
        last = h[-1].reshape(2, -1)
        value, gate = jnp.split(
            jax.vmap(self.gate)(jax.nn.gelu(self.lru.output(h, normed))), 2, axis=1
        )
        return x + value * jax.nn.sigmoid(gate), last


class LRUStack(AbstractMemory):
    """`n_layers` LRU blocks, one after the other."""

    blocks: tuple[LRUBlock, ...]
    d_hidden: int = eqx.field(static=True)

    def __init__(self, settings: MemorySettings, *, key: PRNGKeyArray):
        s = settings
        self.d_hidden = s.d_hidden
        self.blocks = tuple(
            LRUBlock(s.d_model, s.d_hidden, s.r_min, s.r_max, strategy=s.strategy, key=k)
            for k in jax.random.split(key, s.n_layers)
        )

    def initial_state(self) -> State:
        return jnp.zeros((len(self.blocks), 2, self.d_hidden))

    def sequence(self, x, start, state):
        return through_blocks(self.blocks, x, start, state)
