"""The dataset's histories where imagined rollouts branch off, on the device."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PRNGKeyArray

from experience.tape import Tape


class HistoryStore(eqx.Module):
    """All histories of a dataset as one tape, with each row's timestep and the rows of s_0."""

    tape: Tape
    timestep: Int[Array, " row"]
    first_rows: Int[Array, " episode"]

    @classmethod
    def from_tape(cls, tape: Tape) -> "HistoryStore":
        start = np.asarray(tape.start)
        first_rows = np.flatnonzero(start).astype(np.int32)
        timestep = np.arange(len(start), dtype=np.int32) - first_rows[np.cumsum(start) - 1]
        return cls(tape, jnp.asarray(timestep), jnp.asarray(first_rows))

    def draw(self, key: PRNGKeyArray, count: int, *, from_s0: bool) -> Int[Array, " rollout"]:
        """Rows to start rollouts at: uniform over all rows, or over the episodes' first
        ones (eq. 18)."""
        if from_s0:
            episode = jax.random.randint(key, (count,), 0, self.first_rows.shape[0])
            return self.first_rows[episode]
        return jax.random.randint(key, (count,), 0, self.timestep.shape[0])

    def end_shares(self) -> tuple[float, float]:
        """The share of terminal transitions: among all, and among the real ones before rollouts.

        A rollout that branches off at timestep t has t real transitions before it (eq. 18), and the
        end of the history among them only where it branches off at the final state.
        """
        rows = self.tape.learnable()
        ends = float((rows.next_terminated & rows.mask).sum())
        before = np.asarray(self.timestep, np.int64).sum()
        return ends / float(rows.mask.sum()), ends / float(before)
