"""What a world model is made from: its dataset's rows, and the file that keeps it."""

from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp

from catalogue import domains
from experience.data.dataset import Dataset, load_dataset
from experience.data.transitions import world_transitions
from experience.tasks import Task
from harness.configuration.schema import ContinuousConfig
from offline_world.scaler import Scaler, Statistics
from offline_world.split import Data, continuous_holdout, split_rows
from programs.environment_check import try_environment
from programs.termination import compared_termination


@dataclass(frozen=True)
class WorldData:
    """The normalised rows that an ensemble is trained and judged on."""

    statistics: Statistics
    scaler: Scaler
    data: Data
    state_dim: int
    action_dim: int

    @classmethod
    def from_dataset(cls, dataset: Dataset, task: Task) -> "WorldData":
        rows = world_transitions(dataset, last_ending=not task.is_published)
        statistics = statistics_of(task)
        scaler = Scaler.fit(rows.states, rows.actions, rows.rewards, statistics)
        normalised = jnp.concatenate(
            [
                scaler.inputs(jnp.asarray(rows.states), jnp.asarray(rows.actions)),
                scaler.targets(jnp.asarray(rows.next_states), jnp.asarray(rows.rewards)),
            ],
            axis=1,
        )
        train, holdout = split_rows(len(rows.rewards), continuous_holdout(len(rows.rewards)))
        return cls(
            statistics=statistics,
            scaler=scaler,
            data=Data(train=normalised[train], holdout=normalised[holdout]),
            state_dim=rows.states.shape[1],
            action_dim=rows.actions.shape[1],
        )

    @property
    def inputs(self) -> jax.Array:
        """Inputs of all training and holdout rows."""
        joined = jnp.concatenate([self.data.train, self.data.holdout])
        return joined[:, : self.state_dim + self.action_dim]


def statistics_of(task: Task) -> Statistics:
    """How the scaler of a dataset's world models is computed: as published for the paper's
    datasets, whose published ensembles were trained so, exactly for everybody else's."""
    return Statistics.PUBLISHED if task.is_published else Statistics.EXACT


def load_checked(config: ContinuousConfig, task: Task) -> Dataset:
    """The dataset of `task`, compared with its termination rule and a user's own environment.

    The published environments' sizes are known. An own one is made and tried: a mistake must show
    before hours of training. Raises UserError for each.
    """
    dataset = load_dataset(task)
    compared_termination(task, dataset)
    if config.domain in domains.DESCRIBED:
        try_environment(config, task, dataset)
    return dataset


def ensemble_path(config: ContinuousConfig) -> Path:
    """Where the ensemble of this dataset and seed is kept."""
    folder = Path(config.ensemble.save_dir).expanduser() / config.dataset_name
    return folder / f"ensemble_seed{config.seed}.eqx"
