"""The agent on problems whose answers are known, and the order of one update."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from online_rl.networks import all_q
from online_rl.optimiser import SplitOptimiser
from online_rl.sac import SACAgent
from tests.online_rl.probes import make_agent, tape_of, transitions_of

update = eqx.filter_jit(SACAgent.update)


@pytest.fixture(autouse=True)
def standard_promotion():
    """optax counts its steps in integers."""
    with jax.numpy_dtype_promotion("standard"):
        yield


def begin(agent):
    return eqx.filter_jit(agent.init)(jax.random.key(0))


@eqx.filter_jit
def train(agent, learner, batches, count):
    """`count` updates, each on one of the stacked `batches`."""
    kinds = jax.tree.leaves(batches)[0].shape[0]

    def body(i, learner):
        batch = jax.tree.map(lambda leaf: leaf[i % kinds], batches)
        return agent.update(learner, batch, jax.random.fold_in(jax.random.key(1), i))[0]

    return jax.lax.fori_loop(0, count, body, learner)


def stack(make, count=32):
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *(make(k) for k in range(count)))


@eqx.filter_jit
def q_of_rows(agent, learner, tape):
    features = learner.critic.encoder(tape, jnp.asarray(agent.first_action))
    return all_q(learner.critic.head, features, tape.action)


@eqx.filter_jit
def modes(agent, learner, tape):
    features = learner.actor.encoder(tape, jnp.asarray(agent.first_action))
    return jnp.tanh(jax.vmap(learner.actor.head)(features)[:, 0])


def test_learns_the_value_of_a_constant_reward():
    """1 per step and a terminal after 3: Q is 1.75, 1.5, 1 (γ = 0.5)."""

    def timed(key, shape):
        return jnp.broadcast_to(jnp.arange(shape[1])[None, :, None] / 2.0, shape)

    def make(k):
        return tape_of(jax.random.key(k), 8, 3, lambda s, a: jnp.ones_like(s), state=timed)

    agent = make_agent()
    learner = train(agent, begin(agent), stack(make), 500)
    tape = make(99)
    q = q_of_rows(agent, learner, tape).mean(0).reshape(8, 4)[:, :3]
    np.testing.assert_allclose(q, jnp.tile(jnp.array([1.75, 1.5, 1.0]), (8, 1)), atol=0.1)


def test_learns_the_action_that_pays():
    """Reward 1 − (a − 0.5 s)² at once: the best action is half of the state."""

    def uniform(key, shape):
        return jax.random.uniform(key, shape, minval=-1.0)

    def make(k):
        return tape_of(jax.random.key(k), 32, 1, lambda s, a: 1 - (a - 0.5 * s) ** 2, state=uniform)

    agent = make_agent(recurrent=False, init_alpha=0.001, lr=1e-2)
    batches = stack(lambda k: transitions_of(make(k)))
    learner = train(agent, begin(agent), batches, 900)
    tape = make(99)
    states = tape.state[tape.start][:, 0]
    best = modes(agent, learner, tape)[tape.start]
    assert jnp.abs(best - 0.5 * states).mean() < 0.15
    assert jnp.corrcoef(best, states)[0, 1] > 0.9


def test_remembers_what_only_the_first_state_told():
    """The first state is the sign of the only good action at the third row."""

    def cue(key, shape):
        sign = jnp.where(jax.random.bernoulli(key, 0.5, (shape[0], 1, 1)), 1.0, -1.0)
        return jnp.where(jnp.arange(shape[1])[None, :, None] == 0, sign, 0.0)

    def reward(states, actions):
        last = jnp.arange(states.shape[1])[None, :, None] >= 2
        return jnp.where(last, actions * states[:, :1], 0.0)

    def make(k):
        return tape_of(jax.random.key(k), 24, 3, reward, state=cue)

    agent = make_agent(init_alpha=0.001, lr=1e-2)
    learner = train(agent, begin(agent), stack(make), 400)
    tape = make(99)
    last = modes(agent, learner, tape).reshape(24, 4)[:, 2]
    sign = tape.state.reshape(24, 4)[:, 0]
    assert (last * sign > 0.5).mean() > 0.95


@functools.cache
def plain_agent(**changes):
    """The same one for the same changes, so that its update compiles once."""
    step = SplitOptimiser(optax.sgd(0.1), optax.sgd(0.1))
    return make_agent(optimisers=(step, step), **changes)


@pytest.fixture(scope="module")
def mixed_tape():
    real = np.arange(16) % 8 < 4
    return tape_of(jax.random.key(5), 4, 3, lambda s, a: s + a, real=real)


def make_step(tape, **changes):
    agent = plain_agent(**changes)
    learner = begin(agent)
    return agent, learner, *update(agent, learner, tape, jax.random.key(3))


def test_the_target_follows_the_updated_critic(mixed_tape):
    agent, before, after, _ = make_step(mixed_tape)
    tau = agent.settings.target_tau
    for old, critic, target in zip(
        *map(jax.tree.leaves, (before.target, after.critic, after.target)), strict=True
    ):
        np.testing.assert_allclose(target, (1 - tau) * old + tau * critic, rtol=1e-4, atol=1e-6)
    assert not eqx.tree_equal(before.critic, after.critic)
    assert after.updates == 1


def test_the_actor_climbs_the_updated_critic(mixed_tape):
    """Repeated by hand: −mean Q of the updated critic plus α log π, with the update's own key."""
    from online_rl.distribution import TanhGaussian

    agent, before, after, figures = make_step(mixed_tape, init_alpha=0.2, real_weight=0.3)
    _, _, new_key = jax.random.split(jax.random.key(3), 3)

    @eqx.filter_jit
    def grads_with(critic):
        def loss(actor):
            rows = mixed_tape.learnable()
            first_action = jnp.zeros(1)
            output = jax.vmap(actor.head)(actor.encoder(mixed_tape, first_action))[:-1]
            action, log_prob = TanhGaussian.from_head(output).sample(new_key)
            q = all_q(critic.head, critic.encoder(mixed_tape, first_action)[:-1], action)
            error = 0.2 * log_prob.sum(-1) - q.mean(0)
            groups = (0.3, rows.mask & rows.real), (0.7, rows.mask & ~rows.real)
            return sum(w * jnp.where(g, error, 0.0).sum() / g.sum() for w, g in groups)

        return eqx.filter_value_and_grad(loss)(before.actor)

    value, grads = grads_with(after.critic)
    np.testing.assert_allclose(figures["loss_pi"], value, rtol=1e-4, atol=1e-6)
    for old, new, grad in zip(
        *map(jax.tree.leaves, (before.actor, after.actor, grads)), strict=True
    ):
        np.testing.assert_allclose(new, old - 0.1 * grad, rtol=1e-3, atol=1e-5)
    assert abs(grads_with(before.critic)[0] - value) > 1e-5


