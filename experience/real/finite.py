"""What an environment returns must be numbers."""

import numpy as np
from jaxtyping import Float

from harness.errors import UserError

_LARGEST = float(np.finfo(np.float32).max)


def require_finite(
    name: str,
    step: int,
    observation: Float[np.ndarray, "copy state"],
    reward: Float[np.ndarray, " copy"],
) -> None:
    """Raise UserError that names the environment and the step if it returned NaN, inf or what is
    inf in float32, which an agent observes in.

    Step 0 is the reset. Averaged into a score, one such return would hide all the others.
    """
    bad_state = np.asarray(~(np.abs(observation) <= _LARGEST).all(axis=1))
    bad_reward = ~(np.abs(reward) <= _LARGEST)
    if not (bad_state.any() or bad_reward.any()):
        return
    copy = int(np.argmax(bad_state | bad_reward))
    if bad_state[copy]:
        index = int(np.argmax(~(np.abs(observation[copy]) <= _LARGEST)))
        value = observation[copy, index]
        what = f"an observation with {value} in dimension {index}"
    else:
        value = reward[copy]
        what = f"the reward {value}"
    if np.isfinite(value):
        what += f", which is beyond float32 ({_LARGEST:.2g}),"
    when = "its reset" if step == 0 else f"step {step}"
    raise UserError(
        f"{name} returned {what} at {when}: correct the environment (the agent's actions were"
        " finite); no score is made of such an episode"
    )
