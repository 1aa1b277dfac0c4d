"""Train NEUBAY's recurrent agent in the world model of a continuous-control dataset.

    python offline_cont.py --config-path=configs/pendulum --config-name=base seed=0
    python offline_cont.py --config-path=configs/d4rl_loco --config-name=base task=hopper_medium
    python offline_cont.py -m --config-path=configs/neorl --config-name=base seed=0,1,2
    python offline_cont.py --config-path=configs/neorl --config-name=base +seeds=[0,1,2]

The keys that matter most: dataset_name or task, seed, train.real_weight, train.critic_enc_lr and
train.actor_enc_lr, collect.unc_quantile. The same command continues an interrupted run.
With -m seeds are trained one after the other, with +seeds side by side (docs/runs.md).
"""

from harness.configuration.schema import ContConfig
from harness.entry import program
from programs.inputs import present_inputs


@program(
    "offline_cont",
    ContConfig,
    never_reads=("eval_dataset",),
    takes_seeds=True,
    inputs=present_inputs,
)
def main(configs, runs):
    from experience.replay import TapeReplay
    from online_rl.builders import recurrent_agent
    from programs.continuous import train_agents

    train_agents(configs, runs, recurrent_agent, TapeReplay.sample_tape)


if __name__ == "__main__":
    main()
