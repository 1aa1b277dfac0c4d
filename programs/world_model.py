"""The world model of a dataset: training it, and making an imagined environment of it."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from experience.data.dataset import Dataset, check_dimensions, load_dataset
from experience.data.transitions import world_transitions
from experience.tasks import Task
from experience.wrapper import make_env
from figures.progress import ensemble_plot
from harness.configuration.schema import BanditConfig, ContinuousConfig
from harness.errors import UserError
from harness.log import metrics
from harness.log.logger import Logger
from harness.run import checkpoint
from harness.run.array_cache import cached_array
from harness.run.directory import RunDirectory
from harness.run.interrupts import deferred
from harness.run.invocation import sibling_command
from harness.run.timer import Every
from offline_world.checkpoint import load_ensemble, save_ensemble
from offline_world.fit import (
    Criterion,
    Data,
    Fit,
    continuous_holdout,
    relative_mse,
    split_rows,
)
from offline_world.modules import Ensemble
from offline_world.scaler import Scaler
from offline_world.selection import best_members, rollout_threshold, row_uncertainties
from offline_world.terminations import check_termination, termination_fn
from offline_world.uncertainty import UNCERTAINTIES
from offline_world.world import World

#: Keys that a world model's training shares with its agent's; the sizes of a collection are among
#: them only because they must agree with the ensemble's.
_WORLD_KEYS = (
    *("domain", "dataset_name", "task", "seed", "debug", "engine", "env", "ensemble"),
    *("collect.ensemble_size", "collect.parallel_size"),
)


@dataclass(frozen=True)
class WorldData:
    """The normalised rows that an ensemble is trained and judged on."""

    scaler: Scaler
    data: Data
    state_dim: int
    action_dim: int

    @classmethod
    def from_dataset(cls, dataset: Dataset) -> "WorldData":
        rows = world_transitions(dataset)
        scaler = Scaler.fit(rows.states, rows.actions, rows.rewards)
        normalised = jnp.concatenate(
            [
                scaler.inputs(jnp.asarray(rows.states), jnp.asarray(rows.actions)),
                scaler.targets(jnp.asarray(rows.next_states), jnp.asarray(rows.rewards)),
            ],
            axis=1,
        )
        train, holdout = split_rows(len(rows.rewards), continuous_holdout(len(rows.rewards)))
        state_dim, action_dim = rows.states.shape[1], rows.actions.shape[1]
        return cls(scaler, Data(normalised[train], normalised[holdout]), state_dim, action_dim)

    @property
    def inputs(self) -> jax.Array:
        """Inputs of all training and holdout rows."""
        joined = jnp.concatenate([self.data.train, self.data.holdout])
        return joined[:, : self.state_dim + self.action_dim]


def load_checked(config: ContinuousConfig, task: Task) -> Dataset:
    """The dataset of `task`; UserError also if it is not of the environment that `config` names.

    The published environments' sizes are known. A user's own one is made for the comparison: a
    mistake must show before hours of training.
    """
    dataset = load_dataset(task)
    if config.domain == "custom":
        with closing(make_env(config.domain, config.dataset_name, config.env)) as env:
            sizes = env.observation_space.shape[0], env.action_space.shape[0]
        check_dimensions(dataset, *sizes, f"dataset {config.dataset_name}")
    return dataset


def ensemble_path(config: ContinuousConfig) -> Path:
    """Where the ensemble of this dataset and seed is kept."""
    folder = Path(config.ensemble.save_dir) / config.dataset_name
    return folder / f"ensemble_seed{config.seed}.eqx"


def train_world_model(config: ContinuousConfig, run: RunDirectory, dataset: Dataset) -> Path:
    """Train the ensemble of spec 2.3 and save it in the published format; returns its path.

    A killed training goes on from its last saved epoch.
    """
    settings = config.ensemble
    rows = WorldData.from_dataset(dataset)
    init_key, order_key = jax.random.split(jax.random.key(config.seed))
    ensemble = Ensemble(
        settings.total_size,
        rows.state_dim + rows.action_dim,
        rows.state_dim + 1,
        settings.hidden_size,
        residual=rows.state_dim,
        has_ln=settings.has_ln,
        key=init_key,
    )
    fit = make_fit(config, ensemble, rows.data, relative_mse, order_key)
    path = ensemble_path(config)
    fit_and_save(fit, config, run, path, score=metrics.HOLDOUT_MSE)
    return path


def make_fit(
    config: ContinuousConfig | BanditConfig,
    ensemble: Ensemble,
    data: Data,
    criterion: Callable[[float], Criterion],
    key: jax.Array,
) -> Fit:
    """The training that `config.ensemble` describes; `criterion` takes its `improve_thres`."""
    settings = config.ensemble
    return Fit(
        ensemble,
        data,
        criterion(settings.improve_thres),
        lr=settings.lr,
        weight_decay=settings.weight_decay,
        batch_size=settings.batch_size,
        patience=settings.max_epochs_since_update,
        epochs=settings.total_epochs,
        key=key,
    )


def fit_and_save(
    fit: Fit,
    config: ContinuousConfig | BanditConfig,
    run: RunDirectory,
    path: Path,
    *,
    score: str,
) -> None:
    """Run a fit to its end with logging and checkpoints, then save its best members at `path`."""
    saved = checkpoint.restore(run.checkpoint, fit.state)
    if saved is not None:
        fit.state = saved[1]
    due = Every(60 * config.checkpoint.every_minutes)
    # one row was logged for each epoch
    epoch = None if saved is None else saved[0]
    with Logger(run, config, resume_rows=epoch, unit="epochs") as logger, deferred() as pending:
        for report in fit.epochs():
            figures = {
                metrics.TRAIN_NLL: report.train_nll,
                score: report.holdout_score,
                metrics.IMPROVED_MEMBERS: report.improved,
                metrics.PATIENCE: report.patience,
            }
            logger.log(report.epoch, figures)
            shown = {"nll": report.train_nll, score: report.holdout_score}
            logger.progress(report.epoch, fit.epoch_limit, **shown)
            if due() or pending.requested:
                checkpoint.save(run.checkpoint, report.epoch, fit.state)
            pending.check()
        best = np.sort(np.asarray(fit.state.best_score))
        if not np.isfinite(best).any():
            raise UserError(
                f"no member of {path} ever predicted a finite number: the training diverged; give a"
                " lower ensemble.lr and another run_dir, and look for outliers in the dataset"
            )
        save_ensemble(path, fit.state.best)
        plot = ensemble_plot(run.metrics, run.plots / "ensemble.png", config.dataset_name)
        logger.image(int(fit.state.epoch), "plots/ensemble", plot)
    print(f"{score} of the best member {best[0]:.5g}, median {np.median(best):.5g}")
    print(f"plot {plot}\nworld model {path}")
    run.finish([path], best=float(best[0]), median=float(np.median(best)))


def build_world(config: ContinuousConfig, task: Task, dataset: Dataset) -> World:
    """The imagined environment of spec 2.5 and 3 from the saved ensemble."""
    rows = WorldData.from_dataset(dataset)
    termination = termination_fn(task.domain, task.dataset_name, task.termination)
    check_termination(termination, rows.state_dim, rows.action_dim)
    ensemble = load_trained(config, rows.state_dim, rows.action_dim)
    collect = config.collect
    ensemble = best_members(
        ensemble,
        rows.data.holdout,
        collect.ensemble_size,
        relative_mse(config.ensemble.improve_thres),
    )
    uncertainties = training_uncertainties(ensemble, rows.inputs, collect.unc_type)
    threshold = rollout_threshold(uncertainties, collect.unc_quantile)
    average = float(uncertainties.mean())
    print(
        f"world model: {ensemble.size} members, uncertainty {average:.4g} on average,"
        f" threshold {threshold:.4g}",
        flush=True,
    )
    return World(
        ensemble,
        rows.scaler,
        jnp.asarray(threshold, jnp.float32),
        # a single member never disagrees with itself: nothing to penalise
        jnp.asarray(collect.penalty_coef / average if average else 0.0, jnp.float32),
        task.horizon,
        UNCERTAINTIES[collect.unc_type],
        termination,
    )


def training_uncertainties(ensemble: Ensemble, inputs: jax.Array, unc_type: str) -> np.ndarray:
    """Those of all rows, kept for the next run: a million rows take minutes on a CPU."""
    weights = [np.asarray(leaf) for leaf in jax.tree.leaves(ensemble)]
    return cached_array(
        "uncertainty",
        [unc_type, np.asarray(inputs), *weights],
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
    if ensemble.size < config.collect.ensemble_size:
        raise UserError(
            f"collect.ensemble_size={config.collect.ensemble_size} is more than the"
            f" {ensemble.size} members of {path}: give a smaller number or train a larger one"
        )
    return ensemble


def _training_command(config: ContinuousConfig) -> str:
    return sibling_command(
        "offline_world/cont_ensemble.py",
        _WORLD_KEYS,
        otherwise=f"--config-path=../configs/{config.domain} --config-name=base"
        f" dataset_name={config.dataset_name} seed={config.seed}",
    )
