"""Ensemble files in the published format.

First line: JSON `{"ensemble_size", "hidden_size", "has_ln"}`. Then one array after another as
`numpy.save` writes it: the state size (continuous ensembles only), for each block the linear
weight (member, out, in) and bias and the LayerNorm weight and bias if any, then weight and bias of
the mean head and of the log σ head. A bandit's file has two blocks, no state size, no `has_ln`.

Our own add to the first line, where readers of the published format pass over it, what they learned
from: `"statistics"`, how their inputs were normalised, and `"data"`, the digest of the dataset.

Our own files end with a line `sha256 <digest of all before it>`, which the published reader leaves
unread. Published files have none: of theirs, structure and finite numbers are checked.
"""

import hashlib
import json
import math
import os
import tokenize
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from harness.errors import UserError
from harness.files import atomic_write
from harness.saving.manifest import hashed_file
from offline_world.modules import BANDIT_DEPTH, CONTINUOUS_DEPTH, Ensemble
from offline_world.scaler import Statistics

#: Of members and of hidden units: a header beyond it is damaged.
LARGEST_SIZE = 2**20
_LONGEST_HEADER = 2**12
_CHECKSUM = b"sha256 "
_TRAILER = len(_CHECKSUM) + 64 + len(b"\n")
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
#: All that the header of a damaged array was seen to raise.
_UNREADABLE = (
    *(ValueError, TypeError, LookupError, SyntaxError, OSError),
    *(MemoryError, RecursionError, tokenize.TokenError),
)


def load_ensemble(path: Path | str, state_dim: int, action_dim: int) -> Ensemble:
    """The continuous ensemble in `path`, for states and actions of these sizes.

    Raises UserError for a missing, foreign or truncated file and for other sizes.
    """

    def skeleton(header):
        return _skeleton(header, state_dim + action_dim, state_dim + 1, residual=state_dim)

    return _load(Path(path), skeleton, f"state size {state_dim} and action size {action_dim}")


def load_bandit_ensemble(path: Path | str, arms: int) -> Ensemble:
    """The bandit's reward ensemble in `path`, for this number of arms; errors as above."""

    def skeleton(header):
        return _skeleton(header, arms, 1, residual=0)

    return _load(Path(path), skeleton, f"{arms} arms")


def stored_statistics(path: Path | str) -> Statistics | None:
    """How the inputs of the ensemble in `path` were normalised; None where the file does not say.

    Raises UserError for a file that is no ensemble's.
    """
    path = Path(path)
    with _opened(path) as file:
        word = _read_header(path, file.readline(_LONGEST_HEADER)).get("statistics")
    if word not in (None, *Statistics):
        raise UserError(
            f"the world model {path} was trained with {word!r} statistics, which are not known:"
            " it is of a later version"
        )
    return None if word is None else Statistics(word)


def stored_data(path: Path | str) -> str | None:
    """The digest of the dataset that the ensemble in `path` learned from; errors as above."""
    path = Path(path)
    with _opened(path) as file:
        return _read_header(path, file.readline(_LONGEST_HEADER)).get("data")


def is_ours(path: Path | str) -> bool:
    """Whether the ensemble in `path` ends with the checksum that published files do not have."""
    with _opened(Path(path)) as file:
        file.seek(-min(_TRAILER, file.seek(0, os.SEEK_END)), os.SEEK_END)
        return file.read().startswith(_CHECKSUM)


def save_ensemble(
    path: Path | str,
    ensemble: Ensemble,
    statistics: Statistics | None = None,
    data: str | None = None,
) -> None:
    """Writes `ensemble` in the published format, with its checksum, whole or not at all; and how
    its inputs were normalised, and of which dataset's digest they are, where that is known."""
    header: dict = {"ensemble_size": ensemble.size, "hidden_size": ensemble.hidden_size}
    state_dim = ensemble.members.residual
    if state_dim:
        header["has_ln"] = ensemble.has_ln
    learned_from = {"statistics": statistics, "data": data}
    header |= {key: value for key, value in learned_from.items() if value is not None}
    with atomic_write(path) as temporary, hashed_file(temporary) as file:
        file.write((json.dumps(header) + "\n").encode())
        if state_dim:
            np.lib.format.write_array(file, np.asarray(state_dim))
        for leaf, transposed in _published_leaves(ensemble):
            leaf = np.asarray(leaf)
            array = np.ascontiguousarray(leaf.swapaxes(1, 2)) if transposed else leaf
            np.lib.format.write_array(file, array)
        file.write(_CHECKSUM + file.seal.sha256.encode() + b"\n")


