"""The groups of the configuration: published key names, types, defaults and ranges.

The defaults are the published ones of the D4RL locomotion benchmark; `configs/<domain>` holds what
differs elsewhere.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.configuration.settings import choice, choice_from, count, number


def _uncertainties() -> Collection[str]:
    from catalogue.uncertainty import UNCERTAINTIES

    return UNCERTAINTIES


def memories() -> Mapping[str, Any]:
    """Kinds of memory and what builds them."""
    from catalogue.memories import MEMORIES

    return MEMORIES


def _strategies() -> Collection[str]:
    from catalogue.memories import STRATEGIES

    return STRATEGIES


def _command_buffers() -> Collection[str]:
    from harness.process.numerics import COMMAND_BUFFERS

    return COMMAND_BUFFERS


@dataclass
class EnsembleConfig:
    """Training of the world-model ensemble (eq. 9 to 11)."""

    total_size: int = count(128)
    hidden_size: int = count(200)
    has_ln: bool = True
    # Published cap of each dataset; a dataset without one trains until its patience runs out.
    epoch_caps: dict[str, int] = field(default_factory=dict)
    total_epochs: int | None = count("${oc.select:ensemble.epoch_caps.${dataset_name},null}")
    max_epochs_since_update: int = count(5)
    improve_thres: float = number(0.01, "[0, 1)")
    batch_size: int = count(256)
    lr: float = number(1e-3, "(0, inf)")
    weight_decay: float = number(5e-5, "[0, inf)")
    # The wandb project of the ensemble's own training.
    domain: str = "ensemble_${domain}"
    save_dir: str = "offline_world/ckpt/${domain}"
    plot_dir: str = "plt/${domain}"
    # Devices of this machine that share the members, in training and in planning.
    devices: int = count(1)


@dataclass
class EvalConfig:
    """Evaluations over the run, and environments (or bandit episodes) in each (eq. 49, 51)."""

    times: int = count(100)
    real_episodes: int = count(20)


@dataclass
class RealEvalConfig(EvalConfig):
    # Evaluate a copy of the agent on the host while updates go on. Null: where they are made on an
    # accelerator.
    beside_training: bool | None = None


@dataclass
class RolloutConfig:
    """What imagined rollouts have in common (eq. 12 to 15, 17 and 20)."""

    ensemble_size: int = count(100)
    parallel_size: int = count(100)
    penalty_coef: float = number(0.0, "[0, inf)")
    unc_type: str = choice_from("epi_mean", _uncertainties)


@dataclass
class CollectConfig(RolloutConfig):
    """The continuous agents', which uncertainty or length may end (eq. 16, 18, 21 and 22)."""

    # Negative: rollouts are never cut for their uncertainty.
    unc_quantile: float = number(1.0, "(-inf, 1]")
    # -1: only the environment's horizon ends a rollout.
    max_rollout_len: int = number(-1, "[-1, inf)")
    start_from_s0: bool = False


@dataclass
class TrainConfig:
    """What the three agents' training has in common (eq. 39 to 48)."""

    grad_steps: int = count(2_000_000)
    batch_size: int = number(2048, "[2, inf)")
    # Row numbers and their sums are 32-bit integers.
    buffer_size: int = number(40_000_000, "[1, 1073741824]")
    utd: float = number(0.05, "(0, inf)")
    weight_decay: float = number(0.0, "[0, inf)")
    gamma: float = number(0.99, "[0, 1]")
    target_tau: float = number(0.005, "(0, 1]")
    adam_eps: float = number(1e-8, "(0, inf)")
    gradient_scale: float = number(1000.0, "(0, inf)")
    # Where the replay lives; auto: on the device if it fits.
    replay: str = choice("auto", "device", "host")
    # Of the states and actions in it; bfloat16 halves their bytes and keeps three digits.
    replay_dtype: str = choice("float32", "bfloat16")
    # How the recurrence is executed; auto: by backend and length.
    memory_scan: str = choice_from("auto", _strategies)
    # Of matrix products; default is JAX's: float32 on a CPU, TF32 on an NVIDIA card.
    matmul_precision: str = choice("default", "high", "highest")


