"""What the caller and an environment worker say to each other: one byte, then arrays."""

import numpy as np

from experience.real.vector import VectorStep

RESET = b"R"  # followed by int64 seeds; answered by float32 states
STEP = b"S"  # followed by float32 actions; answered by a VectorStep
GOALS = b"G"  # answered by float32 goals, or nothing for a task without

ANSWER = b"A"  # followed by what the request asked for
MISTAKE = b"M"  # followed by the sentence of a UserError


def step_to_bytes(step: VectorStep) -> bytes:
    """`step_from_bytes` reverses this."""
    return b"".join(part.tobytes() for part in step)


def step_from_bytes(message: bytes, state_dim: int) -> VectorStep:
    """The `VectorStep` of as many copies as the message has bytes for."""
    bytes_per_copy = 2 * state_dim * 4 + 8 + 2
    copies = len(message) // bytes_per_copy
    states = np.frombuffer(message, np.float32, 2 * copies * state_dim)
    observation, reached = states.reshape(2, copies, state_dim)
    reward = np.frombuffer(message, np.float64, copies, offset=states.nbytes)
    ends = np.frombuffer(message, bool, 2 * copies, offset=states.nbytes + reward.nbytes)
    done, timeout = ends.reshape(2, copies)
    return VectorStep(
        observation=observation, reached=reached, reward=reward, done=done, timeout=timeout
    )
