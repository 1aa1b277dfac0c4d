"""The loop's collections: imagined rollouts that end in the replay, and what is told of them."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax

from experience.collector import RolloutSettings
from experience.history_store import HistoryStore
from experience.replay import TapeReplay
from experience.rollout_statistics import RolloutStats
from harness.log import metrics
from harness.log.compiling import announced
from harness.randomness import Purpose, key_at
from offline_world.devices import everywhere
from offline_world.world import AbstractWorld
from online_rl import loop
from online_rl.agent import AbstractAgent, Learner
from programs.imagining import make_imagine


def make_collect(
    agent: AbstractAgent[Learner],
    histories: HistoryStore,
    rollouts: RolloutSettings,
    *,
    group: str = metrics.TRAIN_ENVS,
    devices: int = 1,
) -> Callable[[AbstractWorld, int], loop.Collect[Learner]]:
    """The loop's `collect` by world and seed: rollouts of the stochastic policy, appended to the
    replay.

    Their figures are logged in `group`. The world's members are spread over `devices`.
    """
    histories = everywhere(histories, devices)
    imagine = announced("the imagined rollouts", eqx.filter_jit(make_imagine(agent, rollouts)))

    @eqx.filter_jit(donate="all-except-first")
    def append(episodes, replay):
        return replay.add(*episodes)

    def of(world: AbstractWorld, seed: int) -> loop.Collect[Learner]:
        def run(learner, replay: TapeReplay, round_: int):
            key = key_at(seed, Purpose.COLLECT, round_)
            tape, lengths, statistics = imagine(everywhere(learner, devices), world, histories, key)
            added = jax.device_put((tape, lengths), replay.write.device)
            statistics = jax.device_get(statistics)
            figures = rollout_figures(statistics, group)
            figures = {name: float(value) for name, value in figures.items()}
            return append(added, replay), int(statistics.data_size), figures

        return run

    return of


def rollout_figures(statistics: RolloutStats, group: str) -> dict[str, Any]:
    """What is told of one collection, under its logged names."""
    figures = episode_figures(statistics, group)
    for attribute, name in metrics.ROLLOUTS_IMAGINED.items():
        figures[group + name] = getattr(statistics, attribute)
    return figures | {
        metrics.UNC_ROLLOUT_MEAN: statistics.uncertainty_mean,
        metrics.UNC_ROLLOUT_MAX: statistics.uncertainty_max,
    }


def episode_figures(statistics: RolloutStats, group: str) -> dict[str, Any]:
    """Returns and lengths of whole episodes alone, under their logged names."""
    return {group + name: getattr(statistics, a) for a, name in metrics.EPISODES.items()}
