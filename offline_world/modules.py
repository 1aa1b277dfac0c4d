"""The world-model ensemble: Gaussian members with LayerNorm (eq. 7 to 9)."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from layers import Block, Linear
from layers.backend import on_cpu

LOG_STD_MIN, LOG_STD_MAX = -5.0, 0.25
#: Blocks of a member.
CONTINUOUS_DEPTH, BANDIT_DEPTH = 4, 2


def soft_clamp(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Squeeze a log std into (LOG_STD_MIN, LOG_STD_MAX) with non-zero gradient (eq. 8)."""
    x = LOG_STD_MAX - jax.nn.softplus(LOG_STD_MAX - x)
    return LOG_STD_MIN + jax.nn.softplus(x - LOG_STD_MIN)


class Member(eqx.Module):
    """One Gaussian model: (in,) → mean and log std, each (out,); batch axes may follow.

    The first `residual` outputs of the mean are the head's output added to the inputs of the same
    index: the model predicts the change of the state, in normalised space.
    """

    blocks: tuple[Block, ...]
    mean_head: Linear
    log_std_head: Linear
    residual: int = eqx.field(static=True)

    def __init__(
        self,
        in_size: int,
        out_size: int,
        hidden_size: int,
        depth: int,
        *,
        residual: int,
        has_ln: bool,
        key: PRNGKeyArray,
    ):
        *block_keys, mean_key, std_key = jax.random.split(key, depth + 2)
        widths = [in_size] + [hidden_size] * depth
        self.blocks = tuple(
            Block(a, b, has_ln=has_ln, key=k)
            for a, b, k in zip(widths[:-1], widths[1:], block_keys, strict=True)
        )
        self.mean_head = Linear(hidden_size, out_size, key=mean_key)
        self.log_std_head = Linear(hidden_size, out_size, key=std_key)
        self.residual = residual

    def __call__(
        self, x: Float[Array, "in *batch"]
    ) -> tuple[Float[Array, "out *batch"], Float[Array, "out *batch"]]:
        h = x
        for block in self.blocks:
            h = block(h)
        # both heads in one product
        first, second = self.mean_head, self.log_std_head
        size = first.bias.size
        # a sum, because to join them would be a kernel of its own
        bias = jnp.pad(first.bias, (0, size)) + jnp.pad(second.bias, (size, 0))
        weight = jnp.concatenate([first.weight, second.weight], axis=1)
        joined = eqx.tree_at(lambda head: (head.weight, head.bias), first, (weight, bias))
        mean, log_std = jnp.split(joined(h), 2)
        if self.residual:
            # zeros are added to the rest: to join two parts would be a kernel of its own
            zeros = [(0, mean.shape[0] - self.residual), *[(0, 0)] * (mean.ndim - 1)]
            mean = mean + jnp.pad(x[: self.residual], zeros)
        return mean, soft_clamp(log_std)


class Ensemble(eqx.Module):
    """`size` members with stacked parameters (member axis first).

    On a processor features lead the batch inside: both factors of every product then share their
    leading, contracted axis, the form XLA's CPU library multiplies fastest. Elsewhere rows lead,
    over whose features one kernel normalises, but in training: there features lead too, so that
    a layer's three sums over rows take one kernel (`layers/norm.py`), which holds no more than two
    where rows lead.
    """

    members: Member

    def __init__(
        self,
        size: int,
        in_size: int,
        out_size: int,
        hidden_size: int,
        *,
        depth: int = CONTINUOUS_DEPTH,
        residual: int,
        has_ln: bool = True,
        key: PRNGKeyArray,
    ):
        """Members differ by their key. `residual` is the state size (0: no residual)."""

        def member(key):
            return Member(
                in_size=in_size,
                out_size=out_size,
                hidden_size=hidden_size,
                depth=depth,
                residual=residual,
                has_ln=has_ln,
                key=key,
            )

        self.members = eqx.filter_vmap(member)(jax.random.split(key, size))

    def log_gaussian(
        self, inputs: Float[Array, "*member batch in"], *, training: bool = False
    ) -> tuple[Float[Array, "member batch out"], Float[Array, "member batch out"]]:
        """Mean and log std, for inputs (batch, in) shared by all members or (member, batch, in).

        `training` takes the form whose gradient is the cheaper one.
        """
        per_member = 0 if inputs.ndim == 3 else None
        if training or on_cpu():
            outputs = eqx.filter_vmap(Member.__call__, in_axes=(eqx.if_array(0), per_member))(
                self.members, inputs.swapaxes(-1, -2)
            )
            return jax.tree.map(lambda x: x.swapaxes(-1, -2), outputs)
        by_rows = jax.vmap(Member.__call__, in_axes=(None, 0))
        return eqx.filter_vmap(by_rows, in_axes=(eqx.if_array(0), per_member))(self.members, inputs)

    def __call__(
        self, inputs: Float[Array, "*member batch in"]
    ) -> tuple[Float[Array, "member batch out"], Float[Array, "member batch out"]]:
        """Mean and standard deviation, in normalised space."""
        mean, log_std = self.log_gaussian(inputs)
        return mean, jnp.exp(log_std)

    @property
    def size(self) -> int:
        return self.members.mean_head.bias.shape[0]

    @property
    def in_size(self) -> int:
        return self.members.blocks[0].linear.weight.shape[-2]

    @property
    def hidden_size(self) -> int:
        return self.members.mean_head.weight.shape[-2]

    @property
    def has_ln(self) -> bool:
        return self.members.blocks[0].norm is not None

    def subset(self, index: Int[Array, " kept"]) -> "Ensemble":
        """The members at `index`, in that order."""
        return jax.tree.map(lambda leaf: leaf[index], self)


def nll(
    mean: Float[Array, "member batch out"],
    log_std: Float[Array, "member batch out"],
    target: Float[Array, "*member batch out"],
) -> Float[Array, "member batch"]:
    """Gaussian negative log-likelihood with its constant, averaged over outputs (eq. 9)."""
    error = jax.vmap(jnp.subtract, (0, 0 if target.ndim == 3 else None))(mean, target)
    return (
        0.5 * jnp.square(error * jnp.exp(-log_std)) + log_std + 0.5 * math.log(2 * math.pi)
    ).mean(-1)


def squared_error(
    mean: Float[Array, "member batch out"], target: Float[Array, "batch out"]
) -> Float[Array, "member batch"]:
    """Squared error of the mean, averaged over outputs."""
    return jnp.square(jax.vmap(jnp.subtract, (0, None))(mean, target)).mean(-1)