def test_the_temperature_moves_towards_the_target_entropy(mixed_tape):
    for target_entropy, rises in ((5.0, True), (-5.0, False)):
        agent, before, after, figures = make_step(mixed_tape, target_entropy=target_entropy)
        assert (after.log_alpha > before.log_alpha) == rises
        np.testing.assert_allclose(jnp.abs(after.log_alpha - before.log_alpha), 1e-2, rtol=1e-3)
        entropy = 0.5 * (figures["real_pi_entropy"] + figures["imag_pi_entropy"])
        expected = jnp.exp(before.log_alpha) * (entropy - target_entropy)
        np.testing.assert_allclose(figures["loss_alpha"], expected, rtol=1e-4)


def test_a_fixed_temperature_stays(mixed_tape):
    _, before, after, figures = make_step(mixed_tape, target_entropy=None)
    assert after.log_alpha == before.log_alpha and "loss_alpha" not in figures
    np.testing.assert_allclose(figures["alpha"], 0.01, rtol=1e-5)


@pytest.mark.parametrize("real_weight", [0.0, 1.0])
def test_at_a_weight_of_0_or_1_the_other_rows_teach_nothing(mixed_tape, real_weight):
    ignored = mixed_tape.real if real_weight == 0.0 else ~mixed_tape.real
    other = eqx.tree_at(
        lambda t: t.next_reward, mixed_tape, jnp.where(ignored, 50.0, mixed_tape.next_reward)
    )
    # without memory no row's reward is another row's observation
    results = []
    for tape in (mixed_tape, other):
        _, _, learner, _ = make_step(transitions_of(tape), recurrent=False, real_weight=real_weight)
        results.append(learner)
    assert eqx.tree_equal(results[0].critic, results[1].critic)
    assert eqx.tree_equal(results[0].actor, results[1].actor)


def test_a_batch_without_real_rows_still_teaches(mixed_tape):
    tape = eqx.tree_at(lambda t: t.real, mixed_tape, jnp.zeros(16, bool))
    _, before, after, figures = make_step(tape)
    assert figures["loss_q_real"] == 0 and figures["loss_q"] == 0.5 * figures["loss_q_imag"]
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves((after.actor, after.critic)))
    assert not eqx.tree_equal(before.critic, after.critic)


def test_rows_across_an_episode_boundary_teach_nothing(mixed_tape):
    final = ~jnp.concatenate([mixed_tape.learnable().mask, jnp.zeros(1, bool)])
    other = eqx.tree_at(
        lambda t: (t.action, t.next_reward),
        mixed_tape,
        (
            jnp.where(final[:, None], 0.9, mixed_tape.action),
            jnp.where(final, 50.0, mixed_tape.next_reward),
        ),
    )
    learners = [make_step(tape)[2] for tape in (mixed_tape, other)]
    for a, b in zip(*map(jax.tree.leaves, learners), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
