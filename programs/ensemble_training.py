"""Training an ensemble: a dataset's world model, and what the bandit's rewards share with it."""

from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np

from experience.data.dataset import Dataset
from figures.progress import ensemble_plot
from harness.configuration.schema import BanditConfig, ContinuousConfig
from harness.errors import UserError
from harness.log import metrics
from harness.log.logger import Logger
from harness.run import checkpoint
from harness.run.directory import RunDirectory
from harness.run.interrupts import deferred
from harness.run.timer import Every
from offline_world.checkpoint import save_ensemble
from offline_world.fit import Criterion, Data, Fit, relative_mse
from offline_world.modules import Ensemble
from programs.world_data import WorldData, ensemble_path


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
