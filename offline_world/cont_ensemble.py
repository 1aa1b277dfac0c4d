"""Train the world-model ensemble of a continuous-control dataset.

    python offline_world/cont_ensemble.py --config-path=../configs/pendulum --config-name=base

The keys that matter most: dataset_name, seed, ensemble.total_epochs, ensemble.hidden_size. The
result is offline_world/ckpt/<domain>/<dataset>/ensemble_seed<seed>.eqx, in the published format.
"""

import _checkout  # noqa: F401, I001 (before all others)
from harness.configuration.schema import WORLD_MODEL_KEYS, ContinuousConfig
from harness.run.entry import program


@program("cont_ensemble", ContinuousConfig, learns_from=WORLD_MODEL_KEYS)
def main(config, run):
    from experience.tasks import get_task
    from programs.ensemble_training import train_world_model
    from programs.world_data import load_checked

    task = get_task(config.domain, config.dataset_name, config.env)
    train_world_model(config, run, task, load_checked(config, task))


if __name__ == "__main__":
    main()
