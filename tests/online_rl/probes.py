"""Tiny agents and tapes with known answers."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experience.tape import Tape, Transitions
from memory import LRUStack, MemorySettings
from online_rl.encoders import RecurrentEncoder, StateEncoder
from online_rl.optimiser import SplitOptimiser, agent_optimiser
from online_rl.sac import SACAgent, SACSettings

STATE = 1


def make_agent(*, recurrent=True, lr=3e-3, optimisers=None, **changes) -> SACAgent:
    """An agent small enough to compile in seconds; `changes` are to its settings."""
    settings = {
        "gamma": 0.5,
        "target_tau": 0.1,
        "real_weight": 0.5,
        "backup_entropy": False,
        "init_alpha": 0.01,
        "target_entropy": None,
        "num_critics": 2,
        "sampled_critics": 1,
        "head_d_hidden": 16,
        "head_n_layers": 1,
    } | changes

    def encoder(key):
        if recurrent:
            settings = MemorySettings(8, 8, 1, 0.5, 0.99, "sequential")
            return RecurrentEncoder(STATE + 2, LRUStack, settings, key=key)
        return StateEncoder(STATE)

    chain = agent_optimiser(
        lr, lr_ratio=1.0, grad_steps=1000, gradient_scale=10.0, weight_decay=0.0, adam_eps=1e-8
    )
    actor, critic = optimisers or (SplitOptimiser(chain, chain), SplitOptimiser(chain, chain))
    return SACAgent(SACSettings(**settings), encoder, actor, critic, optax.adam(1e-2), (0.0,))


def tape_of(key, episodes: int, length: int, reward, state=None, real=None) -> Tape:
    """`episodes` episodes of `length` transitions with random actions, the last one terminal.

    `reward(states, actions)` is that of each row, both (episode, length+1, 1).
    """
    shape = (episodes, length + 1, 1)
    state_key, action_key = jax.random.split(key)
    states = jax.random.normal(state_key, shape) if state is None else state(state_key, shape)
    actions = jax.random.uniform(action_key, shape, minval=-1.0)
    row = jnp.tile(jnp.arange(length + 1), episodes)
    rows = episodes * (length + 1)
    return Tape(
        state=states.reshape(rows, 1),
        action=actions.reshape(rows, 1),
        next_reward=jnp.asarray(reward(states, actions), jnp.float32).reshape(rows),
        next_penalty=jnp.zeros(rows),
        start=row == 0,
        next_terminated=row >= length - 1,
        next_truncated=jnp.zeros(rows, bool),
        real=jnp.zeros(rows, bool) if real is None else jnp.asarray(real),
    )


def transitions_of(tape: Tape) -> Transitions:
    """All transitions of a tape as independent rows."""
    left = np.flatnonzero(~np.asarray(tape.start[1:]))
    rows = jax.tree.map(lambda leaf: leaf[left], tape.learnable())
    return Transitions(jnp.concatenate([tape.state[left], tape.state[left + 1]]), rows)
