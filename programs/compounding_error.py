"""How errors grow when a world model is fed logged actions from a first state (eq. 54)."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from catalogue.uncertainty import Measure
from experience.data.origin import Origin, measured_from, own_units
from experience.data.rows import Dataset
from experience.histories import histories_of
from experience.real.oracle import Oracle
from experience.tasks import Task
from harness.log.compiling import announced
from harness.saving.pieces import Keep, at_once
from offline_world.world import World

#: Trajectories at most.
MOST_TRAJECTORIES = 200
#: Steps followed in the true environment, in horizons: logged actions, then drawn ones.
ORACLE_HORIZONS = 2
#: Steps in a world model, and trajectories in a true environment, that a kill loses at most.
BLOCK_STEPS, BLOCK_TRAJECTORIES = 250, 10
# Predictions from here on are measured at another scale.
_LARGE = 2.0**60


class Logged(eqx.Module):
    """Trajectories of a dataset with numpy leaves; NaN follows the last state of a short one.

    `actions` go on beyond the trajectories, with actions of other rows.
    """

    states: Float[np.ndarray, "step_plus_1 trajectory state"]
    rewards: Float[np.ndarray, "step trajectory"]
    actions: Float[np.ndarray, "longer trajectory action"]


class Imagined(eqx.Module):
    """A world model's account, with numpy leaves: after step t = 1, 2, … of each trajectory."""

    states: Float[np.ndarray, "step trajectory state"]
    rewards: Float[np.ndarray, "step trajectory"]
    uncertainty: Float[np.ndarray, "step trajectory"]


def logged_trajectories(
    dataset: Dataset, task: Task, rng: np.random.Generator, most: int = MOST_TRAJECTORIES
) -> Logged:
    """Up to `most` histories, drawn without replacement; all of them where there are fewer.

    Actions are given for `ORACLE_HORIZONS` horizons; past a trajectory's end they are those of
    rows drawn at random.
    """
    tape = histories_of(dataset, task)
    first = np.flatnonzero(tape.start)
    lengths = np.diff(np.append(first, len(tape.start))) - 1
    chosen = np.sort(rng.permutation(len(first))[:most])
    first, lengths = first[chosen], lengths[chosen]

    # (step, trajectory) row numbers; clipped where a trajectory has ended
    step = np.arange(lengths.max() + 1)[:, None]
    rows = first + np.minimum(step, lengths)
    states = np.where((step <= lengths)[..., None], tape.state[rows], np.nan)
    rewards = np.where(step < lengths, tape.next_reward[rows], np.nan)[:-1]

    longer = np.arange(ORACLE_HORIZONS * task.horizon)[:, None]
    drawn = rng.integers(dataset.rows, size=(len(longer), len(first)))
    within = first + np.minimum(longer, lengths - 1)
    actions = np.where((longer < lengths)[..., None], tape.action[within], dataset.actions[drawn])
    return Logged(states.astype(np.float32), rewards, actions)


