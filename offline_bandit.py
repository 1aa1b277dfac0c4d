"""Train the recurrent DQN agent of the paper's bandit study (Section 3) in its reward ensemble.

    python offline_bandit.py seed=0
    python offline_bandit.py seed=0 collect.penalty_coef=0.5
    python offline_bandit.py -m seed=0,1,2 collect.penalty_coef=0,0.1,0.5,2.5

The keys that matter most: seed, collect.penalty_coef, train.enc_lr. The same command continues an
interrupted run; plot_bandit.py draws the paper's Figure 3 from finished ones.
"""

from harness.configuration.schema import BanditConfig
from harness.entry import program
from programs.bandit_inputs import present_pulls


@program("offline_bandit", BanditConfig, default="offline_bandit", inputs=present_pulls)
def main(config, run):
    from programs.bandit import train_agent

    train_agent(config, run)


if __name__ == "__main__":
    main()
