"""Make a dataset of your own: episodes of a policy in a real environment, in D4RL's HDF5 layout.

    python make_dataset.py halfcheetah-own-random-v2 --rows 200000
    python make_dataset.py hopper-own-net-v2 --policy random-net --rows 200000 --seed 1
    python make_dataset.py halfcheetah-own-medium-v2 --policy runs/.../seed0 --noise 0.3
    python make_dataset.py halfcheetah-own-mix-v2 --policy mix --files random.hdf5 medium.hdf5
    python make_dataset.py mine --env_id Pendulum-v1 --out mine.hdf5 --episodes 100

Names with -own- belong to the published tasks' environments, and the programs look for them in
$D4RL_DATASET_DIR (~/.d4rl/datasets), where they are written unless --out says otherwise. Episodes
are complete; the same command and seed give the same rows, and continue an interrupted collection.
"""

import argparse
from pathlib import Path

from harness.process.flags import Flags, json_object, number, seed, whole_number
from harness.process.reporting import reported_errors


def parse() -> argparse.Namespace:
    parser = Flags(__doc__)
    add = parser.add_argument
    add("name", help="such as halfcheetah-own-random-v2; free for an environment of your own")
    policy = "random (uniform actions), random-net (a fresh network), mix, or a run's directory"
    add("--policy", default="random", help=f"{policy}; default: random")
    size = parser.add_mutually_exclusive_group()
    rows = "until this many rows, the last episode completed (default 200000; mix: of each file)"
    size.add_argument("--rows", type=whole_number(1), metavar="N", help=rows)
    size.add_argument(
        "--episodes", type=whole_number(1), metavar="N", help="this many episodes instead"
    )
    add("--seed", type=seed, default=0, help="of environments and policy (default 0)")
    add("--noise", type=number(0), default=0.0, help="standard deviation added to a run's actions")
    add("--stochastic", action="store_true", help="let a run's agent act as it explores")
    add("--files", nargs="+", type=Path, default=[], metavar="FILE", help="what mix joins")
    add("--out", type=Path, metavar="FILE", help="default: $D4RL_DATASET_DIR/<name>.hdf5")
    add("--domain", help="default: known by the name")
    add("--env_id", help="an environment that gymnasium can make, instead of a published task's")
    add("--env_kwargs", type=json_object, default={}, metavar="JSON", help="its arguments")
    add("--horizon", type=whole_number(1), help="steps of an episode; default: its time limit")
    add("--engine", default="mujoco", help="mujoco (default) or mujoco_py")
    add("--minari", metavar="ID", help="also export it to Minari, such as mine/random-v0")
    return parser.parse_args()


def main() -> None:
    with reported_errors():
        options = parse()
        from programs.dataset_making import make_dataset
        from programs.dataset_order import MIX, Order

        rows = options.rows
        if options.policy != MIX and options.episodes is None:
            rows = rows or 200_000
        order = Order(
            name=options.name,
            policy=options.policy,
            rows=rows,
            episodes=options.episodes,
            seed=options.seed,
            noise=options.noise,
            stochastic=options.stochastic,
            sources=tuple(options.files),
            domain=options.domain,
            env_id=options.env_id,
            env_kwargs=options.env_kwargs,
            horizon=options.horizon,
            engine=options.engine,
        )
        path = make_dataset(order, options.out)
        if options.minari is not None:
            from experience.data.minari_export import export

            export(path, options.minari)


if __name__ == "__main__":
    main()
