"""The groups of the bandit's configuration (paper Section 3), with its published defaults."""

from dataclasses import dataclass, field

from harness.configuration.groups import EvalConfig, RolloutConfig, TrainConfig
from harness.configuration.settings import count, number


@dataclass
class BanditEnsembleConfig:
    """Training of the bandit's reward ensemble (eq. 9 to 11); files go to `collect.save_dir`."""

    total_size: int = count(128)
    hidden_size: int = count(16)
    total_epochs: int | None = count(500)
    max_epochs_since_update: int = count(5)
    # An absolute decrease of the loss, unlike the continuous ensemble's relative one.
    improve_thres: float = number(1e-3, "[0, inf)")
    batch_size: int = count(128)
    lr: float = number(1e-3, "(0, inf)")
    weight_decay: float = number(1e-4, "[0, inf)")
    domain: str = "ensemble_bandit"
    plot_dir: str = "plt/bandit"


@dataclass
class BanditEvalConfig(EvalConfig):
    rollout_episodes: int = count(100)


@dataclass
class BanditCollectConfig(RolloutConfig):
    """Pulls in the reward ensemble, with decaying random exploration (eq. 38)."""

    data_path: str = "offline_world/data/bandit.npz"
    save_dir: str = "offline_world/ckpt/bandit"
    eps_start: float = number(1.0, "[0, 1]")
    eps_end: float = number(0.1, "[0, 1]")
    eps_end_ratio: float = number(0.1, "(0, 1]")


@dataclass
class BanditTrainConfig(TrainConfig):
    grad_steps: int = count(20_000)
    batch_size: int = number(1000, "[2, inf)")
    buffer_size: int = number(1_000_000, "[1, 1073741824]")
    utd: float = number(0.02, "(0, inf)")
    enc_lr: float = number(3e-6, "(0, inf)")
    head_lr: float = number(1e-4, "(0, inf)")
    lr_ratio: float = number(1.0, "[0, 1]")
    gradient_scale: float = number(1.0, "(0, inf)")


@dataclass
class StudyConfig:
    """Which agents a study trains: one for every seed and penalty."""

    seeds: list[int] = field(default_factory=lambda: [0, 1, 2])
    penalties: list[float] = field(default_factory=lambda: [0.0, 0.1, 0.5, 2.5])
