"""Follow logged trajectories of another dataset in a world model, without cutting anything off.

    python eval_error.py --config-path=configs/pendulum --config-name=base
    python eval_error.py --config-path=configs/d4rl_loco --config-name=base \\
        dataset_name=halfcheetah-random-v2 +eval_dataset=medium-replay-v2 collect.unc_quantile=-1.0

--config-name=base_no_ln evaluates the world model without LayerNorm; plot_ln.py draws both. The
errors are left in plt/<domain>/<dataset>/<eval dataset>/{with,without}_LN_seed<k>.npz.
"""

from harness.configuration.schema import ContinuousConfig
from harness.entry import program
from programs.inputs import present_inputs


@program("eval_error", ContinuousConfig, inputs=present_inputs)
def main(config, run):
    from programs.error_study import study_errors

    study_errors(config, run)


if __name__ == "__main__":
    main()
