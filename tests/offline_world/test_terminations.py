"""Termination rules: golden numbers, boundaries, and functions that users bring."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from harness.errors import UserError
from offline_world.terminations import check_termination, ended_rows, termination_fn

GOLDEN = Path(__file__).parent.parent / "golden" / "terminations.npz"
DOMAINS = {"halfcheetah": "d4rl_loco", "hopper": "d4rl_loco", "walker2d": "d4rl_loco"}
DOMAINS |= {"pen": "adroit", "door": "adroit", "hammer": "adroit", "antmaze": "antmaze"}
with np.load(GOLDEN) as file:
    NAMES = sorted({key.split(":")[0] for key in file.files})


def apply(rule, next_states):
    action = jnp.zeros(3)
    return jax.jit(jax.vmap(lambda after: rule(jnp.zeros_like(after), action, after)))(next_states)


@pytest.mark.parametrize("name", NAMES)
def test_rules_are_the_published_ones(name):
    with np.load(GOLDEN) as file:
        next_states, expected = file[f"{name}:next_obs"], file[f"{name}:done"]
    rule = termination_fn(DOMAINS.get(name.split("-")[0], "neorl"), name)
    np.testing.assert_array_equal(apply(rule, next_states), expected)


@pytest.mark.parametrize(
    ("domain", "name", "healthy"),
    [
        ("d4rl_loco", "hopper-medium-v2", [1.2, 0.1, 0, 0]),
        ("d4rl_loco", "walker2d-medium-v2", [1.2, 0.1, 0, 0]),
        ("neorl", "Hopper-v3-low", [7.0, 1.2, 0.1, 0]),
        ("neorl", "Walker2d-v3-low", [7.0, 1.2, 0.1, 0]),
    ],
)
def test_nan_in_height_or_angle_is_never_healthy(domain, name, healthy):
    rule = termination_fn(domain, name)
    height = 1 if domain == "neorl" else 0
    broken = np.tile(np.float32(healthy), (2, 1))
    broken[0, height] = np.nan
    broken[1, height + 1] = np.nan
    assert not apply(rule, np.float32([healthy])).any()
    assert apply(rule, broken).all()


def test_a_hopper_that_flies_off_to_infinity_is_not_healthy():
    rule = termination_fn("d4rl_loco", "hopper-medium-v2")
    assert apply(rule, np.float32([[np.inf, 0.1, 0, 0]])).all()


def test_a_pen_is_dropped_below_its_height():
    next_states = np.ones((3, 45), np.float32)
    next_states[:, 26] = [0.0751, 0.0749, np.nan]
    dropped = apply(termination_fn("adroit", "pen-human-v1"), next_states)
    np.testing.assert_array_equal(dropped, [False, True, False])


def test_every_maze_has_its_own_goal():
    goals = {"umaze-diverse": (0.75, 8.75), "medium-diverse": (20.75, 20.75)}
    goals["large-diverse"] = (32.75, 24.75)
    centres = np.zeros((3, 29), np.float32)
    centres[:, :2] = list(goals.values())
    within, beyond = centres.copy(), centres.copy()
    within[:, 1] += 0.24
    beyond[:, 1] += 0.26
    for i, name in enumerate(goals):
        rule = termination_fn("antmaze", f"antmaze-{name}-v2")
        np.testing.assert_array_equal(apply(rule, within), np.arange(3) == i)
        assert not apply(rule, beyond).any()


def test_an_unknown_dataset_has_no_rule():
    with pytest.raises(UserError, match="domain=d4rl_loco dataset_name=ant-medium-v2"):
        termination_fn("d4rl_loco", "ant-medium-v2")


@pytest.fixture
def rules(tmp_path, monkeypatch):
    """A module of the user's, importable and on disk."""
    path = tmp_path / "own_rules.py"
    path.write_text(
        "import jax.numpy as jnp\n"
        "def fallen(s, a, after):\n    return after[0] < s[0] - a[0]\n"
        "def one_argument(after):\n    return after[0] < 0\n"
        "def a_number(s, a, after):\n    return after[0]\n"
        "def a_vector(s, a, after):\n    return after < 0\n"
        "def branches(s, a, after):\n    return True if after[0] < 0 else False\n"
        "def nothing(s, a, after):\n    after[0] < 0\n"
        "def misspelt(s, a, after):\n    return jnp.normm(after) < 0\n"
        "def too_short(s, a, after):\n    return dict(x=after)['y'] < 0\n"
        "constant = 3\n"
    )
    (tmp_path / "broken_rules.py").write_text("def fallen(:\n")
    (tmp_path / "bare_rules.py").write_text("origin = jnp.zeros(3)\n")
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_a_rule_is_found_by_module_and_by_file(rules):
    for spec in ("own_rules.fallen", f"{rules}/own_rules.py:fallen"):
        rule = termination_fn("custom", "mine", spec)
        check_termination(rule, state_dim=4, action_dim=3)
        np.testing.assert_array_equal(apply(rule, np.float32([[-1, 0], [1, 0]])), [True, False])
        before, after = jnp.array([2.0]), jnp.array([1.0])
        assert rule(before, jnp.array([0.5]), after)
        assert not rule(before, jnp.array([1.5]), after)


