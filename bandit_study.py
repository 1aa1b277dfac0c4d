"""Train all agents of the bandit study at once, vmapped over seeds and penalties.

    python bandit_study.py
    python bandit_study.py study.seeds=[0,1] study.penalties=[0,0.5]

Every seed needs its reward ensemble (offline_world/bandit_ensemble.py). Each agent's directory is
<run>/<penalty>_<seed> and holds what offline_bandit.py leaves there; plot_bandit.py draws them. On
an accelerator this costs little more than one agent; on a CPU the agents are better run one after
the other (results/bandit/run.sh).
"""

from harness.configuration.schema import BanditStudyConfig
from harness.entry import program
from programs.bandit_inputs import present_pulls


@program("bandit_study", BanditStudyConfig, default="bandit_study", inputs=present_pulls)
def main(config, run):
    from programs.bandit_study import train_study

    train_study(config, run)


if __name__ == "__main__":
    main()
