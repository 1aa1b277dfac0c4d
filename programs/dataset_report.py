"""What dataset_report.py does: read, assess, draw, say what follows."""

import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from catalogue.domains import CUSTOM
from experience.data.dataset import Dataset, check_dimensions, load_dataset
from experience.data.quality import Quality, assess
from experience.data.readers import name_of, split_source
from experience.data.transitions import world_transitions
from experience.histories import histories_of
from experience.history_store import HistoryStore
from experience.tasks import Task, domain_of, get_task
from figures.dataset_page import draw_page
from harness.configuration.groups import EnvConfig, RolloutConfig
from harness.errors import UserError
from harness.files import write_text
from offline_world.checkpoint import load_ensemble, stored_data
from offline_world.selection import row_uncertainties
from programs.world_data import WorldData

#: Percentiles of every distribution in the table.
_PERCENTILES = (0, 25, 50, 75, 100)
_UNSCORED = 0.0, 1.0


def report(
    task: Task,
    folder: Path,
    *,
    scored: bool = True,
    world_model: Path | None = None,
    trained_on: Task | None = None,
) -> list[Path]:
    """Write `<name>.md` and its page of figures into `folder`; returns all paths.

    `world_model` is an ensemble whose uncertainty of the rows is shown; it was trained on the
    dataset `trained_on`, by default this one. Raises UserError for whatever is wrong with a file.
    """
    dataset = load_dataset(task)
    quality = assess(dataset, task)
    uncertainties = None
    if world_model is not None:
        learned = dataset if trained_on is None else load_dataset(trained_on)
        uncertainties = _uncertainties(world_model, dataset, learned, trained_on or task)
    stem = folder / Path(task.dataset_name).name
    paths = draw_page(quality, task.dataset_name, stem, scored=scored, uncertainties=uncertainties)
    page = stem.with_name(f"{stem.name}.md")
    write_text(page, _markdown(dataset, task, quality, stem.name, scored, uncertainties))
    print(page.read_text())
    return [page, *paths]


def task_of(
    dataset: str, horizon: int | None, ref_min: float | None, ref_max: float | None
) -> tuple[Task, bool]:
    """The task of a known name, a file or a Minari dataset, and whether its scores mean something.

    Raises UserError for a name that is neither.
    """
    domain = domain_of(dataset)
    if domain is not None:
        return get_task(domain, dataset), True
    names_source = split_source(dataset, "")[0] != ""
    if not names_source and not Path(dataset).exists():
        raise UserError(
            f"{dataset!r} is neither a dataset's name nor a file: give one such as"
            " hopper-medium-v2, an HDF5 file, or minari:<id>"
        )
    if horizon is None:
        raise UserError(f"say with --horizon how many steps an episode of {dataset} may have")
    scored = ref_min is not None and ref_max is not None
    low, high = (ref_min, ref_max) if scored else _UNSCORED
    env = EnvConfig(dataset_path=dataset, horizon=horizon, ref_min=low, ref_max=high)
    return get_task(CUSTOM, name_of(dataset), env), scored


def _uncertainties(
    world_model: Path, dataset: Dataset, learned: Dataset, trained_on: Task
) -> Float[np.ndarray, " row"]:
    states, actions = dataset.observations.shape[1], dataset.actions.shape[1]
    check_dimensions(learned, states, actions, f"dataset {trained_on.dataset_name}")
    ensemble = load_ensemble(world_model, states, actions)
    if stored_data(world_model) not in (None, learned.digest):
        print(
            f"warning: {world_model} learned from other data than those of"
            f" {trained_on.dataset_name} are now, or from other clips and ends of them: its"
            " uncertainty is that of inputs which are normalised in another way",
            file=sys.stderr,
            flush=True,
        )
    scaler = WorldData.from_dataset(learned, trained_on).scaler
    rows = world_transitions(dataset)
    inputs = scaler.inputs(jnp.asarray(rows.states), jnp.asarray(rows.actions))
    return row_uncertainties(ensemble, inputs, RolloutConfig.unc_type)


def _markdown(
    dataset: Dataset,
    task: Task,
    quality: Quality,
    stem: str,
    scored: bool,
    uncertainties: np.ndarray | None,
) -> str:
    distributions = {"return": quality.returns}
    if scored:
        distributions["normalised score"] = quality.scores
    distributions |= {
        "steps in an episode": quality.lengths,
        "distance to the nearest other episode": quality.distances,
    }
    if uncertainties is not None:
        distributions["uncertainty of the ensemble"] = uncertainties
    header = "| | mean | " + " | ".join(_percentile(p) for p in _PERCENTILES) + " |"
    table = [header, "|---" * (len(_PERCENTILES) + 2) + "|"]
    for name, values in distributions.items():
        numbers = (values.mean(), *np.percentile(values, _PERCENTILES)) if len(values) else ()
        table.append(f"| {name} | " + " | ".join(f"{number:.4g}" for number in numbers) + " |")
    ends = ", ".join(f"{count} by {name}" for name, count in quality.ends.items() if count)
    facts = [
        f"{dataset.rows:,} rows in {len(quality.lengths):,} episodes, which ended: {ends}.",
        f"Actions at their bounds: {quality.saturation.mean():.1%} of all, at most"
        f" {quality.saturation.max():.1%} in one dimension.",
        "Effective rank of states and actions (Roy and Vetterli 2007):"
        f" {quality.effective_rank:.1f} of {quality.columns}.",
    ]
    parts = [f"# {task.dataset_name}", f"![figures]({stem}.png)", "\n".join(table)]
    parts += ["\n".join(f"- {fact}" for fact in facts)]
    if quality.oddities:
        parts += ["## Look at this", "\n".join(f"- {oddity}." for oddity in quality.oddities)]
    hints = _hints(dataset, task, quality, scored)
    parts += ["## What to study", "\n".join(f"- {hint}" for hint in hints)]
    return "\n\n".join(parts) + "\n"


def _percentile(p: int) -> str:
    return {0: "least", 50: "median", 100: "greatest"}.get(p, f"{p} %")


def _hints(dataset: Dataset, task: Task, quality: Quality, scored: bool):
    yield (
        f"`train.batch_size`: more than {task.horizon}, the steps of an imagined episode at most;"
        " its imagined rows come last, and a shorter tape is cut before them."
    )
    spread = np.ptp(np.percentile(quality.scores, [10, 90]))
    level = float(np.median(quality.scores))
    if not scored:
        kind, weights = "data of unknown quality (no reference returns)", "0.05,0.5,0.8"
    elif level < 0.1 and spread < 0.1:
        kind, weights = "poor data, as the published random sets (0.5 to 0.8 there)", "0.5,0.8"
    elif spread > 0.2:
        kind, weights = (
            "data of mixed quality, as the published medium-replay sets (0.05 to 0.5 there)",
            "0.05,0.5",
        )
    else:
        kind, weights = "data of one quality, as the published medium sets", "0.5,0.8"
    yield f"`train.real_weight`: {kind}; try `train.real_weight={weights}`."
    yield (
        "`collect.unc_quantile`: 1.0 is the published value; where the greatest uncertainties are"
        " far from the rest, try `collect.unc_quantile=0.9,0.99,1.0`."
    )
    stored, learned = HistoryStore.from_tape(histories_of(dataset, task)).end_shares()
    if stored:
        yield (
            f"Q near the ends of episodes: {stored:.2%} of the transitions are terminal, but"
            f" {learned:.2%} of the real ones in a replay, where a history goes as far as its"
            " rollout branches off. Whether critics learn them: `eval_values.py <run>`."
        )
