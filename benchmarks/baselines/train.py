"""d3rlpy's TD3+BC, IQL and CQL on the files and in the environments that our agents have.

    .venv-baselines/bin/python benchmarks/baselines/train.py halfcheetah-own-random-v2 \\
        --algorithms td3bc iql cql --steps 1000000 --minutes 45 --out results/loco/baselines.csv

Appends a line for every evaluation, with the processor seconds of training (not of evaluations),
so that one run answers for both budgets: equal time and the usual number of updates. `behaviour` is
the dataset's own mean return. Settings are those of d3rlpy's reproductions of published results.
"""

import argparse
import csv
import logging
import os
import time
from pathlib import Path

import d3rlpy
import h5py
import numpy as np
import structlog
import torch
from d3rlpy.models.encoders import VectorEncoderFactory
from d3rlpy.preprocessing import ReturnBasedRewardScaler, StandardObservationScaler
from real_env import RealEnvironments

COLUMNS = (
    *("dataset", "algorithm", "seed", "step", "train_seconds", "score", "return_mean"),
    *("return_std", "episodes", "threads", "d3rlpy"),
)


def td3bc() -> d3rlpy.base.LearnableConfig:
    return d3rlpy.algos.TD3PlusBCConfig(observation_scaler=StandardObservationScaler())


def iql() -> d3rlpy.base.LearnableConfig:
    return d3rlpy.algos.IQLConfig(reward_scaler=ReturnBasedRewardScaler(multiplier=1000.0))


def cql() -> d3rlpy.base.LearnableConfig:
    encoder = VectorEncoderFactory([256, 256, 256])
    return d3rlpy.algos.CQLConfig(
        actor_encoder_factory=encoder, critic_encoder_factory=encoder, alpha_learning_rate=0.0
    )


ALGORITHMS = {"td3bc": td3bc, "iql": iql, "cql": cql}


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    dataset = read(options.file or data_folder() / f"{options.dataset}.hdf5")
    environments = RealEnvironments(options.python, options.dataset, options.episodes)
    try:
        append(options.out, behaviour(options, dataset, environments))
        for name in options.algorithms:
            d3rlpy.seed(options.seed)
            train(name, options, dataset, environments)
    finally:
        environments.close()


def train(name, options, dataset, environments) -> None:
    """Until `options.steps` are done, or `options.minutes` of training are over."""
    algorithm = ALGORITHMS[name]().create(device="cpu:0")
    seconds, began = 0.0, time.process_time()
    fitting = algorithm.fitter(
        d3rlpy.dataset.MDPDataset(**dataset),
        n_steps=options.steps,
        n_steps_per_epoch=options.every,
        logger_adapter=d3rlpy.logging.NoopAdapterFactory(),
        show_progress=False,
    )
    for epoch, _ in fitting:
        seconds += time.process_time() - began
        returns = environments.returns(algorithm.predict, options.seed)
        line = {
            "algorithm": name,
            "step": epoch * options.every,
            "train_seconds": round(seconds, 1),
            "score": environments.score(returns),
            "return_mean": returns.mean(),
            "return_std": returns.std(),
            "episodes": len(returns),
        }
        append(options.out, shared(options) | line)
        print(
            f"{name} {line['step']:,} updates, {seconds:.0f} s: {line['score']:.3f}",
            flush=True,
        )
        if options.minutes is not None and seconds >= 60 * options.minutes:
            return
        began = time.process_time()


def behaviour(options, dataset, environments) -> dict:
    ends = (dataset["terminals"] + dataset["timeouts"]) > 0
    starts = np.flatnonzero(np.append(True, ends[:-1]))
    returns = np.add.reduceat(dataset["rewards"].astype(np.float64), starts)
    return shared(options) | {
        "algorithm": "behaviour",
        "step": 0,
        "train_seconds": 0,
        "score": environments.score(returns),
        "return_mean": returns.mean(),
        "return_std": returns.std(),
        "episodes": len(returns),
    }


def shared(options) -> dict:
    return {
        "dataset": options.dataset,
        "seed": options.seed,
        "threads": options.threads,
        "d3rlpy": d3rlpy.__version__,
    }


def read(path: Path) -> dict[str, np.ndarray]:
    with h5py.File(path) as file:
        keys = ("observations", "actions", "rewards", "terminals", "timeouts")
        dataset = {key: file[key][()].astype(np.float32) for key in keys}
    # a last row that is no end would be joined to nothing
    dataset["timeouts"][-1] = 1.0 - dataset["terminals"][-1]
    return dataset


def append(path: Path, line: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    with open(path, "a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if new:
            writer.writeheader()
        writer.writerow(line)


def data_folder() -> Path:
    return Path(os.environ.get("D4RL_DATASET_DIR") or "~/.d4rl/datasets").expanduser()


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("dataset", help="the name of a published or own dataset")
    add("--file", type=Path, help="its HDF5 file; default: $D4RL_DATASET_DIR/<dataset>.hdf5")
    add("--algorithms", nargs="+", choices=ALGORITHMS, default=list(ALGORITHMS))
    add("--steps", type=int, default=1_000_000, help="updates (default 1000000)")
    add("--minutes", type=float, help="of training, after which it stops earlier")
    add("--every", type=int, default=5000, help="updates between evaluations (default 5000)")
    add("--episodes", type=int, default=10, help="in each evaluation (default 10)")
    add("--seed", type=int, default=0)
    add("--threads", type=int, default=1, help="of PyTorch: one core, as one of our agents has")
    add("--python", default=".venv/bin/python", help="this project's (default .venv/bin/python)")
    add("--out", type=Path, default=Path("results/loco/baselines.csv"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
