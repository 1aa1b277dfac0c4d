"""HDF5 files in D4RL's layout."""

from pathlib import Path
from typing import Any

import numpy as np

from experience.data.origin import OriginOf
from experience.data.rows import OPTIONAL_KEYS, REQUIRED_KEYS, Dataset, from_d4rl_layout
from harness.errors import UserError, first_line
from harness.process.free_memory import free_host_bytes

#: Share of the free memory that one array may take.
MOST_OF_FREE = 0.8
#: All that h5py and HDF5 were seen to raise on damaged files.
UNREADABLE = (
    *(OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError),
    *(OverflowError, MemoryError, NotImplementedError),
)

#: Arrays of other places in a file that an error names at most.
_NAMED_ARRAYS = 12


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
            # the names alone: asking for a link would follow it
            present = set(file)
            for key in (*REQUIRED_KEYS, *OPTIONAL_KEYS):
                if key in present:
                    _refuse_elsewhere(file, key, where)
                    if isinstance(file[key], h5py.Dataset):
                        arrays[key] = _read(file[key], where)
            missing = [key for key in REQUIRED_KEYS if key not in arrays]
            if missing:
                raise UserError(
                    f"{where} lacks the arrays {missing}; {_hint(set(missing), _names(file))}"
                )
    except UserError:
        raise
    except UNREADABLE as error:
        kind = _other_format(path)
        if kind is not None:
            raise UserError(f"{where} is {kind}, not an HDF5 file: write it as HDF5") from error
        reason = first_line(error)
        raise UserError(f"{where} is truncated or not an HDF5 file ({reason}); {remedy}") from error
    return from_d4rl_layout(arrays, where, origin_of)


def _refuse_elsewhere(file: Any, key: str, where: str) -> None:
    """A file that someone gave us may not make us read others of this machine."""
    import h5py

    if isinstance(file.get(key, getlink=True), h5py.ExternalLink) or (
        isinstance(file[key], h5py.Dataset) and (file[key].external or file[key].is_virtual)
    ):
        raise UserError(
            f"{where}: '{key}' lies in another file, to which this one only points; write its"
            " numbers into this file"
        )


def _read(stored: Any, where: str) -> np.ndarray:
    name = stored.name.removeprefix("/")
    if stored.shape is None:
        raise UserError(f"{where}: '{name}' is empty; store one row per step")
    # chunks that were never written cost nothing in the file, and everything in memory
    if stored.nbytes > MOST_OF_FREE * free_host_bytes():
        raise UserError(
            f"{where}: '{name}' claims {stored.nbytes:,} bytes, more than this machine's free"
            " memory; use a smaller dataset or a larger machine"
        )
    return np.asarray(stored[()])


def _names(file: Any) -> list[str]:
    """The paths of all arrays in an open HDF5 file."""
    import h5py

    names: list[str] = []

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            names.append(name)

    # links to other files are not followed
    file.visititems(note)
    return sorted(names)


def _hint(missing: set[str], names: list[str]) -> str:
    """What a file without the wanted arrays has instead, and what that looks like."""
    if not names:
        return "it has no arrays at all"
    if any(name.startswith("episode_") for name in names):
        return (
            "its groups episode_0, … are Minari's: give env.dataset_path=minari:<dataset id>, which"
            " minari reads"
        )
    shown = ", ".join(names[:_NAMED_ARRAYS])
    more = f" and {len(names) - _NAMED_ARRAYS:,} more" if len(names) > _NAMED_ARRAYS else ""
    if not missing.difference(("terminals", "timeouts")) and not any("/" in name for name in names):
        return (
            f"it has {shown}{more}: add one number for each row, 1 in the last row of an episode"
            " that ended (terminals) or was cut off (timeouts), 0 in all others"
        )
    return f"it has {shown}{more}: store them under those names at the top of the file"


def _other_format(path: Path) -> str | None:
    """What a file that is not HDF5 is instead, by its first bytes."""
    with path.open("rb") as file:
        start = file.read(6)
    kinds = {b"PK": "a zip or npz file", b"\x93NUMPY": "an npy file", b"\x80": "a pickle"}
    return next((kind for magic, kind in kinds.items() if start.startswith(magic)), None)
