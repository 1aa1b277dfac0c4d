"""What an update of the actor and the critic tells about itself."""

from typing import NamedTuple

from jaxtyping import Array, Float

from online_rl import losses
from online_rl.batch import LearnableRows


class Step(NamedTuple):
    """A network's loss, and a quantity of every transition: the critic's Q, the policy's −log π."""

    loss: losses.Weighted
    rows: losses.Row


def update_figures(
    rows: LearnableRows,
    critic: Step,
    actor: Step,
    alpha: Float[Array, ""],
    loss_alpha: Float[Array, ""] | None,
) -> dict[str, Float[Array, ""]]:
    """The figures of one update; `loss_alpha` is None where the temperature is fixed."""
    q = losses.split(critic.rows, rows.mask, rows.real)
    entropy = losses.split(actor.rows, rows.mask, rows.real)
    figures = {
        "loss_q": critic.loss.value,
        "loss_q_real": critic.loss.parts.real,
        "loss_q_imag": critic.loss.parts.imagined,
        "q_mean": losses.masked_mean(critic.rows, rows.mask),
        "real_q_mean": q.real,
        "imag_q_mean": q.imagined,
        "loss_pi": actor.loss.value,
        "loss_pi_real": actor.loss.parts.real,
        "loss_pi_imag": actor.loss.parts.imagined,
        "alpha": alpha,
        "real_pi_entropy": entropy.real,
        "imag_pi_entropy": entropy.imagined,
    }
    return figures if loss_alpha is None else figures | {"loss_alpha": loss_alpha}
