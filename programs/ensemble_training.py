"""Training an ensemble: a dataset's world model, and what the bandit's rewards share with it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import PRNGKeyArray

from experience.data.dataset import Dataset
from experience.replay_placement import choose_place
from experience.tasks import Task
from figures.progress import ensemble_plot
from harness.configuration.bandit_groups import BanditEnsembleConfig
from harness.configuration.groups import EnsembleConfig
from harness.configuration.schema import (
    BanditConfig,
    ContConfig,
    ContinuousConfig,
    MarkovConfig,
)
from harness.errors import UserError
from harness.log import metrics
from harness.log.logger import Logger
from harness.process.failures import Failures
from harness.process.interrupts import deferred
from harness.process.timer import Every
from harness.randomness import ensemble_keys
from harness.run.directory import RunDirectory
from harness.run.finished import is_foreign, place
from harness.saving import checkpoint
from offline_world.checkpoint import save_ensemble, stored_data
from offline_world.criterion import Criterion, relative_mse
from offline_world.devices import require_devices
from offline_world.fit import Epoch, FitSettings, FitState, compiled_epoch
from offline_world.modules import Ensemble
from offline_world.scaler import Statistics
from programs.inputs import inputs_of
from programs.training import replay_size
from programs.training_record import (
    learned_settings,
    record_path,
    trained_settings,
    write_record,
)
from programs.world_data import WorldData, ensemble_path


def train_world_models(
    configs: Sequence[ContinuousConfig],
    runs: Sequence[RunDirectory],
    task: Task,
    dataset: Dataset,
) -> None:
    """Train the ensemble (eq. 9 to 11) of every configuration, which differ in their seeds alone,
    and save it in the published format.

    One after the other by one compiled program: side by side they would keep no device busier. A
    killed training goes on from its last saved epoch. Raises UserError for those that failed, when
    the others have ended.
    """
    for run in runs:
        run.depends_on(*inputs_of(task, dataset))
    settings = configs[0].ensemble
    require_devices(settings.devices, settings.total_size, "ensemble.total_size")
    rows = WorldData.from_dataset(dataset, task)
    learned = len(rows.data.train) + len(rows.data.holdout)
    print(
        f"transitions: {learned:,} of the dataset's {dataset.rows:,} rows"
        f" ({learned / dataset.rows:.1%}) can be learned from",
        flush=True,
    )
    note_replay(configs[0], rows, task)
    fitting = replace(fit_settings(settings, relative_mse), devices=settings.devices)
    epoch = compiled_epoch(fitting, rows.data)

    def train(config: ContinuousConfig, run: RunDirectory) -> None:
        keys = ensemble_keys(config.seed)
        ensemble = Ensemble(
            settings.total_size,
            rows.state_dim + rows.action_dim,
            rows.state_dim + 1,
            settings.hidden_size,
            residual=rows.state_dim,
            has_ln=settings.has_ln,
            key=keys.weights,
        )
        fit_and_save(
            fitting,
            ensemble,
            epoch,
            key=keys.order,
            config=config,
            run=run,
            path=ensemble_path(config),
            score=metrics.HOLDOUT_MSE,
            statistics=rows.statistics,
            data=dataset.digest,
        )

    failures = Failures(alone=len(configs) == 1)
    for config, run in zip(configs, runs, strict=True):
        with failures.of(config.seed):
            train(config, run)
    failures.check()


def note_replay(config: ContinuousConfig, rows: WorldData, task: Task) -> None:
    """Says now what the agent would say only once its world model is trained."""
    if isinstance(config, ContConfig | MarkovConfig):
        size = replay_size(config, rows.state_dim, rows.action_dim, task.horizon)
        try:
            choose_place(config.train.replay, size)
        except UserError as error:
            print(
                f"note: the agent of these settings could not be trained here: {error}", flush=True
            )


def fit_settings(
    settings: EnsembleConfig | BanditEnsembleConfig, criterion: Callable[[float], Criterion]
) -> FitSettings:
    """The training that the config's section describes; `criterion` takes its `improve_thres`."""
    return FitSettings(
        criterion=criterion(settings.improve_thres),
        lr=settings.lr,
        weight_decay=settings.weight_decay,
        batch_size=settings.batch_size,
        patience=settings.max_epochs_since_update,
        epochs=settings.total_epochs,
    )


