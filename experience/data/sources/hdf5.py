"""HDF5 files in D4RL's layout."""

from pathlib import Path

from experience.data.origin import OriginOf
from experience.data.rows import OPTIONAL_KEYS, REQUIRED_KEYS, Dataset, from_d4rl_layout
from harness.errors import UserError


def read(path: Path, where: str, remedy: str, origin_of: OriginOf | None = None) -> Dataset:
    """The dataset in the HDF5 file at `path`.

    Only the top-level arrays of D4RL's layout are read; groups such as `infos/` and `metadata/`
    are left alone. `where` names the dataset in errors and `remedy` says what to do about a file
    that is damaged; `origin_of` is that of `from_d4rl_layout`. Raises UserError for a damaged file
    and for every fault of its contents.
    """
    import h5py

    arrays = {}
    try:
        with h5py.File(path, "r") as file:
            for key in (*REQUIRED_KEYS, *OPTIONAL_KEYS):
                if isinstance(file.get(key), h5py.Dataset):
                    arrays[key] = file[key][()]
    except (OSError, RuntimeError, KeyError) as error:  # what h5py raises on damaged files
        raise UserError(f"{where} is truncated or not an HDF5 file ({error}); {remedy}") from error
    return from_d4rl_layout(arrays, where, origin_of)
