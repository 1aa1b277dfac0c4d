"""The compounding-error figures (eq. 54, 55): growth over time, and error against uncertainty."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from figures.canvas import COLOURS, new_figure, save_figure, share_x, shared_legend, tidy
from figures.error_files import NAMES, TOLD_STEPS, error_folder, load_errors
from figures.error_quantiles import QUANTILES, step_quantiles
from harness.files import write_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LABELS = {True: "with LayerNorm", False: "without LayerNorm"}
_PANELS = {
    "rmse": "state RMSE against the log",
    "oracle_rmse": "state RMSE against the\ntrue environment, going on",
    "rms": "RMS of the imagined state",
    "reward_error": "reward error r̂ − r",
    "uncertainty": "uncertainty",
}
# Drawn in place of ±inf, which a logarithmic axis has no place for.
_LARGEST = 1e30
# Epochs of training that differ by more than this factor are warned of.
_UNEQUAL = 2
# Factor by which a panel goes beyond the medians; a band that goes further is cut there.
_ROOM = 30
# What has a sign is drawn on an axis that is linear up to here.
_SIGNED, _LINEAR = ("reward_error",), 1e-2


def plot_compounding(
    plot_dir: Path, train_dataset: str, eval_dataset: str, out: Path | None = None
) -> list[Path]:
    """Draws and tabulates the files of both world models; returns the paths of what it wrote.

    The figures go to `out`, by default beside the arrays. Raises UserError if one of the two is
    missing.
    """
    errors = {
        has_ln: load_errors(plot_dir, train_dataset, eval_dataset, has_ln)
        for has_ln in (True, False)
    }
    home = error_folder(plot_dir, train_dataset, eval_dataset)
    title = f"world model of {train_dataset} on {home.name}"
    title += _trained(errors)
    folder = out or home
    return [
        *plot_growth(errors, folder / "compounding_error", title),
        *plot_uncertainty(errors, folder / "error_and_uncertainty", title),
        write_medians(errors, folder / "compounding_error.md", title),
    ]


def _trained(errors: dict[bool, dict]) -> str:
    """How long each world model was trained, and a warning, also on the screen, where it differs so
    much that it may be what is seen; nothing where no file says it."""
    epochs = {
        has_ln: np.unique(of_model["epochs"][np.isfinite(of_model["epochs"])])
        for has_ln, of_model in errors.items()
        if "epochs" in of_model
    }
    words = [
        f"{_LABELS[has_ln]} {'unknown' if not found.size else _range(found)}"
        for has_ln, found in epochs.items()
    ]
    known = np.concatenate(list(epochs.values())) if epochs else np.zeros(0)
    if not known.size:
        return ""
    text = f" (epochs of training: {', '.join(words)})"
    if known.max() > _UNEQUAL * known.min():
        warning = "the world models were not trained alike: compare them with care"
        print(f"warning:{text}: {warning}", file=sys.stderr, flush=True)
        text += f" – {warning}"
    return text


def _range(epochs: np.ndarray) -> str:
    return " to ".join(f"{epoch:.0f}" for epoch in dict.fromkeys((epochs.min(), epochs.max())))


def spearman(errors: dict[str, np.ndarray]) -> float:
    """Rank correlation of uncertainty and RMSE over all steps of all trajectories."""
    from scipy.stats import spearmanr

    uncertainty, rmse = uncertainty_and_error(errors)
    result: Any = spearmanr(uncertainty, rmse)
    return float(result.statistic)


def uncertainty_and_error(errors: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Uncertainty and RMSE of every logged step, flat."""
    rmse = errors["rmse"]
    uncertainty = errors["uncertainty"][: len(rmse)]
    logged = ~np.isnan(rmse)
    return uncertainty[logged], rmse[logged]


