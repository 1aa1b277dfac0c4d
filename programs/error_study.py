"""What eval_error.py does: one world model, one evaluation dataset, one file of arrays."""

import dataclasses

import jax
import numpy as np

from experience.data.dataset import check_dimensions, load_dataset
from experience.real.oracle import Oracle, make_oracle
from experience.tasks import get_task
from experience.wrapper import engine_info
from figures.error_files import TOLD_STEPS, elsewhere_task, error_file, save_errors
from figures.error_quantiles import step_medians
from harness.configuration.schema import ContinuousConfig
from harness.errors import UserError
from harness.process.numerics import numerics_key
from harness.run.directory import RunDirectory
from harness.run.finished import is_foreign, place, put_aside
from harness.run.inputs import Input
from harness.saving.pieces import Pieces
from programs.compounding_error import beyond_squares, compounding_errors, logged_trajectories
from programs.inputs import inputs_of
from programs.training_record import trained_epochs
from programs.world_data import ensemble_path
from programs.world_model import build_world

#: Quantiles of the training rows' uncertainty that are drawn as rollout thresholds.
THRESHOLD_QUANTILES = (0.9, 0.99, 0.999, 1.0)


def study_errors(config: ContinuousConfig, run: RunDirectory) -> None:
    """Follow logged trajectories in the world model and leave all errors in a npz file.

    `collect.unc_quantile` has no effect, as nothing is cut off.
    """
    task = get_task(config.domain, config.dataset_name, config.env)
    dataset = load_dataset(task)
    other = elsewhere_task(config)
    elsewhere = load_dataset(other, origin_of=lambda observations: dataset.origin)
    check_dimensions(
        elsewhere,
        dataset.observations.shape[1],
        dataset.actions.shape[1],
        f"dataset {other.dataset_name}",
    )
    trained = build_world(config, task, dataset)
    run.depends_on(Input.file(ensemble_path(config)), *inputs_of(task, dataset))
    world = trained.world
    world = dataclasses.replace(world, measure=beyond_squares(world.measure))
    logged = logged_trajectories(elsewhere, other, np.random.default_rng(config.seed))
    key = jax.random.key(config.seed)
    oracle = _oracle_of(config)
    numbers = [np.asarray(leaf) for leaf in jax.tree.leaves(world)]
    told_by = (
        f"{config.collect.unc_type} {config.seed} {type(oracle).__name__} {config.engine}"
        f" {numerics_key()}"
    )
    sources = (told_by, logged.states, logged.actions, *numbers)
    pieces = Pieces(run.path / "pieces", sources)
    arrays = compounding_errors(world, logged, key, oracle, dataset.origin, pieces)
    if oracle is not None:
        arrays |= _engine_arrays(config, logged.rewards.shape[1])
    arrays["threshold_quantiles"] = np.asarray(THRESHOLD_QUANTILES, np.float32)
    thresholds = np.quantile(trained.uncertainties, THRESHOLD_QUANTILES)
    arrays["thresholds"] = thresholds.astype(np.float32)

    path = error_file(
        config.ensemble.plot_dir,
        config.dataset_name,
        other.dataset_name,
        world.ensemble.has_ln,
        config.seed,
    )
    epochs = trained_epochs(ensemble_path(config))
    arrays["epochs"] = np.full((1, logged.rewards.shape[1]), epochs or np.nan, np.float32)
    kept = run.path / path.name
    save_errors(kept, arrays)
    if is_foreign(run.path, path):
        print(f"note: another run made {path}: it is now {put_aside(path).name}", flush=True)
    place(kept, path)
    medians = step_medians(arrays["rmse"])
    median = {
        f"median_rmse_step{step}": float(medians[step - 1])
        for step in TOLD_STEPS
        if step <= len(medians)
    }
    print(f"{logged.rewards.shape[1]} trajectories of {other.dataset_name}")
    for name, value in median.items():
        print(f"{name} {value:.4g}")
    print(f"arrays {path}", flush=True)
    objective = list(median.values())[-1]
    run.finish([kept], objective=objective, copies={kept: path}, **median)
    pieces.clear()


def _engine_arrays(config: ContinuousConfig, trajectories: int) -> dict[str, np.ndarray]:
    """Which engine made the oracle's truth, as strings (1, trajectory).

    Of that shape they are put side by side with those of other seeds, like all arrays of a file.
    """
    engine = engine_info(config.domain, config.engine)
    words = {"engine": engine.name, "engine_version": engine.version}
    return {name: np.full((1, trajectories), word) for name, word in words.items()}


def _oracle_of(config: ContinuousConfig) -> Oracle | None:
    """The true environment, or None where no observation determines its state."""
    try:
        return make_oracle(config.domain, config.dataset_name, config.env, config.engine)
    except UserError as reason:
        print(f"without the true environment: {reason}", flush=True)
        return None
