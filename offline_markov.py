"""Train the ablation without memory: the same loop with an agent that sees the state alone.

    python offline_markov.py --config-path=configs/d4rl_loco --config-name=base_markov seed=0

The keys that matter most: dataset_name, seed, train.real_weight.
"""

from harness.configuration.schema import MarkovConfig
from harness.run.entry import program


@program("offline_markov", MarkovConfig, default="d4rl_loco/base_markov")
def main(config, run):
    from experience.replay import TapeReplay
    from online_rl.builders import markov_agent
    from programs.continuous import train_agent

    train_agent(config, run, markov_agent, TapeReplay.sample_transitions)


if __name__ == "__main__":
    main()