def fit_and_save(
    settings: FitSettings,
    ensemble: Ensemble,
    epoch: Epoch,
    *,
    key: PRNGKeyArray,
    config: ContinuousConfig | BanditConfig,
    run: RunDirectory,
    path: Path,
    score: str,
    statistics: Statistics | None = None,
    data: str | None = None,
) -> Ensemble:
    """Train to the end with logging and checkpoints; the best weights, which are kept in
    the run and at `path`.

    `score` is the name under which the holdout's is logged, `statistics` those of a continuous
    ensemble's scaler, `data` the digest of its dataset.
    """
    require_free(path, run, config, data)
    state = FitState.begin(settings, ensemble)
    saved = checkpoint.restore(run.checkpoint, state)
    if saved is not None:
        state = saved[1]
    due = Every(60 * config.checkpoint.every_minutes)
    # one row was logged for each epoch
    rows = None if saved is None else saved[0]
    with Logger(run, config, resume_rows=rows, unit="epochs") as logger, deferred() as pending:
        while not state.is_over(settings):
            state, report = epoch(key, state)
            figures = {
                metrics.TRAIN_NLL: report.train_nll,
                score: report.holdout_score,
                metrics.IMPROVED_MEMBERS: report.improved,
                metrics.PATIENCE: report.patience,
            }
            logger.log(report.epoch, figures)
            shown = {"nll": report.train_nll, score: report.holdout_score}
            logger.progress(report.epoch, settings.epochs, **shown)
            if due() or pending.requested:
                checkpoint.save(run.checkpoint, report.epoch, state)
            pending.check(f", saved at epoch {report.epoch}: the same command goes on from there")
        best = np.sort(np.asarray(state.best_score))
        if not np.isfinite(best).any():
            raise UserError(
                f"no member of {path} ever predicted a finite number: the training diverged; give a"
                " lower ensemble.lr and another run_dir, and look for outliers in the dataset"
            )
        kept = run.path / path.name
        save_ensemble(kept, state.best, statistics, data)
        record = write_record(kept, int(state.epoch), config.ensemble)
        copies = {kept: path, record: record_path(path)}
        # another training may have ended in the meantime
        require_free(path, run, config, data)
        for file, copy in copies.items():
            place(file, copy)
        plot = ensemble_plot(run.metrics, run.plots / "ensemble.png", config.dataset_name)
        logger.image(int(state.epoch), "plots/ensemble", plot)
    print(f"{score} of the best member {best[0]:.5g}, median {np.median(best):.5g}")
    print(f"plot {plot}\nworld model {path}")
    figures = {"best": float(best[0]), "median": float(np.median(best))}
    run.finish([kept, record], objective=figures["best"], copies=copies, **figures)
    return state.best


def require_free(
    path: Path, run: RunDirectory, config: ContinuousConfig | BanditConfig, data: str | None
) -> None:
    """Raise UserError if the run would replace a world model that it has not made, but for one that
    is the same: trained with the settings of `config` on the dataset of digest `data`."""
    is_same = (
        data is not None
        and path.exists()
        # first what lies beside it: the file may be no world model
        and trained_settings(path) == learned_settings(config.ensemble)
        and stored_data(path) == data
    )
    if not is_same and is_foreign(run.path, path):
        raise UserError(
            f"{path} is there already, and {run.path} did not make it: agents can use it as it is;"
            " to train another, move it away, or give another folder here and to the agent"
            " (ensemble.save_dir, of the bandit collect.save_dir)"
        )