def _published_leaves(ensemble: Ensemble) -> list:
    """The arrays in file order, each with whether the file holds its transpose."""
    leaves = []
    for block in ensemble.members.blocks:
        leaves += [(block.linear.weight, True), (block.linear.bias, False)]
        if block.norm is not None:
            leaves += [(block.norm.scale, False), (block.norm.offset, False)]
    for head in (ensemble.members.mean_head, ensemble.members.log_std_head):
        leaves += [(head.weight, True), (head.bias, False)]
    return leaves


def _skeleton(header: dict, in_size: int, out_size: int, *, residual: int) -> Ensemble:
    return eqx.filter_eval_shape(
        Ensemble,
        header["ensemble_size"],
        in_size,
        out_size,
        header["hidden_size"],
        depth=CONTINUOUS_DEPTH if residual else BANDIT_DEPTH,
        residual=residual,
        has_ln=header.get("has_ln", True),
        key=jax.eval_shape(lambda: jax.random.key(0)),
    )


def _load(path: Path, make_skeleton: Callable[[dict], Ensemble], wanted: str) -> Ensemble:
    with _opened(path) as file:
        skeleton = make_skeleton(_read_header(path, file.readline(_LONGEST_HEADER)))
        state_dim = skeleton.members.residual
        if state_dim:
            stored = int(_read_array(path, file, "the state size", (), np.integer))
            if stored != state_dim:
                raise UserError(
                    f"the world model {path} is for states of size {stored}, but {wanted} are"
                    " needed here: it belongs to another dataset"
                )
        leaves = []
        for leaf, transposed in _published_leaves(skeleton):
            shape = (leaf.shape[0], *leaf.shape[:0:-1]) if transposed else leaf.shape
            array = _read_array(path, file, f"array {len(leaves)} for {wanted}", shape)
            leaves.append(jnp.asarray(array.swapaxes(1, 2) if transposed else array))
        _check_end(path, file)
    return eqx.tree_at(lambda e: [leaf for leaf, _ in _published_leaves(e)], skeleton, leaves)


def _opened(path: Path) -> BinaryIO:
    try:
        return open(path, "rb")
    except OSError as error:
        raise UserError(f"the world model {path} cannot be opened: {error.strerror}") from error


def _check_end(path: Path, file: BinaryIO) -> None:
    """After the last array: nothing in a published file, the checksum of all before it in ours."""
    size = file.tell()
    end = file.read(_TRAILER + 1)
    if not end:
        return
    if not end.startswith(_CHECKSUM):
        raise UserError(f"the world model {path} goes on after its last array: not our format")
    file.seek(0)
    digest = hashlib.sha256(file.read(size)).hexdigest()
    if end != _CHECKSUM + digest.encode() + b"\n":
        raise UserError(
            f"the world model {path} does not have the checksum that it ends with: it is damaged;"
            " train it or download it again"
        )


def _read_header(path: Path, line: bytes) -> dict:
    try:
        header = json.loads(line)
        sizes = [header[key] for key in ("ensemble_size", "hidden_size")]
        if all(type(size) is int and 0 < size < LARGEST_SIZE for size in sizes) and isinstance(
            header.get("has_ln", True), bool
        ):
            return header
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise UserError(
        f"{path} is not a world model: its first line should be JSON with ensemble_size and"
        " hidden_size; train one or download the published file again"
    )


def _read_array(
    path: Path,
    file: BinaryIO,
    name: str,
    shape: tuple[int, ...],
    kind: type[np.generic] = np.float32,
) -> np.ndarray:
    try:
        # not np.load, which would also try a zip file or a pickle; and the header first, which may
        # claim more than any memory holds
        version = np.lib.format.read_magic(file)
        found, by_columns, dtype = _HEADERS[version](file)
    except _UNREADABLE as error:
        raise _damaged(path, name) from error
    if found != shape or not np.issubdtype(dtype, kind) or not dtype.isnative:
        raise UserError(
            f"the world model {path} has {dtype.str}{list(found)} where {kind.__name__}"
            f"{list(shape)} belongs ({name}): it is of another size"
        )
    size = dtype.itemsize * math.prod(shape)
    if size > os.fstat(file.fileno()).st_size - file.tell():
        raise _damaged(path, name)
    array = np.frombuffer(file.read(size), dtype).reshape(shape, order="F" if by_columns else "C")
    if not np.isfinite(array).all():
        raise UserError(
            f"the world model {path} holds NaN or inf in {name}: its training diverged or the file"
            " is damaged; train it or download it again"
        )
    return array


def _damaged(path: Path, name: str) -> UserError:
    return UserError(
        f"the world model {path} is truncated or damaged at {name}: download or train it again"
    )
