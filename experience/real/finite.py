"""What an environment returns must be numbers."""

import numpy as np
from jaxtyping import Float

from harness.errors import UserError


def require_finite(
    name: str,
    step: int,
    observation: Float[np.ndarray, "copy state"],
    reward: Float[np.ndarray, " copy"],
) -> None:
    """Raise UserError that names the environment and the step if it returned NaN or inf.

    Step 0 is the reset. Averaged into a score, one such return would hide all the others.
    """
    bad_state = np.asarray(~np.isfinite(observation).all(axis=1))
    bad_reward = ~np.isfinite(reward)
    if not (bad_state.any() or bad_reward.any()):
        return
    copy = int(np.argmax(bad_state | bad_reward))
    if bad_state[copy]:
        index = int(np.argmax(~np.isfinite(observation[copy])))
        what = f"an observation with {observation[copy, index]} in dimension {index}"
    else:
        what = f"the reward {reward[copy]}"
    when = "its reset" if step == 0 else f"step {step}"
    raise UserError(
        f"{name} returned {what} at {when}: correct the environment (the agent's actions were"
        " finite); no score is made of such an episode"
    )
