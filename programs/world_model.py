"""An imagined environment from the saved world model of a dataset."""

from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from catalogue.uncertainty import UNCERTAINTIES
from experience.data.dataset import Dataset
from experience.tasks import Task
from harness.configuration.schema import WORLD_MODEL_KEYS, ContinuousConfig
from harness.errors import UserError
from harness.log import metrics
from harness.run.array_cache import cached_array
from harness.run.invocation import sibling_command
from harness.run.numerics import numerics_key
from offline_world.checkpoint import load_ensemble, stored_statistics
from offline_world.criterion import relative_mse
from offline_world.devices import by_members, require_devices
from offline_world.modules import Ensemble
from offline_world.scaler import Statistics
from offline_world.selection import (
    best_members,
    require_members,
    rollout_threshold,
    row_uncertainties,
)
from offline_world.world import World
from programs.termination import compared_termination
from programs.world_data import WorldData, ensemble_path


class BuiltWorld(NamedTuple):
    """An imagined environment, and the uncertainty of the rows that its ensemble learned from."""

    world: World
    uncertainties: Float[np.ndarray, " row"]

    def figures(self) -> dict[str, float]:
        """What is logged of them."""
        return {
            metrics.UNC_TRAIN_MEAN: float(self.uncertainties.mean()),
            metrics.UNC_THRESHOLD: float(self.world.threshold),
        }


def build_world(config: ContinuousConfig, task: Task, dataset: Dataset) -> BuiltWorld:
    """The imagined environment (eq. 12, 16, 17, 20, 21) from the saved ensemble, whose members the
    devices of `ensemble.devices` share."""
    devices, collect = config.ensemble.devices, config.collect
    require_devices(devices, collect.ensemble_size, "collect.ensemble_size")
    termination = compared_termination(task, dataset)
    rows = WorldData.from_dataset(dataset, task)
    ensemble = load_trained(config, rows.state_dim, rows.action_dim)
    _check_statistics(config, rows.statistics, dataset)
    ensemble = best_members(
        ensemble,
        rows.data.holdout,
        collect.ensemble_size,
        relative_mse(config.ensemble.improve_thres),
    )
    uncertainties = training_uncertainties(ensemble, rows.inputs, collect.unc_type)
    threshold = rollout_threshold(uncertainties, collect.unc_quantile)
    average = mean_uncertainty(uncertainties, ensemble_path(config))
    print(
        f"world model: {ensemble.size} members, uncertainty {average:.4g} on average,"
        f" threshold {threshold:.4g}",
        flush=True,
    )
    world = World(
        ensemble=by_members(ensemble, devices),
        scaler=rows.scaler,
        threshold=jnp.asarray(threshold, jnp.float32),
        # a single member never disagrees with itself: nothing to penalise
        penalty_coef=jnp.asarray(collect.penalty_coef / average if average else 0.0, jnp.float32),
        horizon=task.horizon,
        measure=UNCERTAINTIES[collect.unc_type],
        termination=termination,
    )
    return BuiltWorld(world, uncertainties)


def mean_uncertainty(uncertainties: np.ndarray, path: Path) -> float:
    """The average over all rows of the world model at `path`; UserError if it is no number."""
    average = float(uncertainties.mean())
    if not np.isfinite(average):
        raise UserError(
            f"the world model {path} leaves the range of numbers on its own dataset: its training"
            " diverged or it is of other data, so train it again"
        )
    return average


def training_uncertainties(ensemble: Ensemble, inputs: jax.Array, unc_type: str) -> np.ndarray:
    """Those of all rows, kept for the next run: a million rows take minutes on a CPU."""
    weights = [np.asarray(leaf) for leaf in jax.tree.leaves(ensemble)]
    return cached_array(
        "uncertainty",
        [unc_type, numerics_key(), np.asarray(inputs), *weights],
        lambda: row_uncertainties(ensemble, inputs, unc_type),
    )


def load_trained(config: ContinuousConfig, state_dim: int, action_dim: int) -> Ensemble:
    """The ensemble of exactly this seed; UserError says what to do where it is missing or small."""
    path = ensemble_path(config)
    if not path.exists():
        raise UserError(
            f"there is no world model {path}: train it with `{_training_command(config)}`, or put"
            " the published file there"
        )
    ensemble = load_ensemble(path, state_dim, action_dim)
    if ensemble.has_ln != config.ensemble.has_ln:
        raise UserError(
            f"{path} was trained with has_ln={ensemble.has_ln}, but ensemble.has_ln="
            f"{config.ensemble.has_ln}: give the config or the ensemble.save_dir that belongs to it"
        )
    require_members(ensemble, config.collect.ensemble_size, path)
    return ensemble


def _check_statistics(config: ContinuousConfig, wanted: Statistics, dataset: Dataset) -> None:
    """UserError if the saved ensemble learned from rows that were normalised in another way."""
    path = ensemble_path(config)
    stored = stored_statistics(path)
    if stored is None and dataset.origin is not None:
        raise UserError(
            f"{path} is from before states far from 0 were measured from their mean, as those of"
            f" {config.dataset_name} are now: train it again with `{_training_command(config)}`"
        )
    # A file that says nothing is a published one, or one of ours from before they did.
    if stored not in (None, wanted):
        raise UserError(
            f"{path} was trained on inputs normalised with {stored} statistics, but those of"
            f" {config.dataset_name} are {wanted}: it belongs to another dataset; train one with"
            f" `{_training_command(config)}`"
        )


def _training_command(config: ContinuousConfig) -> str:
    return sibling_command(
        "offline_world/cont_ensemble.py",
        (*WORLD_MODEL_KEYS, "task", "seeds"),
        otherwise=f"--config-path=../configs/{config.domain} --config-name=base"
        f" dataset_name={config.dataset_name} seed={config.seed}",
    )
