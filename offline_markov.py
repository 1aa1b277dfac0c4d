"""Train the ablation without memory: the same loop with an agent that sees the state alone.

    python offline_markov.py --config-path=configs/d4rl_loco --config-name=base_markov seed=0

The keys that matter most: dataset_name, seed, train.real_weight. +seeds=[0,1,2] trains several
seeds side by side (docs/runs.md).
"""

from harness.configuration.schema import MarkovConfig
from harness.entry import program
from programs.inputs import present_inputs


@program(
    "offline_markov",
    MarkovConfig,
    default="d4rl_loco/base_markov",
    never_reads=("eval_dataset",),
    takes_seeds=True,
    inputs=present_inputs,
)
def main(configs, runs):
    from experience.replay import TapeReplay
    from online_rl.builders import markov_agent
    from programs.continuous import train_agents

    train_agents(configs, runs, markov_agent, TapeReplay.sample_transitions)


if __name__ == "__main__":
    main()
