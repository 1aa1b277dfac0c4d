"""How much the members disagree or doubt (eq. 13 to 15)."""

from typing import Protocol, runtime_checkable

import jax.numpy as jnp
from jaxtyping import Array, Float

Outputs = Float[Array, "member batch out"]


@runtime_checkable
class Measure(Protocol):
    """The uncertainty of predictions, from the Gaussians of all members."""

    def __call__(self, mean: Outputs, std: Outputs) -> Float[Array, " batch"]: ...


def epi_mean(mean: Outputs, std: Outputs) -> Float[Array, " batch"]:
    """√ of the outputs' average of the variance of the means over members (eq. 13)."""
    return jnp.sqrt(mean.var(0).mean(-1))


def ale_max(mean: Outputs, std: Outputs) -> Float[Array, " batch"]:
    """The largest Euclidean norm of a member's standard deviations (eq. 14)."""
    return jnp.linalg.norm(std, axis=-1).max(0)


def total_var(mean: Outputs, std: Outputs) -> Float[Array, " batch"]:
    """√ of the outputs' average of the total variance of the members' mixture (eq. 15)."""
    return jnp.sqrt((mean.var(0) + jnp.square(std).mean(0)).mean(-1))


#: By `collect.unc_type`.
UNCERTAINTIES: dict[str, Measure] = {
    "epi_mean": epi_mean,
    "ale_max": ale_max,
    "total_var": total_var,
}
