"""How the data of each source is read: `env.dataset_path` may say <source>:<path>."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from experience.data.origin import OriginOf
from experience.data.rows import Dataset
from experience.data.sources import hdf5, minari_local, neorl_npz
from experience.data.sources.d4rl_files import d4rl_path
from harness.checkout import script_command
from harness.errors import UserError
from neorl.datasets import dataset_path as neorl_path


@dataclass(frozen=True)
class Wanted:
    """A dataset to read: its name, what its source knows it by, and its episodes' greatest length.

    `origin_of` says what a user's own states are measured from, `missing` what to do where the
    dataset is not there.
    """

    name: str
    path: str
    horizon: int
    origin_of: OriginOf | None
    missing: str


#: A reader returns the checked rows as they are stored, and names the dataset for later errors.
Reader = Callable[[Wanted], tuple[Dataset, str]]


def existing(wanted: Wanted, path: Path) -> str:
    """What errors call the dataset in the file `path`; UserError if there is no such file."""
    where = f"dataset {wanted.name} ({path})"
    if not path.is_file():
        raise UserError(f"{where} does not exist; {wanted.missing}")
    return where


def _d4rl(wanted: Wanted) -> tuple[Dataset, str]:
    path = d4rl_path(wanted.path)
    where = existing(wanted, path)
    return hdf5.read(path, where, _download_again(wanted)), where


def _neorl(wanted: Wanted) -> tuple[Dataset, str]:
    path = neorl_path(wanted.path)
    where = existing(wanted, path)
    return neorl_npz.read(path, wanted.horizon, where, _download_again(wanted)), where


def _own_path(path: str) -> Path:
    return Path(path).expanduser()


def _hdf5(wanted: Wanted) -> tuple[Dataset, str]:
    path = _own_path(wanted.path)
    where = existing(wanted, path)
    return hdf5.read(path, where, "write the file again", wanted.origin_of), where


def _pendulum(wanted: Wanted) -> tuple[Dataset, str]:
    from experience.data.pendulum import check_name, make_pendulum_dataset

    path = _own_path(wanted.path)
    if not path.exists():
        check_name(wanted.name)
        make_pendulum_dataset(path, wanted.name)
    where = existing(wanted, path)
    return hdf5.read(path, where, "delete it and it will be made again", wanted.origin_of), where


def _minari(wanted: Wanted) -> tuple[Dataset, str]:
    where = f"dataset minari:{wanted.path}"
    return minari_local.read(wanted.path, where, wanted.origin_of), where


#: `Task.source` → its reader.
READERS: dict[str, Reader] = {
    "d4rl": _d4rl,
    "neorl": _neorl,
    "hdf5": _hdf5,
    "minari": _minari,
    "pendulum": _pendulum,
}
#: `Task.source` → where it has the dataset of this name or path; others know that themselves.
FILES: dict[str, Callable[[str], Path]] = {
    "d4rl": d4rl_path,
    "neorl": neorl_path,
    "hdf5": _own_path,
    "pendulum": _own_path,
}
#: Read by the published name; actions are as the publisher has them.
PUBLISHED = ("d4rl", "neorl")


def split_source(dataset_path: str, otherwise: str) -> tuple[str, str]:
    """(source, path) of `env.dataset_path`; `otherwise` is the source of a path without one."""
    source, colon, path = dataset_path.partition(":")
    return (source, path) if colon and source in READERS else (otherwise, dataset_path)


def name_of(dataset_path: str) -> str:
    """A name for the dataset at `env.dataset_path`: the path's last part, without its suffix."""
    return Path(split_source(dataset_path, "")[1]).stem


def _download_again(wanted: Wanted) -> str:
    return f"delete it and download it again with {fetch(wanted.path)}"


def fetch(name: str) -> str:
    """The command that downloads a published dataset."""
    return f"`{script_command('get_all_datasets.py')} {name}`"
