"""Train the world-model ensemble of a continuous-control dataset.

    python offline_world/cont_ensemble.py --config-path=../configs/pendulum --config-name=base

The keys that matter most: dataset_name, seed, ensemble.total_epochs, ensemble.hidden_size. The
result is offline_world/ckpt/<domain>/<dataset>/ensemble_seed<seed>.eqx, in the published format.
+seeds=[0,1,2] trains those of several seeds (docs/runs.md).
"""

import _checkout  # noqa: F401, I001 (before all others)
from harness.configuration.schema import WORLD_MODEL_KEYS, ContinuousConfig
from harness.entry import program
from programs.inputs import present_inputs


@program(
    "cont_ensemble",
    ContinuousConfig,
    learns_from=WORLD_MODEL_KEYS,
    takes_seeds=True,
    inputs=present_inputs,
)
def main(configs, runs):
    from experience.tasks import get_task
    from programs.ensemble_training import train_world_models
    from programs.world_data import load_checked

    config = configs[0]
    task = get_task(config.domain, config.dataset_name, config.env)
    train_world_models(configs, runs, task, load_checked(config, task))


if __name__ == "__main__":
    main()
