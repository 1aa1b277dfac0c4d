"""What training an agent takes, whatever it is trained on: state, collection, loop, result."""

from collections.abc import Callable
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp

from catalogue import domains
from experience.collector import Policy, collect
from experience.data.origin import Origin
from experience.history_store import HistoryStore
from experience.replay import TapeReplay
from experience.replay_placement import place_replay
from harness.configuration.schema import BanditConfig, ContinuousConfig
from harness.errors import UserError
from harness.log.logger import FanOut, Logger
from harness.randomness import Purpose, key_at
from harness.run import checkpoint
from harness.run.directory import RunDirectory
from harness.run.interrupts import deferred
from harness.run.timer import Every
from offline_world.world import AbstractWorld
from online_rl import loop, updates
from online_rl.agent import AbstractAgent, AbstractLearner
from programs.agent_files import load_agent, save_agent

AgentConfig = ContinuousConfig | BanditConfig
#: (metrics.jsonl, PNG file to draw, title) → the PNG file
Draw = Callable[[Path, Path, str], Path]


def start(
    config: AgentConfig,
    agent: AbstractAgent,
    sample: Callable,
    *,
    state_dim: int,
    action_dim: int,
    horizon: int,
    origin: Origin | None = None,
) -> tuple[loop.TrainState, updates.UpdateMany]:
    """A fresh state, or one with the networks of `load_agent_path`, and its update function.

    `sample` draws an agent's batch from a replay: (replay, key, rows) → batch; `origin` is what the
    agent's states are measured from.
    Raises UserError for tapes that the longest episode does not fit in.
    """
    require_whole_episodes(config, horizon)
    replay, is_on_device = place_replay(
        config.train.replay,
        config.train.buffer_size,
        state_dim,
        action_dim,
        longest=horizon + 1,
        at_once=config.collect.parallel_size,
    )
    learner = eqx.filter_jit(agent.init)(key_at(config.seed, Purpose.INIT, 0))
    if config.load_agent_path is not None:
        learner = load_agent(config.load_agent_path, agent, learner, origin)
    # Committed to their devices from the beginning, as everything is after the first collection:
    # otherwise each program would be compiled twice.
    learner = jax.device_put(learner, jax.local_devices()[0])
    replay = jax.device_put(replay, replay.write.device)
    make_updates = updates.on_device if is_on_device else updates.from_host

    def draw(replay, key):
        return sample(replay, key, config.train.batch_size)

    state = loop.TrainState(learner, replay, rounds=0, transitions=0, owed=0, evaluated=-1, rows=0)
    return state, make_updates(agent.update, draw, config.seed)


def require_whole_episodes(config: AgentConfig, horizon: int) -> None:
    """Raise UserError if a tape of `train.batch_size` rows cuts an episode of `horizon` steps.

    A tape is cut at its end: rows past its length would never be drawn, wherever the episode lies
    on it, and an episode's imagined rows come last. Agents without memory draw single rows.
    """
    rows = config.train.batch_size
    if hasattr(config.model, "memory") and rows <= horizon:
        raise UserError(
            f"train.batch_size={rows} is shorter than an episode of {horizon} steps, which takes"
            f" {horizon + 1} rows, so that the ends of long episodes would never be learned from:"
            f" give train.batch_size={horizon + 1} or more"
            f"{', or a smaller env.horizon' if config.domain in domains.DESCRIBED else ''}"
        )


def train(
    config: AgentConfig,
    run: RunDirectory,
    state: loop.TrainState,
    parts: loop.Parts,
    draw: Draw,
) -> tuple[AbstractLearner, Path]:
    """From `state`, or the run's last checkpoint, to the end; the learner and the run's plot."""
    state, resume_rows = resumed(run, state)
    with Logger(run, config, resume_rows=resume_rows) as logger:
        state = run_loop(config, state, parts, logger)
        title = f"{config.dataset_name}, seed {config.seed}"
        plot = draw(run.metrics, run.plots / "learning.png", title)
        logger.image(state.updates, "plots/learning", plot)
    return state.learner, plot


def resumed(run: RunDirectory, state: loop.TrainState) -> tuple[loop.TrainState, int | None]:
    """The run's last checkpoint and its rows of metrics; `state` and None if there is none.

    A `state` that is not wanted is freed first: a replay can be most of a machine's memory.
    """
    if not checkpoint.exists(run.checkpoint):
        return state, None
    arrays, rest = eqx.partition(state, eqx.is_array)
    form = jax.tree.map(
        lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=a.sharding), arrays
    )
    for array in jax.tree.leaves(arrays):
        array.delete()
    _, saved = checkpoint.restore(run.checkpoint, eqx.combine(form, rest))
    return saved, saved.rows