def plot_growth(errors: dict[bool, dict], stem: Path, title: str) -> list[Path]:
    """Median and 5–95 % band of every error against log₂ t; beyond 1e30 they are drawn there."""
    # only what both have: one may have been evaluated without an oracle
    shared = errors[True].keys() & errors[False].keys()
    panels = {name: label for name, label in _PANELS.items() if name in shared}
    columns = 3
    rows = -(-len(panels) // columns)
    figure = new_figure(rows, columns)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    arrays = {"quantiles": np.array(QUANTILES)}
    cut = False
    for ax, (name, label) in zip(axes, panels.items(), strict=False):
        for has_ln, colour in zip((True, False), COLOURS, strict=False):
            low, median, high = bands = step_quantiles(errors[has_ln][name])
            step = np.arange(1, len(median) + 1)
            shown = np.clip(bands, -_LARGEST, _LARGEST)
            ax.plot(step, shown[1], color=colour, lw=1.6, label=_LABELS[has_ln])
            ax.fill_between(step, shown[0], shown[2], color=colour, alpha=0.18, lw=0)
            arrays[f"{NAMES[has_ln]}_{name}"] = bands
        ax.set_xscale("log", base=2)
        if name in _SIGNED:
            ax.set_yscale("symlog", linthresh=_LINEAR)
        else:
            ax.set_yscale("log")
            cut |= _fit_to_medians(ax, [arrays[f"{NAMES[has_ln]}_{name}"] for has_ln in _LABELS])
        tidy(ax, "step t", label)
    share_x(axes)
    for ax in axes[len(panels) :]:
        ax.set_axis_off()
    note = "; bands are cut where they leave the medians far" if cut else ""
    shared_legend(figure, f"{title}: median and 5–95 % of the trajectories that reach step t{note}")
    return save_figure(figure, stem, arrays)


def _fit_to_medians(ax: "Axes", of_models: list[np.ndarray]) -> bool:
    """Lets a logarithmic panel show the medians, whatever their bands do; whether a band is cut."""
    bands = np.clip(np.concatenate(of_models, axis=1), None, _LARGEST)
    bands = bands[:, np.isfinite(bands).all(0)]
    medians = bands[1][bands[1] > 0]
    if not medians.size:
        return False
    low, high = medians.min() / _ROOM, medians.max() * _ROOM
    ax.set_ylim(max(low, ax.get_ylim()[0]), min(high, ax.get_ylim()[1]))
    return bool((bands[2] > high).any() or (bands[0] < low).any())


def write_medians(errors: dict[bool, dict], path: Path, title: str) -> Path:
    """The median RMSE of each seed and of all seeds' trajectories, as a Markdown table; – where no
    trajectory is that long."""
    longest = max(len(of_model["rmse"]) for of_model in errors.values())
    steps = [step for step in TOLD_STEPS if step <= longest]
    lines = [
        f"State RMSE, {title}: median over trajectories, 95 % quantile in brackets.",
        "",
        "| world model | seed | trajectories | " + " | ".join(f"step {t}" for t in steps) + " |",
        "| --- | --- | --- |" + " --- |" * len(steps),
    ]
    for has_ln, label in _LABELS.items():
        seeds, rmse = errors[has_ln]["seed"], errors[has_ln]["rmse"]
        chosen = {str(seed): seeds == seed for seed in np.unique(seeds)}
        for name, of_seed in (chosen | {"all": np.full(seeds.shape, True)}).items():
            _, median, high = step_quantiles(rmse[:, of_seed])
            cells = [
                f"{median[t - 1]:.4g} ({high[t - 1]:.4g})"
                if t <= len(median) and not np.isnan(median[t - 1])
                else "–"
                for t in steps
            ]
            lines.append(f"| {label} | {name} | {of_seed.sum()} | " + " | ".join(cells) + " |")
    write_text(path, "\n".join(lines) + "\n")
    return path


def plot_uncertainty(errors: dict[bool, dict], stem: Path, title: str) -> list[Path]:
    """RMSE against uncertainty with the rollout thresholds and the Spearman coefficient."""
    figure = new_figure(1, 2, width=5, height=4)
    axes = figure.subplots(1, 2, sharey=True)
    arrays = {}
    for ax, has_ln in zip(axes, (True, False), strict=True):
        uncertainty, rmse = uncertainty_and_error(errors[has_ln])
        coefficient = spearman(errors[has_ln])
        _density(ax, uncertainty, rmse)
        _thresholds(ax, errors[has_ln])
        ax.set_title(f"{_LABELS[has_ln]}, Spearman {coefficient:.2f}", fontsize=10)
        tidy(ax, "uncertainty", "state RMSE against the log" if has_ln else "")
        name = NAMES[has_ln]
        arrays |= {
            f"{name}_spearman": np.array(coefficient),
            f"{name}_uncertainty": uncertainty,
            f"{name}_rmse": rmse,
            f"{name}_thresholds": errors[has_ln]["thresholds"],
        }
    arrays["threshold_quantiles"] = errors[True]["threshold_quantiles"]
    shared_legend(figure, title)
    return save_figure(figure, stem, arrays)


def _density(ax: "Axes", uncertainty: np.ndarray, rmse: np.ndarray) -> None:
    """How many steps lie where, on logarithmic axes; zero and infinity have no place there."""
    from matplotlib.ticker import NullFormatter

    drawn = (uncertainty > 0) & (rmse > 0) & (uncertainty < _LARGEST) & (rmse < _LARGEST)
    ax.hexbin(
        uncertainty[drawn],
        rmse[drawn],
        xscale="log",
        yscale="log",
        bins="log",
        gridsize=50,
        mincnt=1,
        cmap="Greys",
        linewidths=0.1,
    )
    # over a decade or two the labels between the powers of ten would cover each other
    ax.xaxis.set_minor_formatter(NullFormatter())


def _thresholds(ax: "Axes", errors: dict[str, np.ndarray]) -> None:
    lines = zip(errors["threshold_quantiles"], errors["thresholds"], COLOURS, strict=False)
    for quantile, threshold, colour in lines:
        ax.axvline(threshold, color=colour, lw=1.4, ls="--", label=f"ζ = {quantile:.4g}")