def test_never_never_ends():
    rule = termination_fn("pendulum", "pendulum-random-v1", "never")
    assert not apply(rule, np.full((3, 3), np.nan, np.float32)).any()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (None, "env.termination is missing"),
        ("fallen", "is neither `never`, package.module.function nor"),
        ("no_such_module.fallen", "module no_such_module cannot be imported"),
        ("own_rules.falen", "there is no function 'falen'"),
        ("own_rules.constant", "there is no function 'constant'"),
        ("own_rules.one_argument", "must take the three arguments"),
        ("nowhere/own_rules.py:fallen", "there is no Python file .*nowhere/own_rules.py"),
        ("{rules}/broken_rules.py:fallen", "cannot be imported .*invalid syntax"),
        ("broken_rules.fallen", "cannot be imported .*invalid syntax"),
        ("{rules}/bare_rules.py:fallen", r"NameError \(name 'jnp' is not defined\) in .*, line 1:"),
        ("bare_rules.fallen", r"importing bare_rules raised NameError \(.*bare_rules.py, line 1:"),
    ],
)
def test_a_rule_that_cannot_be_found_is_an_error(rules, spec, message):
    with pytest.raises(UserError, match=message):
        termination_fn("custom", "mine", spec and spec.replace("{rules}", str(rules)))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a_number", r"must return one boolean, not float32 of shape \(\)"),
        ("a_vector", r"must return one boolean, not bool of shape \(4,\)"),
        ("branches", "must be written in jax.numpy"),
        ("nothing", "must return one boolean, not NoneType"),
        # raised in a library, but to be corrected in the rule
        ("misspelt", r"misspelt raised AttributeError \(.*normm.*own_rules.py, line 15:"),
        ("too_short", r"too_short raised KeyError \('y'\) in .*own_rules.py, line 17:"),
    ],
)
def test_a_rule_of_the_wrong_kind_shows_when_it_is_checked(rules, name, message):
    rule = termination_fn("custom", "mine", f"own_rules.{name}")
    with pytest.raises(UserError, match=message):
        check_termination(rule, state_dim=4, action_dim=3)


@pytest.mark.parametrize("rows", [1, 4, 9])
def test_all_rows_are_asked_whatever_the_batch(rows, monkeypatch):
    monkeypatch.setattr("offline_world.terminations._BATCH", 4)
    states, actions = np.random.default_rng(0).normal(size=(2, rows, 3)).astype(np.float32)
    ended = ended_rows(lambda s, a, after: after[0] > a[1] + s[2], states, actions, states + 1)
    np.testing.assert_array_equal(ended, states[:, 0] + 1 > actions[:, 1] + states[:, 2])
