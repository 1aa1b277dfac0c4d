"""Where the NeoRL datasets are published and where they are kept."""

import difflib
import os
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UserError

_SERVER = "http://datasets.polixir.site/v2"
_MD5 = {
    "HalfCheetah-v3-low": "5afc938d022d5ae6afed25397d457e8d",
    "HalfCheetah-v3-medium": "b13bd54a0466f86455939a1175762a2a",
    "HalfCheetah-v3-high": "e253a2613de6acbbb05ad0441e4949b8",
    "Hopper-v3-low": "95a0c17014ba9fc45e739c820f3910ef",
    "Hopper-v3-medium": "c54404ee2f9b3eeb9168b35d48dca341",
    "Hopper-v3-high": "91e711f30d4379cd627f63acfcfeb3c7",
    "Walker2d-v3-low": "3e88129538b30400b5b2b81d7f5a0044",
    "Walker2d-v3-medium": "a93baf6c53b578cd8c2286ccc1f837d9",
    "Walker2d-v3-high": "ad15293c78a204fa20bb05e5206d0cb4",
}


@dataclass(frozen=True)
class NeorlDataset:
    """One published file: 1000 noisy training trajectories of one task at one level."""

    task: str
    level: str
    md5: str

    @property
    def file_name(self) -> str:
        """NeoRL's own name of the file."""
        return f"{self.task}-{self.level}-1000-train-noise.npz"

    @property
    def url(self) -> str:
        """Its address on NeoRL's server."""
        return f"{_SERVER}/{self.task}/{self.file_name}"


def _published(name: str, md5: str) -> NeorlDataset:
    task, _, level = name.rpartition("-")
    return NeorlDataset(task, level, md5)


NEORL_DATASETS: dict[str, NeorlDataset] = {
    name: _published(name, md5) for name, md5 in _MD5.items()
}


def get_dataset(name: str) -> NeorlDataset:
    """The dataset called `name`, such as "Hopper-v3-low"; a `UserError` lists near names."""
    if name not in NEORL_DATASETS:
        near = difflib.get_close_matches(name, NEORL_DATASETS, n=3, cutoff=0.4)
        raise UserError(
            f"there is no NeoRL dataset {name!r}; "
            f"choose one such as {', '.join(near or sorted(NEORL_DATASETS))}"
        )
    return NEORL_DATASETS[name]


def dataset_folder() -> Path:
    """$NEORL_DATASET_DIR, or NeoRL's own ~/.neorl."""
    return Path(os.environ.get("NEORL_DATASET_DIR") or "~/.neorl").expanduser()


def dataset_path(name: str) -> Path:
    """Where the file of dataset `name` is kept, whether it is there yet or not."""
    return dataset_folder() / get_dataset(name).file_name
