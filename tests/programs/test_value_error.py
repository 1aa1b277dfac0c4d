"""Q against what the policy earns, in environments whose returns are known."""

from dataclasses import asdict

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from omegaconf import OmegaConf

from experience.tape import Tape
from harness.configuration.composition import load_config
from harness.errors import UserError
from online_rl.builders import recurrent_agent
from online_rl.networks import all_q
from programs.surroundings import TrueSurroundings
from programs.value_error import compare_values, draw_rows, steps_that_count
from programs.value_study import study_values

LENGTHS, HORIZON = (9, 4, 7), 9


class Payer:
    """Pays 1 a step and ends after `steps`; what it was put into and asked to do is kept."""

    def __init__(self, steps: int):
        self.steps, self.actions, self.state = steps, [], None

    def set_state(self, observation):
        self.state = np.asarray(observation)

    def step(self, action):
        self.actions.append(action)
        return self.state, 1.0, len(self.actions) == self.steps


@pytest.fixture(scope="module")
def tape() -> Tape:
    rng = np.random.default_rng(0)
    count = sum(LENGTHS) + len(LENGTHS)
    start = np.zeros(count, bool)
    start[np.cumsum((0, *(length + 1 for length in LENGTHS[:-1])))] = True
    return Tape(
        state=jnp.asarray(rng.normal(size=(count, 3)), jnp.float32),
        action=jnp.asarray(rng.uniform(-1, 1, (count, 1)), jnp.float32),
        next_reward=jnp.asarray(rng.normal(size=count), jnp.float32),
        next_penalty=jnp.zeros(count),
        start=jnp.asarray(start),
        next_terminated=jnp.zeros(count, bool),
        next_truncated=jnp.zeros(count, bool),
        real=jnp.ones(count, bool),
    )


def trained(*overrides):
    config = load_config("pendulum/base", ["debug=true", "train.gamma=0.9", *overrides])
    agent = recurrent_agent(config, 3, 1)
    return agent, eqx.filter_jit(agent.init)(jax.random.key(0))


def compare(agent, learner, tape, rows, oracles):
    surroundings = TrueSurroundings(oracles, reward_shift=0.0)
    key = jax.random.key(1)
    return compare_values(agent, learner, tape, rows, surroundings, key, horizon=HORIZON)


def test_rows_are_transitions(tape):
    rows = draw_rows(tape, 100, np.random.default_rng(0))
    assert len(rows) == len(set(rows)) == sum(LENGTHS)
    assert tape.learnable().mask[rows].all()
    assert len(draw_rows(tape, 5, np.random.default_rng(0))) == 5


@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.99])
def test_later_rewards_would_not_count(gamma):
    steps = steps_that_count(gamma)
    assert gamma**steps <= 1e-3 < (gamma ** (steps - 1) if gamma else 1)


@pytest.mark.parametrize("gamma", ["1.0", "0.9999999"])
def test_a_run_with_hardly_a_discount_is_refused_before_anything_is_loaded(tmp_path, gamma):
    config = load_config("pendulum/base", ["debug=true", f"train.gamma={gamma}"])
    (tmp_path / "config.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create(asdict(config))))
    with pytest.raises(UserError, match=f"train.gamma={gamma}, .* of at most 0.99993"):
        study_values(tmp_path, states=2, seed=0)


def test_returns_are_discounted_and_end_with_the_episode(tape):
    agent, learner = trained("train.backup_entropy=false")
    rows = np.array([3, 12, 15])
    oracles = [Payer(3), Payer(1), Payer(10**6)]
    values = compare(agent, learner, tape, rows, oracles)
    forever = (1 - 0.9 ** steps_that_count(0.9)) / (1 - 0.9)
    np.testing.assert_allclose(values.earned, [1 + 0.9 + 0.81, 1, forever], rtol=1e-6)
    np.testing.assert_array_equal(values.promised, values.earned)
    assert [len(oracle.actions) for oracle in oracles[:2]] == [3, 1]
    np.testing.assert_array_equal([oracle.state for oracle in oracles], tape.state[rows])


def test_q_is_that_of_the_history_and_the_action_taken(tape):
    agent, learner = trained()
    rows = np.array([0, 5, 12, 20])
    oracles = [Payer(2) for _ in rows]
    values = compare(agent, learner, tape, rows, oracles)
    features = learner.critic.encoder(tape, jnp.asarray(agent.first_action))[rows]
    actions = jnp.asarray(np.stack([oracle.actions[0] for oracle in oracles]))
    expected = all_q(learner.critic.head, features, actions).mean(0)
    np.testing.assert_allclose(values.q, expected, rtol=1e-4, atol=1e-6)


def test_entropies_are_paid_after_the_first_action(tape):
    agent, learner = trained("train.backup_entropy=true")
    learner = eqx.tree_at(lambda tree: tree.log_alpha, learner, jnp.float32(0.0))
    rows = np.array([3, 12])
    values = compare(agent, learner, tape, rows, [Payer(1), Payer(2)])
    assert values.promised[0] == values.earned[0]
    # a fresh policy of one action is nearly uniform on (-1, 1): about log 2, whatever was drawn
    assert 0 < abs(values.promised[1] - values.earned[1]) < 0.9 * 4
