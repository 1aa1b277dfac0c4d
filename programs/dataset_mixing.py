"""Datasets of one environment joined, whole or their beginnings."""

from contextlib import closing
from pathlib import Path
from typing import Any

from experience.data import own_file
from experience.data.rows import Dataset
from experience.data.sources import hdf5
from experience.environment_names import same_environment
from experience.wrapper import flat_sizes, make_env
from harness.errors import UserError
from harness.process.reporting import say
from programs.dataset_order import Order, digest


class Mixture:
    """Whole files one after the other, or their beginnings."""

    def __init__(self, order: Order, domain: str):
        with closing(make_env(domain, order.name, order.env, order.engine)) as env:
            self.environment = env.spec.id
            self._joined = _mixed(order, self.environment, flat_sizes(env))
        self.origin = {"sources": [_origin(source) for source in order.sources]}

    def dataset(self, path: Path, settings: dict[str, Any]) -> Dataset:
        return self._joined

    def discard(self) -> None:
        """Nothing was left on the way."""


def _mixed(order: Order, environment: str, sizes: tuple[int, int]) -> Dataset:
    if len(order.sources) < 2:
        raise UserError("--policy mix joins several files: name at least two with --files")
    remedy = "give a file that make_dataset.py made"
    files = [hdf5.read(source, str(source), remedy) for source in order.sources]
    for source in order.sources:
        _require_file_of(environment, source, order.name)
    for file, source in zip(files, order.sources, strict=True):
        widths = file.observations.shape[1], file.actions.shape[1]
        if widths != sizes:
            raise UserError(
                f"{source} has states and actions of {widths[0]} and {widths[1]} numbers, and"
                f" {environment} of {sizes[0]} and {sizes[1]}: mix datasets of one environment"
            )
        if file.next_observations is None or not (file.terminals | file.timeouts)[-1]:
            raise UserError(
                f"{source} has no next_observations or ends within an episode, which would run into"
                f" the next file's first; {remedy}"
            )
    if order.rows is not None or order.episodes is not None:
        for file, source in zip(files, order.sources, strict=True):
            _require_enough(order, file, source)
        files = [
            own_file.whole_episodes(f, rows=order.rows, episodes=order.episodes) for f in files
        ]
    return own_file.joined(files)


def _require_file_of(environment: str, source: Path, name: str) -> None:
    other = own_file.environment_of(source)
    if other is None:
        say(f"note: {source} does not say what environment it is of; only its sizes are compared")
    elif not same_environment(environment, other):
        raise UserError(
            f"{source} is of {other}, and {name} is of {environment}: mix datasets of one"
            " environment"
        )


def _require_enough(order: Order, file: Dataset, source: Path) -> None:
    episodes = len(own_file.episode_starts(file))
    for wanted, there, what in (
        (order.rows, file.rows, "rows"),
        (order.episodes, episodes, "episodes"),
    ):
        if wanted is not None and there < wanted:
            raise UserError(
                f"--{what} {wanted} is wanted of each file, and {source} has {there:,} {what}: give"
                " at most as many, or neither --rows nor --episodes for whole files"
            )


def _origin(source: Path) -> dict[str, Any]:
    found = own_file.attributes(source)
    kept = ("dataset_name", "policy", "seed", "settings")
    return {"file": source.name, "sha256": digest(source)} | {
        key: str(found[key]) for key in kept if key in found
    }