@dataclass
class ActorCriticTrainConfig(TrainConfig):
    critic_lr_ratio: float = number(1.0, "[0, 1]")
    actor_lr_ratio: float = number(0.0, "[0, 1]")
    alpha_lr: float = number(1e-4, "(0, inf)")
    real_weight: float = number(0.05, "[0, 1]")
    backup_entropy: bool = True


@dataclass
class RecurrentTrainConfig(ActorCriticTrainConfig):
    critic_head_lr: float = number(1e-4, "(0, inf)")
    actor_head_lr: float = number(1e-4, "(0, inf)")
    critic_enc_lr: float = number(1e-5, "(0, inf)")
    actor_enc_lr: float = number(1e-5, "(0, inf)")


@dataclass
class MarkovTrainConfig(ActorCriticTrainConfig):
    critic_lr: float = number(1e-4, "(0, inf)")
    actor_lr: float = number(1e-4, "(0, inf)")


@dataclass
class MemoryConfig:
    """What the agent remembers an episode with (eq. 28 to 33)."""

    kind: str = choice_from("lru", memories)
    d_model: int = count(256)
    d_hidden: int = count(128)
    n_layers: int = count(2)
    r_min: float = number(0.0, "[0, 1)")
    r_max: float = number(0.9, "(0, 1)")


@dataclass
class MemoryModelConfig:
    memory: MemoryConfig = field(default_factory=MemoryConfig)
    head_d_hidden: int = count(256)
    head_n_layers: int = count(2)


@dataclass
class ActorCriticModelConfig:
    """Critics and temperature of the continuous agents (eq. 35, 40 to 43)."""

    num_critics: int = count(10)
    sampled_critics: int = count(2)
    # Null: the temperature stays at init_alpha.
    target_alpha_ratio: float | None = number(1.0, "(0, inf)")
    init_alpha: float = number(0.2, "(0, inf)")


@dataclass
class RecurrentModelConfig(MemoryModelConfig, ActorCriticModelConfig):
    pass


@dataclass
class MarkovModelConfig(ActorCriticModelConfig):
    d_hidden: int = count(256)
    n_layers: int = count(2)


@dataclass
class EnvConfig:
    """A user's own environment and data (domains custom and pendulum); elsewhere data alone."""

    # A name registered with gymnasium, and what gymnasium.make gets besides it.
    id: str | None = None
    kwargs: dict[str, Any] = field(default_factory=dict)
    # An HDF5 file in D4RL's layout, or <source>:<path> (`experience.data.readers.READERS`), such
    # as minari:<name> for a local Minari dataset.
    dataset_path: str | None = None
    # Steps after which an episode is cut off.
    horizon: int | None = number(None, "[2, inf)")
    # "never", or the dotted path of a jnp function of one (state, action, next state).
    termination: str = "never"
    # Train although the rule above denies the dataset's terminal rows, or ends most others.
    allow_termination_mismatch: bool = False
    # Cut off actions of the dataset that leave [-1, 1]; how many is told.
    clip_actions: bool = False
    # Returns with the normalised scores 0 and 1.
    ref_min: float | None = None
    ref_max: float | None = None


@dataclass
class GPUConfig:
    # Which parts of a program are one CUDA graph: XLA's choice, whole loops too, or none.
    command_buffer: str = choice_from("default", _command_buffers)


@dataclass
class WandbConfig:
    # auto: online where a login exists, else offline.
    mode: str = choice("auto", "online", "offline", "disabled")
    # Null: the domain's name for agents, ensemble.domain for world models.
    project: str | None = None
    entity: str | None = None
    group: str | None = None


@dataclass
class CheckpointConfig:
    every_minutes: float = number(10.0, "(0, inf)")
