"""The saved ensemble of a seed, and whether it is of these data and settings."""

from pathlib import Path

from experience.data.dataset import Dataset
from harness.configuration.composition import composed_config
from harness.configuration.schema import WORLD_MODEL_KEYS, ContinuousConfig
from harness.configuration.typed import differing_overrides, sibling_command, typed_keys
from harness.errors import UserError
from offline_world.checkpoint import is_ours, load_ensemble, stored_data, stored_statistics
from offline_world.modules import Ensemble
from offline_world.scaler import Statistics
from offline_world.selection import require_members
from programs.training_record import trained_settings
from programs.world_data import ensemble_path


def load_trained(config: ContinuousConfig, state_dim: int, action_dim: int) -> Ensemble:
    """The ensemble of exactly this seed; UserError says what to do where it is missing or small, or
    was trained with other settings than were typed."""
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
    _check_settings(config, ensemble)
    return ensemble


def check_learned_from(config: ContinuousConfig, wanted: Statistics, dataset: Dataset) -> None:
    """UserError if the saved ensemble learned from other rows than those of `dataset`, or from rows
    that were normalised in another way. A file that does not say is taken, if ours with a note."""
    path, name = ensemble_path(config), config.dataset_name
    # its run may be finished
    train_again = f"train it again with `{_training_command(config)} restart=true`"
    stored = stored_statistics(path)
    if stored is None and dataset.origin is not None:
        raise UserError(
            f"{path} is from before states far from 0 were measured from their mean, as those of"
            f" {name} are now: {train_again}"
        )
    if stored not in (None, wanted):
        raise UserError(
            f"{path} was trained on inputs normalised with {stored} statistics, but those of {name}"
            f" are {wanted}: it belongs to another dataset; {train_again}"
        )
    require_data(
        path, dataset.digest, name, f"give the ensemble.save_dir of these, or {train_again}"
    )
    if stored is None and is_ours(path):
        print(
            f"note: {path} is of an earlier version, which did not say how it was trained: its"
            " inputs may have been normalised with float64 statistics and its holdout have been"
            " another, so that its members are ranked and cut off a little differently; where that"
            f" matters, {train_again}",
            flush=True,
        )


def require_data(path: Path, digest: str, name: str, otherwise: str) -> None:
    """UserError if the ensemble in `path` says that it learned from other data than those of
    `name`, whose digest is now `digest`; `otherwise` is what to do but to put the old data back."""
    learned = stored_data(path)
    if learned not in (None, digest):
        raise UserError(
            f"{path} learned from other data than those of {name} are now (SHA-256"
            f" {str(learned)[:12]}…, now {digest[:12]}…): put the old data back, {otherwise}"
        )


def _check_settings(config: ContinuousConfig, ensemble: Ensemble) -> None:
    """UserError for a setting of the world model's training that was typed and is not the one that
    the saved `ensemble` was trained with; nothing else would tell that it has no effect."""
    path, ours = ensemble_path(config), config.ensemble
    sizes = {"total_size": ensemble.size, "hidden_size": ensemble.hidden_size}
    typed = typed_keys()
    for name, value in (trained_settings(path) | sizes).items():
        given = getattr(ours, name, value)
        if given != value and f"ensemble.{name}" in typed:
            raise UserError(
                f"{path} was trained with ensemble.{name}={value}, not {given}, which has no effect"
                " on a world model that is there already: leave it out, or train another one in"
                f" an ensemble.save_dir of its own with `{_training_command(config)}"
                " ensemble.save_dir=<folder>`"
            )
    if (ensemble.size, ensemble.hidden_size) != (ours.total_size, ours.hidden_size):
        print(
            f"note: {path} has {ensemble.size} members of {ensemble.hidden_size} hidden units, not"
            f" {ours.total_size} of {ours.hidden_size} as ensemble.* says for the next training",
            flush=True,
        )


def _training_command(config: ContinuousConfig) -> str:
    def otherwise() -> list[str]:
        folder, name = config.domain, f"dataset_name={config.dataset_name}"
        with composed_config(f"{folder}/base", [name]) as base:
            differing = differing_overrides(config, base, WORLD_MODEL_KEYS)
        return [f"--config-path=../configs/{folder}", "--config-name=base", name, *differing]

    return sibling_command(
        "offline_world/cont_ensemble.py",
        (*WORLD_MODEL_KEYS, "task", "seeds"),
        otherwise=otherwise,
    )