def imagine(
    world: World,
    first_states: Float[np.ndarray, "trajectory state"],
    actions: Float[np.ndarray, "step trajectory action"],
    key: PRNGKeyArray,
    keep: Keep = at_once,
) -> Imagined:
    """Follow `actions` in `world` from `first_states`, with no termination or truncation.

    A model that diverges does so: what leaves the range of numbers stays beyond it.
    Trajectories are spread evenly over the ensemble's members, each in one for good.
    """
    count = len(first_states)
    # The world needs a multiple of its members: fill up with repetitions. Neighbours live in
    # different members, so that few trajectories are not all told by the best ones.
    size = world.ensemble.size
    each = -(-count // size)
    place = np.arange(each * size).reshape(each, size).T.reshape(-1) % count
    trajectory = np.arange(count)
    back = trajectory % size * each + trajectory // size

    @eqx.filter_jit
    def block(world, states, actions, key, first):
        def step(state, inputs):
            action, index = inputs
            after = world.predict(state, action, jax.random.fold_in(key, index))
            return after.next_state, after

        return jax.lax.scan(step, states, (actions, first + jnp.arange(len(actions))))

    block = announced("the world model's steps", block)
    steps, length = len(actions), min(len(actions), BLOCK_STEPS)
    # filled up, so that every block compiles as one program
    longer = np.resize(
        actions[:, place], (-(-steps // length) * length, *actions[:, place].shape[1:])
    )
    states, parts = first_states[place], []
    for first in range(0, steps, length):

        def compute(states=states, first=first):
            given = (states, longer[first : first + length], key, np.int32(first))
            after, part = block(world, *map(jnp.asarray, given))
            states, rewards, uncertainty = part
            return {
                "after": after,
                "states": states,
                "rewards": rewards,
                "uncertainty": uncertainty,
            }

        part = dict(keep(f"imagined_{first}", compute))
        states = part.pop("after")
        parts.append(part)
    whole = {name: np.concatenate([part[name] for part in parts])[:steps] for name in parts[0]}
    return Imagined(**{name: array[:, back] for name, array in whole.items()})


def beyond_squares(measure: Measure) -> Measure:
    """`measure` for predictions whose squares float32 cannot hold, from about 1e19 on.

    A measure is as large as what it measures: twice the predictions, twice the uncertainty. Large
    ones are divided by a power of two, which loses nothing; others are left alone.
    """

    def scaled(mean, std):
        largest = jnp.maximum(jnp.abs(mean).max((0, 2)), std.max((0, 2)))
        scale = jnp.where(largest > _LARGE, jnp.exp2(jnp.floor(jnp.log2(largest))), 1.0)
        shrunk = (jax.vmap(jnp.divide, (1, 0), 1)(x, scale) for x in (mean, std))
        return measure(*shrunk) * scale

    return scaled


def follow(
    oracle: Oracle,
    first_states: Float[np.ndarray, "trajectory state"],
    actions: Float[np.ndarray, "step trajectory action"],
    origin: Origin | None = None,
    keep: Keep = at_once,
) -> tuple[np.ndarray, np.ndarray]:
    """The true states (step, trajectory, state) and rewards (step, trajectory) after each step.

    States are measured from `origin`.
    """
    count, parts = actions.shape[1], []
    for first in range(0, count, BLOCK_TRAJECTORIES):
        these = slice(first, first + BLOCK_TRAJECTORIES)

        def compute(these=these):
            return _followed(oracle, first_states[these], actions[:, these], origin)

        parts.append(keep(f"followed_{first}", compute))
    states, rewards = (
        np.concatenate([part[name] for part in parts], axis=1) for name in ("states", "rewards")
    )
    return states, rewards


def _followed(oracle, first_states, actions, origin) -> dict[str, np.ndarray]:
    states = np.empty((*actions.shape[:2], first_states.shape[1]), np.float32)
    rewards = np.empty(actions.shape[:2], np.float32)
    for trajectory, first_state in enumerate(first_states):
        oracle.set_state(own_units(first_state, origin))
        for step, action in enumerate(actions[:, trajectory]):
            state, rewards[step, trajectory], _ = oracle.step(action)
            states[step, trajectory] = measured_from(state, origin)
    return {"states": states, "rewards": rewards}


def rms(values: Float[np.ndarray, "... state"]) -> Float[np.ndarray, "..."]:
    """Root of the mean square over the state, in float64: diverging models overflow float32."""
    return np.sqrt(np.square(values.astype(np.float64)).mean(-1))


def error_arrays(
    imagined: Imagined, states: np.ndarray, rewards: np.ndarray
) -> dict[str, Float[np.ndarray, "step trajectory"]]:
    """`rmse` of the states and `reward_error` r̂ − r against the truth, for as many steps as it has.

    NaN where the truth has ended; ±inf where the model left the range of numbers.
    """
    steps = len(rewards)
    with np.errstate(over="ignore", invalid="ignore"):
        rmse = rms(imagined.states[:steps] - states)
        reward_error = imagined.rewards[:steps].astype(np.float64) - rewards
    return {
        "rmse": np.where(np.isnan(states).any(-1), np.nan, _carried(rmse)),
        "reward_error": np.where(np.isnan(rewards), np.nan, _carried(reward_error)),
    }


def compounding_errors(
    world: World,
    logged: Logged,
    key: PRNGKeyArray,
    oracle: Oracle | None,
    origin: Origin | None = None,
    keep: Keep = at_once,
) -> dict[str, np.ndarray]:
    """All errors (eq. 54), as float32 arrays (step, trajectory); step 0 is after one action.

    `rmse`, `reward_error` against the log; `rms`, `uncertainty` of the imagined states; with an
    oracle also `oracle_rmse`, `oracle_reward_error` against the true environment, which go on
    beyond the logged actions. `origin` is what the logged states are measured from;
    `keep` keeps each finished piece of the work.
    """
    first_states = logged.states[0]
    steps = len(logged.rewards) if oracle is None else len(logged.actions)
    actions = logged.actions[:steps]
    imagined = imagine(world, first_states, actions, key, keep)
    with np.errstate(over="ignore", invalid="ignore"):
        arrays = error_arrays(imagined, logged.states[1:], logged.rewards)
        arrays["rms"] = _carried(rms(imagined.states))
        arrays["uncertainty"] = _carried(imagined.uncertainty)
    if oracle is not None:
        truth = follow(oracle, first_states, actions, origin, keep)
        against = error_arrays(imagined, *truth)
        arrays |= {f"oracle_{name}": array for name, array in against.items()}
    with np.errstate(over="ignore"):
        return {name: array.astype(np.float32) for name, array in arrays.items()}


def _carried(
    values: Float[np.ndarray, "step trajectory"],
) -> Float[np.ndarray, "step trajectory"]:
    """`values` with inf for what is no number any more, of the sign that the last number had."""
    step = np.arange(len(values))[:, None]
    number = ~np.isnan(values)
    last = np.maximum.accumulate(np.where(number, step, 0), axis=0)
    sign = np.where(np.take_along_axis(values, last, axis=0) < 0, -1.0, 1.0)
    return np.where(number, values, sign * np.inf)
