"""What training an agent takes, whatever it is trained on: state, collection, loop, result."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

import equinox as eqx
import jax
from jaxtyping import PRNGKeyArray

from catalogue import domains
from experience.data.origin import Origin
from experience.replay import TapeReplay
from experience.replay_placement import ReplaySize, place_replays
from harness.configuration.schema import BanditConfig, ContConfig, MarkovConfig
from harness.errors import UserError
from harness.log import metrics
from harness.log.logger import Logger
from harness.log.metrics_file import read_rows
from harness.process.interrupts import deferred
from harness.process.timer import Clock, Every
from harness.randomness import Purpose, key_at
from harness.run.directory import RunDirectory
from harness.run.kept_agents import keep_agents
from harness.saving import checkpoint
from harness.saving.leaves import freed
from online_rl import loop, updates
from online_rl.agent import AbstractAgent, Learner
from online_rl.batch import Batch
from online_rl.schedule import Schedule
from programs.agent_files import load_agent, save_agent

AgentConfig = ContConfig | MarkovConfig | BanditConfig
#: (replay, key, rows) → an agent's batch
SampleReplay = Callable[[TapeReplay, PRNGKeyArray, int], Batch]
#: (metrics.jsonl, PNG file to draw, title) → the PNG file
Draw = Callable[[Path, Path, str], Path]


def start(
    configs: Sequence[AgentConfig],
    agent: AbstractAgent[Learner],
    *,
    state_dim: int,
    action_dim: int,
    horizon: int,
    origin: Origin | None = None,
) -> tuple[list[loop.TrainState[Learner]], bool]:
    """Fresh states, or with the networks of `load_agent_path`; whether their replays are on the
    device that trains.

    The configurations differ in their seeds alone. `origin` is what the agent's states are measured
    from. Raises UserError for tapes that the longest episode does not fit in.
    """
    config = configs[0]
    require_whole_episodes(config, horizon)
    replays, is_on_device = place_replays(
        config.train.replay,
        replay_size(config, state_dim, action_dim, horizon, len(configs)),
        at_once=config.collect.parallel_size,
    )
    init = eqx.filter_jit(agent.init)

    def state(config: AgentConfig, replay: TapeReplay) -> loop.TrainState[Learner]:
        learner = init(key_at(config.seed, Purpose.INIT, 0))
        if config.load_agent_path is not None:
            learner = load_agent(config.load_agent_path, agent, learner, origin)
        # Committed to their devices from the beginning, as everything is after the first
        # collection: otherwise each program would be compiled twice.
        learner = jax.device_put(learner, jax.local_devices()[0])
        replay = jax.device_put(replay, replay.write.device)
        return loop.TrainState(
            learner=learner, replay=replay, rounds=0, transitions=0, owed=0, evaluated=-1, rows=0
        )

    return [state(*each) for each in zip(configs, replays, strict=True)], is_on_device


def make_updates(
    agent: AbstractAgent[Learner], sample: updates.Sample, *, is_on_device: bool
) -> updates.UpdatesOf[Learner]:
    """The loop's `update_many` by seed, from replays that are on the device that trains or not."""
    make = updates.on_device if is_on_device else updates.from_host
    return make(agent.update, sample)


def batches(config: AgentConfig, sample: SampleReplay) -> updates.Sample:
    """Batches of the configuration's size."""
    return lambda replay, key: sample(replay, key, config.train.batch_size)


def replay_size(
    config: AgentConfig, state_dim: int, action_dim: int, horizon: int, count: int = 1
) -> ReplaySize:
    """Of `count` agents' replays, for episodes of at most `horizon` transitions."""
    return ReplaySize(
        capacity=config.train.buffer_size,
        state_dim=state_dim,
        action_dim=action_dim,
        longest=horizon + 1,
        dtype=config.train.replay_dtype,
        count=count,
    )


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


@dataclass(frozen=True)
class Member(Generic[Learner]):
    """A run that is ready to be trained, from `state` or its last checkpoint."""

    config: AgentConfig
    run: RunDirectory
    state: loop.TrainState[Learner]
    parts: loop.Parts[Learner]

    @contextmanager
    def opened(self) -> Iterator[tuple[loop.Training[Learner], Logger]]:
        """As the loop takes it, and its log."""
        state, resume_rows = resumed(self.run, self.state)
        with Logger(self.run, self.config, resume_rows=resume_rows) as logger:
            clock = Clock(minutes_so_far(self.run.metrics, resume_rows))
            schedule = schedule_of(self.config)
            training = loop.Training(
                state=state, schedule=schedule, parts=self.parts, logger=logger, clock=clock
            )
            yield training, logger

    def plotted(self, draw: Draw, logger: Logger) -> Path:
        """The plot of the whole run, also shown where images are."""
        title = f"{self.config.dataset_name}, seed {self.config.seed}"
        plot = draw(self.run.metrics, self.run.plots / "learning.png", title)
        logger.image(self.config.train.grad_steps, "plots/learning", plot)
        return plot


def train(member: Member[Learner], draw: Draw) -> tuple[Learner, Path]:
    """To the end; the learner and the run's plot."""
    with member.opened() as (training, logger):
        with deferred() as pending:
            state = loop.train(training, pending)
        return state.learner, member.plotted(draw, logger)


def minutes_so_far(rows: Path, resume_rows: int | None) -> float:
    """For how long the run that goes on from these rows of its metrics had been going."""
    if not resume_rows:
        return 0.0
    # none in a row of an earlier version or in one that was lost
    return max(row.get(metrics.WALL_MINUTES) or 0.0 for row in read_rows(rows)[:resume_rows])


def resumed(
    run: RunDirectory, state: loop.TrainState[Learner]
) -> tuple[loop.TrainState[Learner], int | None]:
    """The run's last checkpoint and its rows of metrics; `state` and None if there is none.

    A `state` that is not wanted is freed first: a replay can be most of a machine's memory.
    """
    if not checkpoint.exists(run.checkpoint):
        return state, None
    found = checkpoint.restore(run.checkpoint, freed(state))
    assert found is not None, "it exists"
    saved: loop.TrainState[Learner] = found[1]
    return saved, saved.rows


def schedule_of(config: AgentConfig) -> Schedule:
    return Schedule(config.train.grad_steps, config.train.utd, config.eval.times)


def make_save(
    config: AgentConfig, run: RunDirectory, *, row_axis: int = 0
) -> Callable[[loop.TrainState, bool], None]:
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
            name=f"{replay}_{kind}",
            leaves=tuple(f"{replay}/{leaf}" for leaf in leaves),
            written=written,
            axis=axis,
        )

    # an episode has one row more than transitions
    rows = transitions + episodes
    return [ring("rows", TapeReplay.ROWS, rows), ring("starts", TapeReplay.STARTS, episodes)]


def finish(
    config: AgentConfig,
    run: RunDirectory,
    agent: AbstractAgent[Learner],
    learner: Learner,
    plot: Path,
    summary: str,
    objective: float,
    origin: Origin | None = None,
    **figures: float,
) -> None:
    """Save the agent, mark the run complete, and say where everything is."""
    save_agent(run.agent, agent, learner, origin)
    print(f"{summary}\nplot {plot}\nrun  {run.path}", flush=True)
    run.finish([run.agent], objective=objective, copies=None, **figures)
    keep_agents(config, run)
