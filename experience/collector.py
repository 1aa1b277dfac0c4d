"""Imagined rollouts from real histories, compiled end to end (eq. 18 to 23)."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree

from experience.history_store import HistoryStore
from experience.observation import observation
from experience.rollout_statistics import RolloutStats, rollout_statistics
from experience.tape import Tape
from offline_world.world import AbstractWorld, WorldState

#: Rows of history that the agent's memory takes in at once.
WARM_UP_ROWS = 64


@runtime_checkable
class InitialMemory(Protocol):
    def __call__(self, batch: int) -> PyTree: ...


@runtime_checkable
class Absorb(Protocol):
    def __call__(
        self,
        observations: Float[Array, "rollout time obs"],
        start: Bool[Array, "rollout time"],
        memory: PyTree,
    ) -> PyTree:
        """The memory after these rows."""
        ...


@runtime_checkable
class Act(Protocol):
    def __call__(
        self,
        observation: Float[Array, "rollout obs"],
        start: Bool[Array, " rollout"],
        memory: PyTree,
        key: PRNGKeyArray,
    ) -> tuple[Float[Array, "rollout action"], PyTree]:
        """An action, and the memory after it."""
        ...


class Policy(NamedTuple):
    """How the collector sees an agent; all three functions are for a batch of rollouts."""

    initial_memory: InitialMemory
    absorb: Absorb
    act: Act
    #: stands for the action before the first one
    first_action: Float[Array, " action"]


@dataclass(frozen=True)
class RolloutSettings:
    """How many rollouts at once, and how long at most (≤ 0: only the world's horizon ends them)."""

    rollouts: int
    longest: int = -1
    #: begin where episodes begin, instead of anywhere in them
    from_s0: bool = False


class Rollouts(eqx.Module):
    """Imagined steps (step, rollout, ...), of which the first `length` of each are alive."""

    state: Float[Array, "step rollout state"]
    action: Float[Array, "step rollout action"]
    next_reward: Float[Array, "step rollout"]
    next_penalty: Float[Array, "step rollout"]
    next_terminated: Bool[Array, "step rollout"]
    next_truncated: Bool[Array, "step rollout"]
    uncertainty: Float[Array, "step rollout"]
    length: Int[Array, " rollout"]
    final_state: Float[Array, "rollout state"]


def collect(
    policy: Policy,
    world: AbstractWorld,
    histories: HistoryStore,
    key: PRNGKeyArray,
    settings: RolloutSettings,
) -> tuple[Tape, Int[Array, " rollout"], RolloutStats]:
    """Draw histories, let the agent remember them, roll out until all have ended.

    Returns the stored episodes (history, rollout, final row) end to end in a tape of
    rollouts · (horizon + 1) rows, their lengths in rows, and statistics. Pure: compile it.
    """
    draw_key, roll_key = jax.random.split(key)
    row = histories.draw(draw_key, settings.rollouts, from_s0=settings.from_s0)
    memory = warm_up(policy, histories, row)
    limit = settings.longest if settings.longest > 0 else world.horizon
    imagined = roll_out(policy, world, histories, row, memory, roll_key, limit)
    tape, lengths = assemble(histories, row, imagined, world.horizon + 1)
    return tape, lengths, rollout_statistics(tape, lengths, imagined.length, imagined.uncertainty)


def warm_up(policy: Policy, histories: HistoryStore, row: Int[Array, " rollout"]) -> PyTree:
    """The agent's memory of each history before `row` (eq. 19).

    The prefixes are aligned at their ends and taken in chunk by chunk, as many chunks as the
    longest needs. A shorter one is preceded by rows of other histories, which its own start flag
    makes the memory forget: nothing is padded or masked.
    """
    before = histories.timestep[row]
    chunks = -(-before.max() // WARM_UP_ROWS)

    def absorb(i, memory):
        offset = jnp.arange(WARM_UP_ROWS) - (chunks - i) * WARM_UP_ROWS
        # one more row in front, for the first one's previous action and reward
        offset = jnp.concatenate([offset[:1] - 1, offset])
        place = jnp.maximum(jax.vmap(jnp.add, (0, None))(row, offset), 0)
        tape = histories.tape.rows(place)
        observations = jax.vmap(lambda t: t.observation(policy.first_action))(tape)
        return policy.absorb(
            observations=observations[:, 1:], start=tape.start[:, 1:], memory=memory
        )

    return jax.lax.fori_loop(0, chunks, absorb, policy.initial_memory(row.shape[0]))


def roll_out(
    policy: Policy,
    world: AbstractWorld,
    histories: HistoryStore,
    row: Int[Array, " rollout"],
    memory: PyTree,
    key: PRNGKeyArray,
    limit: int,
) -> Rollouts:
    """Imagine until every rollout has ended or made `limit` steps (eq. 22)."""
    here = histories.tape.rows(row)
    previous = histories.tape.rows(jnp.maximum(row - 1, 0))
    timestep = histories.timestep[row]
    begun = timestep > 0
    world_state = WorldState(
        state=here.state,
        timestep=timestep,
        terminated=previous.next_terminated & begun,
        truncated=previous.next_truncated & begun,
    )
    (count, state_dim), action_dim = here.state.shape, here.action.shape[1]
    steps = min(limit, world.horizon)
    # one array of all that is kept of a step, which one launch can write: state, action, reward,
    # penalty, uncertainty, and as 0 or 1 whether it ended its rollout and how
    records = jnp.zeros((steps, count, state_dim + action_dim + 5))
    # found together: in the loop they would take two launches of every step
    keys = jax.vmap(lambda i: jax.random.split(jax.random.fold_in(key, i)))(jnp.arange(steps))

    def going(carry):
        i, world_state, *_ = carry
        return ((i < steps) & ~world_state.done).any()

    def step(carry):
        i, world_state, last_action, last_reward, memory, records, length, final_state = carry
        act_key, world_key = keys[i]
        alive = ~world_state.done
        start = ~begun & (i == 0)
        observed = observation(
            world_state.state,
            last_action,
            last_reward,
            start=start,
            first_action=policy.first_action,
        )
        action, memory = policy.act(observation=observed, start=start, memory=memory, key=act_key)
        after, imagined = world.step(world_state, action, world_key)
        truncated = imagined.truncated | (i + 1 >= limit)
        columns = (
            imagined.raw_reward,
            imagined.raw_reward - imagined.reward,
            imagined.uncertainty,
            imagined.terminated.astype(jnp.float32),
            truncated.astype(jnp.float32),
        )
        record = jnp.concatenate([world_state.state, action, jnp.stack(columns, axis=1)], axis=1)
        records = records.at[i].set(record)
        length = length + alive.astype(jnp.int32)
        final_state = jnp.where(alive[:, None], imagined.next_state, final_state)
        # a finished rollout stays as it is, so that its flags remain set
        after = jax.tree.map(
            lambda new, old: jnp.where(alive.reshape(-1, *[1] * (new.ndim - 1)), new, old),
            after,
            world_state,
        )
        return i + 1, after, action, imagined.raw_reward, memory, records, length, final_state

    length = jnp.zeros(count, jnp.int32)
    before = previous.action, previous.next_reward
    carry = (0, world_state, *before, memory, records, length, here.state)
    *_, records, length, final_state = jax.lax.while_loop(going, step, carry)
    state, action, others = jnp.split(records, [state_dim, state_dim + action_dim], axis=-1)
    reward, penalty, uncertainty, terminated, truncated = jnp.moveaxis(others, -1, 0)
    return Rollouts(
        state=state,
        action=action,
        next_reward=reward,
        next_penalty=penalty,
        next_terminated=terminated > 0,
        next_truncated=truncated > 0,
        uncertainty=uncertainty,
        length=length,
        final_state=final_state,
    )


def assemble(
    histories: HistoryStore, row: Int[Array, " rollout"], imagined: Rollouts, longest: int
) -> tuple[Tape, Int[Array, " rollout"]]:
    """Lay history, rollout and final row of each episode end to end (eq. 23)."""
    before = histories.timestep[row]
    lengths = before + imagined.length + 1
    end = jnp.cumsum(lengths)
    place = jnp.arange(row.shape[0] * longest)
    episode = jnp.searchsorted(end, place, side="right", method="scan_unrolled")
    episode = jnp.minimum(episode, row.shape[0] - 1)
    within = place - (end - lengths)[episode]
    # the final row repeats the flags, action and reward of the last transition
    source = jnp.minimum(within, lengths[episode] - 2)
    is_real = source < before[episode]
    real = histories.tape.rows(jnp.where(is_real, (row - before)[episode] + source, 0))
    step = jnp.maximum(source - before[episode], 0)

    def either(real, imagined):
        dream = imagined[step, episode]
        return jnp.where(is_real.reshape(-1, *[1] * (dream.ndim - 1)), real, dream)

    is_final = within == lengths[episode] - 1
    state = jnp.where(
        is_final[:, None], imagined.final_state[episode], either(real.state, imagined.state)
    )
    tape = Tape(
        state=state,
        action=either(real.action, imagined.action),
        next_reward=either(real.next_reward, imagined.next_reward),
        next_penalty=either(real.next_penalty, imagined.next_penalty),
        start=within == 0,
        next_terminated=either(real.next_terminated, imagined.next_terminated),
        next_truncated=either(real.next_truncated, imagined.next_truncated),
        real=is_real,
    )
    return tape, lengths
