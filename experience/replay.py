"""Replay on a circular tape: whole episodes, no padding, compiled sampling (eq. 25 to 27)."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, UInt8

from experience.tape import Learnable, Tape, Transitions

#: An episode is at least one transition: two rows.
SHORTEST_EPISODE = 2
_FLAGS = ("start", "next_terminated", "next_truncated", "real")


class TapeReplay(eqx.Module):
    """Episodes as contiguous runs of rows on a ring; the oldest ones make room for new ones.

    Every method is pure and may be compiled; donate the replay to `add`. Where its arrays live
    (accelerator or host) is decided by whoever makes it.
    """

    #: The arrays of the two rings, each of which is written from its beginning, row after row.
    ROWS: ClassVar = ("state", "action", "next_reward", "next_penalty", "flags")
    STARTS: ClassVar = ("starts",)

    # rows
    state: Float[Array, "capacity state"]
    action: Float[Array, "capacity action"]
    next_reward: Float[Array, " capacity"]
    next_penalty: Float[Array, " capacity"]
    flags: UInt8[Array, " capacity"]
    # a second ring: the row in which each episode starts, oldest at `oldest`
    starts: Int[Array, " most_episodes"]
    oldest: Int[Array, ""]
    episodes: Int[Array, ""]
    # rows in use, and where the next one goes
    size: Int[Array, ""]
    write: Int[Array, ""]

    @classmethod
    def empty(
        cls,
        capacity: int,
        state_dim: int,
        action_dim: int,
        *,
        episodes_at_once: int,
        dtype: str = "float32",
    ) -> "TapeReplay":
        """A replay of `capacity` rows, to which at most `episodes_at_once` are added in a call.

        `dtype` is that of the states and actions kept; rewards and all that is drawn are float32.
        """
        zero = jnp.zeros((), jnp.int32)
        return cls(
            state=jnp.zeros((capacity, state_dim), dtype),
            action=jnp.zeros((capacity, action_dim), dtype),
            next_reward=jnp.zeros(capacity),
            next_penalty=jnp.zeros(capacity),
            flags=jnp.zeros(capacity, jnp.uint8),
            starts=jnp.zeros(capacity // SHORTEST_EPISODE + episodes_at_once, jnp.int32),
            oldest=zero,
            episodes=zero,
            size=zero,
            write=zero,
        )

    @property
    def capacity(self) -> int:
        return self.flags.shape[0]

    def add(self, tape: Tape, lengths: Int[Array, " episode"]) -> "TapeReplay":
        """Append episodes in order, each evicting whole oldest ones until it fits.

        `tape` holds the episodes end to end, `lengths` their rows; rows of `tape` past their sum
        are ignored. No episode may be longer than the capacity.
        """
        total = lengths.sum()
        row = jnp.arange(tape.start.shape[0])
        # more than the tape holds may come at once: then the first ones are evicted unwritten
        wanted = (row < total) & (row >= total - self.capacity)
        # past the end and all different: dropped, and still unique
        place = jnp.where(wanted, (self.write + row) % self.capacity, self.capacity + row)

        def written(ring, rows):
            rows = rows.astype(ring.dtype)
            return ring.at[place].set(rows, mode="drop", unique_indices=True)

        count = lengths.shape[0]
        slot = (self.oldest + self.episodes + jnp.arange(count)) % self.starts.shape[0]
        start = (self.write + jnp.cumsum(lengths) - lengths) % self.capacity
        added = TapeReplay(
            state=written(self.state, tape.state),
            action=written(self.action, tape.action),
            next_reward=written(self.next_reward, tape.next_reward),
            next_penalty=written(self.next_penalty, tape.next_penalty),
            flags=written(self.flags, pack_flags(tape)),
            starts=self.starts.at[slot].set(start),
            oldest=self.oldest,
            episodes=self.episodes + count,
            size=self.size + total,
            write=(self.write + total) % self.capacity,
        )
        return added._evicted()

    def _evicted(self) -> "TapeReplay":
        """Without the oldest episodes that no longer fit."""

        def evict(books):
            oldest, episodes, size = books
            length = self._length(self.starts[oldest], self._start_after(oldest, episodes == 1))
            return (oldest + 1) % self.starts.shape[0], episodes - 1, size - length

        books = jax.lax.while_loop(
            lambda books: books[2] > self.capacity,
            evict,
            (self.oldest, self.episodes, self.size),
        )
        return eqx.tree_at(lambda r: (r.oldest, r.episodes, r.size), self, books)

    def _start_after(self, slot, is_newest):
        following = self.starts[(slot + 1) % self.starts.shape[0]]
        return jnp.where(is_newest, self.write, following)

    def _length(self, start, start_after):
        """Rows between two starts on the ring; an episode that fills it has both the same."""
        return (start_after - start - 1) % self.capacity + 1

    def rows(self, place: Int[Array, " row"]) -> Tape:
        """The rows at these places of the ring."""
        flags = self.flags[place]
        bits = {
            name: ((flags >> jnp.uint8(i)) & jnp.uint8(1)).astype(bool)
            for i, name in enumerate(_FLAGS)
        }
        return Tape(
            state=self._states(place),
            action=self.action[place].astype(self.next_reward.dtype),
            next_reward=self.next_reward[place],
            next_penalty=self.next_penalty[place],
            **bits,
        )

    def _states(self, place):
        return self.state[place].astype(self.next_reward.dtype)

    def sample_tape(self, key: PRNGKeyArray, length: int) -> Tape:
        """`length` rows: episodes drawn uniformly with replacement, laid end to end, then cut."""
        draws = -(-length // SHORTEST_EPISODE)
        episode = jax.random.randint(key, (draws,), 0, self.episodes)
        slot = (self.oldest + episode) % self.starts.shape[0]
        start = self.starts[slot]
        rows = self._length(start, self._start_after(slot, episode == self.episodes - 1))
        # cut here already, or the sum of a thousand long episodes could overflow
        rows = jnp.minimum(rows, length)
        end = jnp.cumsum(rows)
        row = jnp.arange(length)
        # unrolled: as a loop it would be five launches a turn on a graphics card
        draw = jnp.searchsorted(end, row, side="right", method="scan_unrolled")
        within = row - (end - rows)[draw]
        return self.rows((start[draw] + within) % self.capacity)

    def sample_transitions(self, key: PRNGKeyArray, count: int) -> Transitions:
        """`count` transitions drawn uniformly with replacement from all of them."""
        transition = jax.random.randint(key, (count,), 0, self.size - self.episodes)

        def before(episode):
            """Transitions of all older episodes: each has one row more than transitions."""
            start = self.starts[(self.oldest + episode) % self.starts.shape[0]]
            return (start - self.starts[self.oldest]) % self.capacity - episode

        def halve(_, bounds):
            low, high = bounds
            middle = (low + high + 1) // 2
            inside = before(middle) <= transition
            return jnp.where(inside, middle, low), jnp.where(inside, high, middle - 1)

        low = jnp.zeros(count, jnp.int32)
        high = jnp.full(count, 1, jnp.int32) * (self.episodes - 1)
        halvings = self.starts.shape[0].bit_length()
        episode, _ = jax.lax.fori_loop(0, halvings, halve, (low, high))
        place = (self.starts[self.oldest] + transition + episode) % self.capacity
        left = self.rows(place)
        reached = self._states((place + 1) % self.capacity)
        rows = Learnable(
            action=left.action,
            next_reward=left.learned_reward,
            next_terminated=left.next_terminated,
            real=left.real,
            mask=jnp.ones(count, bool),
        )
        return Transitions(jnp.concatenate([left.state, reached]), rows)


def pack_flags(tape: Tape) -> UInt8[Array, " row"]:
    """The four flags of each row as bits of one byte."""
    bits = (getattr(tape, name).astype(jnp.uint8) << jnp.uint8(i) for i, name in enumerate(_FLAGS))
    return sum(bits, jnp.zeros(tape.start.shape, jnp.uint8))


def replay_bytes(capacity: int, state_dim: int, action_dim: int, dtype: str = "float32") -> int:
    """Size in memory of a replay of `capacity` rows and its table of starts."""
    row = jnp.dtype(dtype).itemsize * (state_dim + action_dim) + 4 * 2 + 1
    return capacity * row + 4 * (capacity // SHORTEST_EPISODE)
