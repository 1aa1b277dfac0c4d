"""An imagined environment from the saved world model of a dataset."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from catalogue.uncertainty import UNCERTAINTIES
from experience.data.dataset import Dataset
from experience.tasks import Task
from harness.arrays import digest_of
from harness.configuration.schema import ContinuousConfig
from harness.errors import UserError
from harness.log import metrics
from harness.process.numerics import numerics_key
from harness.saving.array_cache import cached_array
from offline_world.criterion import relative_mse
from offline_world.devices import by_members, require_devices
from offline_world.modules import Ensemble
from offline_world.selection import (
    best_members,
    rollout_threshold,
    row_uncertainties,
)
from offline_world.world import World
from programs.termination import compared_termination
from programs.trained_ensemble import check_learned_from, load_trained
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
    return build_worlds([config], task, dataset)[0]


def build_worlds(
    configs: Sequence[ContinuousConfig], task: Task, dataset: Dataset
) -> list[BuiltWorld]:
    """That of every configuration, which differ in their seeds alone: only the ensembles do."""
    devices, collect = configs[0].ensemble.devices, configs[0].collect
    require_devices(devices, collect.ensemble_size, "collect.ensemble_size")
    termination = compared_termination(task, dataset)
    rows = WorldData.from_dataset(dataset, task)

    def trained(config: ContinuousConfig) -> Ensemble:
        ensemble = load_trained(config, rows.state_dim, rows.action_dim)
        check_learned_from(config, rows.statistics, dataset)
        return ensemble

    ensembles = [trained(config) for config in configs]
    inputs = rows.inputs
    digest = digest_of([np.asarray(inputs)])

    def built(config: ContinuousConfig, ensemble: Ensemble) -> BuiltWorld:
        criterion = relative_mse(config.ensemble.improve_thres)
        ensemble = best_members(ensemble, rows.data.holdout, collect.ensemble_size, criterion)
        uncertainties = training_uncertainties(ensemble, inputs, digest, collect.unc_type)
        threshold = rollout_threshold(uncertainties, collect.unc_quantile)
        average = mean_uncertainty(uncertainties, ensemble_path(config))
        print(
            f"world model: {ensemble.size} members, uncertainty {average:.4g} on average,"
            f" threshold {threshold:.4g}",
            flush=True,
        )
        # a single member never disagrees with itself: nothing to penalise
        penalty = collect.penalty_coef / average if average else 0.0
        world = World(
            ensemble=by_members(ensemble, devices),
            scaler=rows.scaler,
            threshold=jnp.asarray(threshold, jnp.float32),
            penalty_coef=jnp.asarray(penalty, jnp.float32),
            horizon=task.horizon,
            measure=UNCERTAINTIES[collect.unc_type],
            termination=termination,
        )
        return BuiltWorld(world, uncertainties)

    return list(map(built, configs, ensembles))


def mean_uncertainty(uncertainties: np.ndarray, path: Path) -> float:
    """The average over all rows of the world model at `path`; UserError if it is no number."""
    average = float(uncertainties.mean())
    if not np.isfinite(average):
        raise UserError(
            f"the world model {path} leaves the range of numbers on its own dataset: its training"
            " diverged or it is of other data, so train it again"
        )
    return average


def training_uncertainties(
    ensemble: Ensemble, inputs: jax.Array, digest: str, unc_type: str
) -> np.ndarray:
    """Those of all rows, kept for the next run under the `digest` of `inputs`: a million rows take
    minutes on a CPU."""
    weights = [np.asarray(leaf) for leaf in jax.tree.leaves(ensemble)]
    return cached_array(
        "uncertainty",
        [unc_type, numerics_key(), digest, *weights],
        lambda: row_uncertainties(ensemble, inputs, unc_type),
    )
