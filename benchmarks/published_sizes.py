"""Time the five hot loops at the paper's sizes, as fractions of this machine's own matrix product.

    python benchmarks/published_sizes.py [update] [ensemble] [imagine] [warm_up] [demo]

Hopper's sizes (11 states, 3 actions). Each loop is timed in rounds that alternate with a 2048³
float32 matrix product, and the best of each is taken: machines are noisy. Compilation is timed
without the persistent cache.
"""

import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from random_data import random_tape
from timing import seconds

from catalogue.uncertainty import epi_mean
from experience.collector import warm_up
from experience.history_store import HistoryStore
from experience.replay import TapeReplay
from harness.configuration.composition import load_config
from harness.configuration.schema import ContConfig
from offline_world.fit import make_step
from offline_world.modules import Ensemble
from offline_world.scaler import Scaler, Statistics
from offline_world.world import World, WorldState
from online_rl import updates
from online_rl.builders import recurrent_agent
from programs.imagining import as_policy

STATE, ACTION, HORIZON = 11, 3, 1000
ROUNDS = 5
#: steps of the ensemble in a call: an epoch has thousands
STEPS = 12
jax.config.update("jax_enable_compilation_cache", False)


def peak_seconds() -> float:
    a = jnp.ones((2048, 2048))
    product = jax.jit(jnp.matmul)
    product(a, a).block_until_ready()
    return min(seconds(lambda: product(a, a)) for _ in range(3))


def report(name: str, gflop: float | None, units: int, run) -> None:
    """`run()` does `units` pieces of work of `gflop` GFLOP each."""
    compile_seconds = seconds(run)
    times, peaks = [], []
    for _ in range(ROUNDS):
        peaks.append(peak_seconds())
        times.append(seconds(run) / units)
    best = min(times)
    peak = 2 * 2048**3 / min(peaks) / 1e9
    share = "" if gflop is None else f"  {gflop / best / peak:.0%} of peak at {gflop} GFLOP"
    print(
        f"{name}: {best * 1e3:.3g} ms ({1 / best:.3g}/s){share}"
        f"  [first call {compile_seconds:.1f} s, product {peak:.0f} GFLOP/s]",
        flush=True,
    )


def agent_and_learner(name: str, state_dim: int, action_dim: int):
    config = load_config(name)
    assert isinstance(config, ContConfig)
    agent = recurrent_agent(config, state_dim, action_dim)
    return config, agent, eqx.filter_jit(agent.init)(jax.random.key(0))


def time_updates(
    label: str, config_name: str, sizes: tuple[int, int], gflop, episode: int, units: int
):
    config, agent, learner = agent_and_learner(config_name, *sizes)
    rows = 20 * episode
    replay = TapeReplay.empty(2 * rows, *sizes, episodes_at_once=20)
    replay = eqx.filter_jit(TapeReplay.add)(
        replay, random_tape(rows, episode, *sizes), jnp.full(20, episode)
    )
    update_many = updates.on_device(
        agent.update, lambda replay, key: replay.sample_tape(key, config.train.batch_size)
    )(0)
    state = {"learner": learner}

    def run():
        state["learner"], figures = update_many(replay, state["learner"], units)
        return figures

    report(label, gflop, units, run)


def update():
    time_updates("one update, 2048-row tape", "d4rl_loco/base", (STATE, ACTION), 50, 1001, 4)


def demo():
    time_updates("one update, demo size", "pendulum/base", (3, 1), None, 201, 100)


def random_ensemble(size: int) -> Ensemble:
    key = jax.random.key(0)
    return eqx.filter_jit(
        lambda k: Ensemble(size, STATE + ACTION, STATE + 1, 200, residual=STATE, key=k)
    )(key)


def ensemble():
    model = random_ensemble(128)
    optimiser = optax.adamw(1e-3, weight_decay=5e-5)
    x = jax.random.normal(jax.random.key(1), (128, 256, STATE + ACTION))
    y = jax.random.normal(jax.random.key(2), (128, 256, STATE + 1))
    step = make_step(optimiser)

    @eqx.filter_jit(donate="all-except-first")
    def steps(batch, carry):
        def body(_, carry):
            return step(*carry, *batch)[:2]

        return jax.lax.fori_loop(0, STEPS, body, carry)

    carry = [(model, optimiser.init(eqx.filter(model, eqx.is_array)))]

    def run():
        carry[0] = steps((x, y, jnp.asarray(256)), carry[0])
        return carry[0]

    report("one ensemble training step, 128 × 256 rows", 25, STEPS, run)


def imagine():
    world = World(
        ensemble=random_ensemble(100),
        scaler=Scaler.fit(
            np.ones((2, STATE)), np.ones((2, ACTION)), np.ones(2), Statistics.PUBLISHED
        ),
        threshold=jnp.asarray(jnp.inf),
        penalty_coef=jnp.asarray(0.0),
        horizon=HORIZON,
        measure=epi_mean,
        termination=lambda state, action, next_state: jnp.asarray(False),
    )
    _, agent, learner = agent_and_learner("d4rl_loco/base", STATE, ACTION)

    @eqx.filter_jit
    def steps(world, learner):
        policy = as_policy(agent, learner, deterministic=False)
        states = WorldState(
            state=jnp.zeros((100, STATE)),
            timestep=jnp.zeros(100, jnp.int32),
            terminated=jnp.zeros(100, bool),
            truncated=jnp.zeros(100, bool),
        )

        def body(i, carry):
            states, memory = carry
            key = jax.random.fold_in(jax.random.key(0), i)
            observation = jnp.pad(states.state, ((0, 0), (0, ACTION + 1)))
            action, memory = policy.act(observation, jnp.zeros(100, bool), memory, key)
            return world.step(states, action, key)[0], memory

        return jax.lax.fori_loop(0, 20, body, (states, policy.initial_memory(100)))

    report("one imagined step, 100 × 100", 2.6, 20, lambda: steps(world, learner))


def warm():
    _, agent, learner = agent_and_learner("d4rl_loco/base", STATE, ACTION)
    histories = HistoryStore.from_tape(random_tape(100 * 1001, 1001, STATE, ACTION))

    @eqx.filter_jit
    def run(learner, histories):
        row = 1000 + 1001 * jnp.arange(100)
        return warm_up(as_policy(agent, learner, deterministic=False), histories, row)

    report("warm-up of 100 histories × 1000 rows", None, 1, lambda: run(learner, histories))


PARTS = {"update": update, "ensemble": ensemble, "imagine": imagine, "warm_up": warm, "demo": demo}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
