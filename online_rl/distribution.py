"""The tanh-Gaussian policy distribution (eq. 36)."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

LOG_STD_MIN, LOG_STD_MAX = -5.0, 2.0
_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
# nearer to ±1 the inverse of tanh has no finite float32 value
_LARGEST_ACTION = 1.0 - 1e-6


class TanhGaussian(eqx.Module):
    """tanh(loc + exp(log_std)·noise), independent per dimension; any shape."""

    loc: Float[Array, "..."]
    log_std: Float[Array, "..."]

    @classmethod
    def from_head(cls, output: Float[Array, "*batch loc_log_std"]) -> "TanhGaussian":
        loc, log_std = jnp.split(output, 2, axis=-1)
        return cls(loc, jnp.clip(log_std, LOG_STD_MIN, LOG_STD_MAX))

    def mode(self) -> Float[Array, "..."]:
        """The deterministic action."""
        return jnp.tanh(self.loc)

    def sample(self, key: PRNGKeyArray) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """A reparametrised action and its log-probability per dimension."""
        noise = jax.random.normal(key, self.loc.shape)
        before_tanh = self.loc + jnp.exp(self.log_std) * noise
        return jnp.tanh(before_tanh), self._log_prob(before_tanh, noise)

    def log_prob(self, action: Float[Array, "..."]) -> Float[Array, "..."]:
        """Log-probability per dimension of an action in (−1, 1)."""
        before_tanh = jnp.arctanh(jnp.clip(action, -_LARGEST_ACTION, _LARGEST_ACTION))
        noise = (before_tanh - self.loc) * jnp.exp(-self.log_std)
        return self._log_prob(before_tanh, noise)

    def _log_prob(self, before_tanh, noise):
        # log(1 − tanh²x) in the form that stays finite for large |x|
        correction = 2.0 * (math.log(2.0) - before_tanh - jax.nn.softplus(-2.0 * before_tanh))
        return -0.5 * jnp.square(noise) - self.log_std - _HALF_LOG_2PI - correction
