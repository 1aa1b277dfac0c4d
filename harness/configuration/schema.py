"""The typed configuration of every program.

`configs/<domain>/*.yaml` start from one of these schemas (`registration`), which hold types and
shared defaults in one place. They are plain dataclasses: nothing here needs Hydra.
"""

from dataclasses import dataclass, field

from catalogue import domains
from catalogue.engines import ENGINES
from harness.configuration import groups
from harness.configuration.bandit_groups import (
    BanditCollectConfig,
    BanditEnsembleConfig,
    BanditEvalConfig,
    BanditTrainConfig,
    StudyConfig,
)
from harness.configuration.settings import choice, choice_from, number

#: OmegaConf's mark of a value that the user has to give.
MISSING = "???"


@dataclass
class ProgramConfig:
    """What every program has in common, whatever it trains."""

    domain: str = MISSING
    dataset_name: str = MISSING
    # Seeds feed 32-bit generators (numpy, gym, jax keys).
    seed: int = number(0, "[0, 4294967295]")
    debug: bool = False
    save_agent: bool = False
    save_agent_root: str | None = None
    load_agent_path: str | None = None
    run_root: str = "runs"
    # Null: named below run_root by program, dataset, overrides and seed.
    run_dir: str | None = None
    # Moves the directory's records aside, into earlier/<number>, and begins again.
    restart: bool = False
    engine: str = choice(*ENGINES)
    gpu: groups.GPUConfig = field(default_factory=groups.GPUConfig)
    wandb: groups.WandbConfig = field(default_factory=groups.WandbConfig)
    checkpoint: groups.CheckpointConfig = field(default_factory=groups.CheckpointConfig)


@dataclass
class ContinuousConfig(ProgramConfig):
    """What the continuous agents share: a world model, rollouts in it, a real environment."""

    domain: str = choice_from(MISSING, lambda: domains.ALL)
    # Dataset that eval_error.py takes its trajectories from.
    eval_dataset: str | None = None
    ensemble: groups.EnsembleConfig = field(default_factory=groups.EnsembleConfig)
    eval: groups.RealEvalConfig = field(default_factory=groups.RealEvalConfig)
    collect: groups.CollectConfig = field(default_factory=groups.CollectConfig)
    env: groups.EnvConfig = field(default_factory=groups.EnvConfig)


#: What a world model's training reads of a configuration; the other groups are its agent's.
WORLD_MODEL_KEYS = ("domain", "dataset_name", "seed", "debug", "env", "ensemble")


@dataclass
class ContConfig(ContinuousConfig):
    """The recurrent agent (`base.yaml`, `base_no_ln.yaml`)."""

    train: groups.RecurrentTrainConfig = field(default_factory=groups.RecurrentTrainConfig)
    model: groups.RecurrentModelConfig = field(default_factory=groups.RecurrentModelConfig)


@dataclass
class MarkovConfig(ContinuousConfig):
    """The memoryless ablation (`base_markov.yaml`)."""

    train: groups.MarkovTrainConfig = field(default_factory=groups.MarkovTrainConfig)
    model: groups.MarkovModelConfig = field(default_factory=groups.MarkovModelConfig)


@dataclass
class BanditConfig(ProgramConfig):
    """The bandit study (`offline_bandit.yaml`)."""

    domain: str = "bandit"
    dataset_name: str = "bandit"
    ensemble: BanditEnsembleConfig = field(default_factory=BanditEnsembleConfig)
    eval: BanditEvalConfig = field(default_factory=BanditEvalConfig)
    collect: BanditCollectConfig = field(default_factory=BanditCollectConfig)
    train: BanditTrainConfig = field(default_factory=BanditTrainConfig)
    model: groups.MemoryModelConfig = field(default_factory=groups.MemoryModelConfig)


#: What the training of the bandit's reward ensemble reads of a configuration.
REWARD_MODEL_KEYS = (
    *("domain", "dataset_name", "seed", "debug", "ensemble"),
    *("collect.data_path", "collect.save_dir"),
)


@dataclass
class BanditStudyConfig(BanditConfig):
    """Several agents of the bandit study in one process (`bandit_study.yaml`)."""

    study: StudyConfig = field(default_factory=StudyConfig)
