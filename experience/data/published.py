"""The 33 published datasets of the paper as files: address, place on this disk, how to check."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from catalogue.domains import D4RL_LOCO, NEORL
from experience.data.dataset import check_dimensions
from experience.data.sources import hdf5, neorl_npz
from experience.data.sources.d4rl_files import D4RL_URLS, d4rl_path
from experience.tasks import DATASETS, get_task
from harness.errors import UserError
from neorl.datasets import NEORL_DATASETS, dataset_path


@dataclass(frozen=True)
class PublishedFile:
    """One published dataset; `md5` is None where the publisher gives no checksum (D4RL)."""

    name: str
    domain: str
    url: str
    path: Path
    md5: str | None

    def check_contents(self, path: Path) -> None:
        """Reads all of `path` and raises a `UserError` at the first thing training would miss."""
        task = get_task(self.domain, self.name)
        remedy = "get an intact copy"
        if task.source == "neorl":
            dataset = neorl_npz.read(path, task.horizon, self.name, remedy)
        else:
            dataset = hdf5.read(path, self.name, remedy)
        check_dimensions(dataset, task.state_dim, task.action_dim, self.name)
        if self.domain == D4RL_LOCO and dataset.next_observations is None:
            raise UserError(f"{self.name} lacks the array 'next_observations'; {remedy}")


def published_files(mirror: str | None = None) -> dict[str, PublishedFile]:
    """Every published dataset by name, domain by domain.

    `mirror`, such as "https://host/folder", takes the place of the publishers' scheme and host.
    Raises `UserError` if it is not an http(s) address.
    """
    if mirror is not None and urlsplit(mirror).scheme not in ("http", "https"):
        raise UserError(f"--mirror {mirror!r} is not an address such as https://host/folder")

    def published(name: str, domain: str) -> PublishedFile:
        if domain == NEORL:
            url, path, md5 = NEORL_DATASETS[name].url, dataset_path(name), NEORL_DATASETS[name].md5
        else:
            url, path, md5 = D4RL_URLS[name], d4rl_path(name), None
        if mirror is not None:
            url = mirror.rstrip("/") + urlsplit(url).path
        return PublishedFile(name=name, domain=domain, url=url, path=path, md5=md5)

    return {name: published(name, domain) for domain, names in DATASETS.items() for name in names}


def select(
    files: Mapping[str, PublishedFile], names: Iterable[str], domains: Iterable[str]
) -> list[PublishedFile]:
    """The files that are named or belong to a named domain; all of them if nothing is named.

    Raises `UserError` for unknown names and lists near ones.
    """
    names, domains = list(names), list(domains)
    for name in names:
        if name not in files:
            near = difflib.get_close_matches(name, files, n=3, cutoff=0.3)
            raise UserError(
                f"there is no dataset {name!r}; near names: {', '.join(near) or 'none'}; "
                "see all with --list"
            )
    if not names and not domains:
        return list(files.values())
    return [file for file in files.values() if file.name in names or file.domain in domains]