def run_loop(
    config: AgentConfig, state: loop.TrainState, parts: loop.Parts, logger: Logger | FanOut
) -> loop.TrainState:
    """The one loop, with the config's schedule and signals kept until a checkpoint is saved."""
    schedule = loop.Schedule(config.train.grad_steps, config.train.utd, config.eval.times)
    with deferred() as pending:
        return loop.train(state, schedule, parts, logger, pending)


def make_collect(
    config: AgentConfig,
    agent: AbstractAgent,
    world: AbstractWorld,
    histories: HistoryStore,
    *,
    max_rollout_len: int = -1,
    start_from_s0: bool = False,
) -> Callable:
    """The loop's `collect`: rollouts of the stochastic policy, appended to the replay."""

    imagine = eqx.filter_jit(
        make_imagine(config, agent, max_rollout_len=max_rollout_len, start_from_s0=start_from_s0)
    )

    @eqx.filter_jit(donate="all-except-first")
    def append(episodes, replay):
        return replay.add(*episodes)

    def run(learner, replay: TapeReplay, round_: int):
        key = key_at(config.seed, Purpose.COLLECT, round_)
        tape, lengths, statistics = imagine(learner, world, histories, key)
        episodes = jax.device_put((tape, lengths), replay.write.device)
        return append(episodes, replay), _floats(statistics)

    return run


def make_imagine(
    config: AgentConfig, agent: AbstractAgent, *, max_rollout_len: int, start_from_s0: bool
) -> Callable:
    """(learner, world, histories, key) → episodes, their lengths, statistics. Pure: compile it."""

    def imagine(learner, world, histories, key):
        return collect(
            as_policy(agent, learner, deterministic=False),
            world,
            histories,
            key,
            rollouts=config.collect.parallel_size,
            max_rollout_len=max_rollout_len,
            start_from_s0=start_from_s0,
        )

    return imagine


def as_policy(agent: AbstractAgent, learner: AbstractLearner, *, deterministic: bool) -> Policy:
    """The agent as the collector sees it."""

    def act(observation, start, memory, key):
        return agent.act(learner, observation, start, memory, key, deterministic=deterministic)

    return Policy(
        lambda batch: agent.initial_memory(learner, batch),
        lambda observations, start, memory: agent.absorb(learner, observations, start, memory),
        act,
        jnp.asarray(agent.first_action),
    )


def make_save(config: AgentConfig, run: RunDirectory, *, row_axis: int = 0) -> Callable:
    """The loop's `save`: a checkpoint every few minutes, and whenever one is asked for.

    The periodic ones are written while training goes on. `row_axis` is the replay's rows' axis.
    """
    due = Every(60 * config.checkpoint.every_minutes)
    saver = checkpoint.Saver(run.checkpoint)

    def save(state: loop.TrainState, now: bool) -> None:
        saver.check()
        if now or (not saver.busy and due()):
            episodes = state.rounds * config.collect.parallel_size
            rings = replay_rings("replay", state.transitions, episodes, row_axis)
            saver.save(state.updates, state, rings)
        if now:
            saver.wait()

    return save


def replay_rings(
    replay: str, transitions: int, episodes: int, axis: int = 0
) -> list[checkpoint.Ring]:
    """How far the rings of the replay of this name in the state have been written."""

    def ring(kind: str, leaves: tuple[str, ...], written: int) -> checkpoint.Ring:
        return checkpoint.Ring(
            f"{replay}_{kind}", tuple(f"{replay}/{leaf}" for leaf in leaves), written, axis
        )

    # an episode has one row more than transitions
    rows = transitions + episodes
    return [ring("rows", TapeReplay.ROWS, rows), ring("starts", TapeReplay.STARTS, episodes)]


def finish(
    config: AgentConfig,
    run: RunDirectory,
    agent: AbstractAgent,
    learner: AbstractLearner,
    plot: Path,
    summary: str,
    origin: Origin | None = None,
    **figures: float,
) -> None:
    """Save the agent, mark the run complete, and say where everything is."""
    saved = [run.path / "agent"]
    if config.save_agent:
        # named as the run is, so that no setting's agent replaces another's
        name = run.path.name if config.run_dir else run.path.relative_to(config.run_root)
        saved.append(Path(config.save_agent_root).expanduser() / name)
    for folder in saved:
        save_agent(folder, agent, learner, origin)
    print(f"{summary}\nplot {plot}\nrun  {run.path}", flush=True)
    run.finish(saved, **figures)


def _floats(statistics) -> dict[str, float]:
    return {name: float(value) for name, value in vars(jax.device_get(statistics)).items()}
