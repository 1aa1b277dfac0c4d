"""Which dataset eval_error.py evaluates on, and where it leaves its arrays for plot_ln.py."""

import dataclasses
from pathlib import Path

import numpy as np

from catalogue import domains
from experience import tasks
from experience.data.pendulum import LAWS, PUMP
from experience.data.readers import name_of, split_source
from experience.own_names import published_relative
from experience.tasks import DATASETS, Task, get_task
from harness.arrays import UnreadableArraysError, read_npz, write_npz
from harness.checkout import script_command
from harness.configuration.schema import ContinuousConfig
from harness.errors import UserError
from harness.names import checked_name

#: `has_ln` → name of the files and of the curves.
NAMES = {True: "with_LN", False: "without_LN"}
_OF_ALL_TRAJECTORIES = ("threshold_quantiles", "thresholds")
#: Steps at which the median error is told.
TOLD_STEPS = (1, 10, 100, 1000)


def error_file(
    plot_dir: Path | str, train_dataset: str, eval_dataset: str, has_ln: bool, seed: int
) -> Path:
    """`<plot_dir>/<train>/<eval>/with_LN_seed<k>.npz`, or without_LN."""
    folder = (
        Path(plot_dir).expanduser() / train_dataset / checked_name("eval_dataset", eval_dataset)
    )
    return folder / f"{NAMES[has_ln]}_seed{seed}.npz"


def save_errors(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Writes the arrays as a compressed npz file, whole or not at all."""
    write_npz(path, arrays, compressed=True)


def load_errors(
    plot_dir: Path, train_dataset: str, eval_dataset: str, has_ln: bool
) -> dict[str, np.ndarray]:
    """The arrays of all seeds with trajectories side by side; the thresholds are their mean.

    `seed` (trajectory,) says whose each trajectory is. Shorter seeds are filled up with NaN.
    Raises UserError if there is no file.
    """
    folder = error_folder(plot_dir, train_dataset, eval_dataset)
    files = {_seed_of(file): file for file in folder.glob(f"{NAMES[has_ln]}_seed*.npz")}
    if not files:
        config = "base" if has_ln else "base_no_ln"
        raise UserError(
            f"there is no {folder}/{NAMES[has_ln]}_seed*.npz: make it with"
            f" `{script_command('eval_error.py')} --config-path=configs/<domain>"
            f" --config-name={config} dataset_name={train_dataset} +eval_dataset={eval_dataset}`"
        )
    seeds = []
    for _, file in sorted(files.items()):
        seeds.append(_read(file))
    shared = set.intersection(*(set(seed) for seed in seeds))
    joined = {
        name: _side_by_side([seed[name] for seed in seeds])
        for name in sorted(shared - set(_OF_ALL_TRAJECTORIES))
    }
    joined["seed"] = np.repeat(sorted(files), [stored["rmse"].shape[1] for stored in seeds])
    joined["threshold_quantiles"] = seeds[0]["threshold_quantiles"]
    joined["thresholds"] = np.mean([seed["thresholds"] for seed in seeds], axis=0)
    return joined


def _read(file: Path) -> dict[str, np.ndarray]:
    try:
        arrays = read_npz(file)
        _check(arrays)
    except UnreadableArraysError as error:
        raise UserError(
            f"{file} is damaged ({error}): remove it and make it again with eval_error.py"
        ) from error
    return arrays


def _check(arrays: dict[str, np.ndarray]) -> None:
    for name in ("rmse", *_OF_ALL_TRAJECTORIES):
        if name not in arrays:
            raise UnreadableArraysError(f"it has no {name}")
    for name, array in arrays.items():
        axes = 1 if name in _OF_ALL_TRAJECTORIES else 2
        if array.ndim != axes:
            raise UnreadableArraysError(f"{name} has {array.ndim} axes instead of {axes}")


def error_folder(plot_dir: Path, train_dataset: str, eval_dataset: str) -> Path:
    """The folder of one evaluation, of which `eval_dataset` may be the end of the name."""
    folder = Path(plot_dir).expanduser() / train_dataset / eval_dataset
    if not folder.exists():
        ends = sorted(folder.parent.glob(f"*-{eval_dataset}"))
        folder = ends[0] if len(ends) == 1 else folder
    return folder


def elsewhere_task(config: ContinuousConfig) -> Task:
    """The dataset named by `eval_dataset`: a full name, or the rest of one after its environment.

    For a custom environment it is the path of another dataset; pendulum has a second dataset of
    its own, which is the default there. Raises UserError for other environments and names.
    """
    name = config.eval_dataset
    if name is None and config.domain == domains.PENDULUM:
        name = PUMP
    own = config.domain == domains.CUSTOM
    if name is None:
        example = "<another file in D4RL's layout, or env.dataset_path itself>"
        raise UserError(
            "eval_dataset must say which trajectories to follow: add for example"
            f" +eval_dataset={example if own else 'medium-replay-v2'}"
        )
    if own:
        source, path = split_source(name, "hdf5")
        if source == "hdf5" and not Path(path).expanduser().is_file():
            raise UserError(
                f"eval_dataset={name} does not exist: give the path of an HDF5 file in D4RL's"
                " layout, or minari:<dataset id>"
            )
        env = dataclasses.replace(config.env, dataset_path=name)
        return get_task(config.domain, name_of(name), env)
    name = full_name(config.domain, config.dataset_name, name)
    env = dataclasses.replace(config.env, dataset_path=None)
    return get_task(config.domain, name, env)


def full_name(domain: str, train_dataset: str, name: str) -> str:
    """`name`, or `name` behind the environment of `train_dataset` if it is only a suffix."""
    known = LAWS if domain == domains.PENDULUM else DATASETS[domain]
    relatives = () if domain == domains.PENDULUM else known
    words = train_dataset.split("-")
    environment = words[0]
    names = [name, *("-".join([*words[:count], name]) for count in range(1, len(words)))]
    found = [
        candidate
        for candidate in names
        if candidate in known or published_relative(candidate, relatives)
    ]
    if not found or found[0].split("-")[0] != environment:
        choices = ", ".join(other for other in known if other.split("-")[0] == environment)
        raise UserError(
            f"eval_dataset={name} is no dataset of {environment}, which the world model of"
            f" {train_dataset} is for: choose one of {choices}"
        )
    return found[0]


def domain_of(dataset_name: str) -> str:
    """The domain of a published or own dataset or of the embedded task; else a UserError."""
    domain = "pendulum" if dataset_name in LAWS else tasks.domain_of(dataset_name)
    if domain is not None:
        return domain
    raise UserError(
        f"the dataset {dataset_name!r} is of no known task: say where eval_error.py left its"
        " arrays with --plot_dir plt/<domain>"
    )


def _seed_of(file: Path) -> int:
    return int(file.stem.rpartition("_seed")[2])


def _side_by_side(arrays: list[np.ndarray]) -> np.ndarray:
    steps = max(len(array) for array in arrays)
    padded = [
        np.pad(array, ((0, steps - len(array)), (0, 0)), constant_values=np.nan) for array in arrays
    ]
    return np.concatenate(padded, axis=1)
