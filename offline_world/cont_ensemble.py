"""Train the world-model ensemble of a continuous-control dataset.

    python offline_world/cont_ensemble.py --config-path=../configs/pendulum --config-name=base

The keys that matter most: dataset_name, seed, ensemble.total_epochs, ensemble.hidden_size. The
result is offline_world/ckpt/<domain>/<dataset>/ensemble_seed<seed>.eqx, in the published format.
"""

import sys
from pathlib import Path

# so that the published command works with or without PYTHONPATH
sys.path[0] = str(Path(__file__).resolve().parents[1])

from harness.configuration.schema import WORLD_MODEL_KEYS, ContinuousConfig  # noqa: E402
from harness.run.entry import program  # noqa: E402


@program("cont_ensemble", ContinuousConfig, learns_from=WORLD_MODEL_KEYS)
def main(config, run):
    from experience.tasks import get_task
    from programs.ensemble_training import train_world_model
    from programs.world_data import load_checked

    task = get_task(config.domain, config.dataset_name, config.env)
    train_world_model(config, run, task, load_checked(config, task))


if __name__ == "__main__":
    main()
