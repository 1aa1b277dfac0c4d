"""Agents from their configurations."""

from typing import cast

import optax

from catalogue.memories import MEMORIES
from experience.observation import observation_size
from harness.configuration.groups import MemoryConfig, TrainConfig
from harness.configuration.schema import BanditConfig, ContConfig, MarkovConfig
from memory import MemorySettings
from memory.recurrence import Strategy
from online_rl.dqn import DQNAgent, DQNSettings
from online_rl.encoders import MakeEncoder, RecurrentEncoder, StateEncoder
from online_rl.optimiser import SplitOptimiser, agent_optimiser, learning_rate
from online_rl.sac import SACAgent, SACSettings


def recurrent_agent(config: ContConfig, state_dim: int, action_dim: int) -> SACAgent:
    """The paper's agent: actor and critic each remember the episode."""
    train = config.train
    return _sac(
        config,
        _recurrent(config.model.memory, train.memory_scan, observation_size(state_dim, action_dim)),
        action_dim,
        head_size=(config.model.head_d_hidden, config.model.head_n_layers),
        actor_lrs=(train.actor_enc_lr, train.actor_head_lr),
        critic_lrs=(train.critic_enc_lr, train.critic_head_lr),
    )


def markov_agent(config: MarkovConfig, state_dim: int, action_dim: int) -> SACAgent:
    """The ablation without memory: the same heads on the state itself."""
    train = config.train
    return _sac(
        config,
        lambda key: StateEncoder(state_dim),
        action_dim,
        head_size=(config.model.d_hidden, config.model.n_layers),
        # the encoder has no parameters: its rate is never used
        actor_lrs=(train.actor_lr, train.actor_lr),
        critic_lrs=(train.critic_lr, train.critic_lr),
    )


def bandit_agent(config: BanditConfig, arms: int) -> DQNAgent:
    """The bandit's: double DQN with the same memory, over [0, previous arm, previous reward]."""
    collect, model, train = config.collect, config.model, config.train
    return DQNAgent(
        settings=DQNSettings(
            gamma=train.gamma,
            target_tau=train.target_tau,
            eps_start=collect.eps_start,
            eps_end=collect.eps_end,
            eps_steps=collect.eps_end_ratio * train.grad_steps,
            head_d_hidden=model.head_d_hidden,
            head_n_layers=model.head_n_layers,
        ),
        make_encoder=_recurrent(model.memory, train.memory_scan, observation_size(1, arms)),
        optimiser=_split_optimiser(train, (train.enc_lr, train.head_lr), train.lr_ratio),
        # an episode starts as if arm 0 had been pulled
        first_action=(1.0,) + (0.0,) * (arms - 1),
        rates=_rates(train, enc_lr=train.lr_ratio, head_lr=train.lr_ratio),
    )


def _recurrent(memory: MemoryConfig, strategy: str, in_size: int) -> MakeEncoder:
    kind = MEMORIES[memory.kind]
    settings = MemorySettings(
        d_model=memory.d_model,
        d_hidden=memory.d_hidden,
        n_layers=memory.n_layers,
        r_min=memory.r_min,
        r_max=memory.r_max,
        strategy=cast(Strategy, strategy),
    )
    return lambda key: RecurrentEncoder(in_size, kind, settings, key=key)


def _split_optimiser(
    train: TrainConfig, lrs: tuple[float, float], lr_ratio: float
) -> SplitOptimiser:
    """Separate chains for encoder and head, with these two rates."""
    return SplitOptimiser(
        *(
            agent_optimiser(
                lr,
                lr_ratio=lr_ratio,
                grad_steps=train.grad_steps,
                gradient_scale=train.gradient_scale,
                weight_decay=train.weight_decay,
                adam_eps=train.adam_eps,
            )
            for lr in lrs
        )
    )


def _rates(train: TrainConfig, **ratios: float) -> tuple[tuple[str, optax.Schedule], ...]:
    """The schedule of each of these keys of `train`, which falls to its ratio."""
    return tuple(
        (key, learning_rate(getattr(train, key), ratio, train.grad_steps))
        for key, ratio in ratios.items()
        if hasattr(train, key)
    )


def _sac(
    config: ContConfig | MarkovConfig,
    make_encoder: MakeEncoder,
    action_dim: int,
    *,
    head_size: tuple[int, int],
    actor_lrs: tuple[float, float],
    critic_lrs: tuple[float, float],
) -> SACAgent:
    model, train = config.model, config.train
    ratio = model.target_alpha_ratio

    return SACAgent(
        settings=SACSettings(
            gamma=train.gamma,
            target_tau=train.target_tau,
            real_weight=train.real_weight,
            backup_entropy=train.backup_entropy,
            init_alpha=model.init_alpha,
            target_entropy=None if ratio is None else -action_dim * ratio,
            num_critics=model.num_critics,
            sampled_critics=model.sampled_critics,
            head_d_hidden=head_size[0],
            head_n_layers=head_size[1],
        ),
        make_encoder=make_encoder,
        actor_optimiser=_split_optimiser(train, actor_lrs, train.actor_lr_ratio),
        critic_optimiser=_split_optimiser(train, critic_lrs, train.critic_lr_ratio),
        alpha_optimiser=optax.adam(train.alpha_lr),
        first_action=(0.0,) * action_dim,
        # the recurrent agent's keys, or the Markov agent's
        rates=_rates(
            train,
            critic_enc_lr=train.critic_lr_ratio,
            critic_head_lr=train.critic_lr_ratio,
            critic_lr=train.critic_lr_ratio,
            actor_enc_lr=train.actor_lr_ratio,
            actor_head_lr=train.actor_lr_ratio,
            actor_lr=train.actor_lr_ratio,
        ),
    )
