"""Findings about data that loads: each check on data with a known fault and on sound data."""

import numpy as np
import pytest

from experience.data.checks.actions import actions_clipped, actions_outside, actions_unscaled
from experience.data.checks.episodes import broken_episodes
from experience.data.checks.finding import Finding, Problem
from experience.data.checks.lengths import (
    both_flags,
    shorter_time_limit,
    time_limits_as_terminals,
    unknown_final_states,
    unused_rows,
)
from experience.data.checks.termination import termination_disagreement
from experience.data.checks.verdict import TERMINATION, judge
from harness.errors import UserError
from tests.experience.walks import walks

EPISODES, STEPS = 12, 40
ROWS = EPISODES * STEPS
LAST = np.arange(1, EPISODES + 1) * STEPS - 1


def states(noise: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Observations and next observations of smooth walks from places far apart."""
    arrays = walks(EPISODES, STEPS, 2, noise=noise)
    return arrays["observations"], arrays["next_observations"]


def at(*rows) -> np.ndarray:
    flags = np.zeros(ROWS, bool)
    flags[np.concatenate([np.atleast_1d(row) for row in rows] or [[]]).astype(int)] = True
    return flags


NONE = at()


def found(findings: list[Finding]) -> list[Problem]:
    return [finding.problem for finding in findings]


def broken(timeouts: np.ndarray, terminals: np.ndarray = NONE, **changes) -> list[Finding]:
    observations, following = states()
    following = changes.get("following", following)
    return broken_episodes(observations, following, terminals, timeouts)


def test_sound_episodes_are_passed():
    assert broken(at(LAST)) == []
    assert broken(at(LAST[::2]), at(LAST[1::2])) == []
    # the last row of a file need not be marked
    assert broken(at(LAST[:-1])) == []
    assert broken(at(LAST), following=None) == []


@pytest.mark.parametrize(
    ("timeouts", "problem", "words"),
    [
        (at(), Problem.UNMARKED_ENDS, "11 of 479 rows .* no row is marked as an end"),
        (at(LAST[:-1] + 1), Problem.SHIFTED_ENDS, r"\(first 39, 79, .* 1 row too late"),
        (at(LAST - 1), Problem.SHIFTED_ENDS, "1 row too early"),
        (at(LAST[:-1] + 2), Problem.SHIFTED_ENDS, "2 rows too late"),
        (at(LAST[1:]), Problem.UNMARKED_ENDS, r"1 of 469 rows \(row 39\) .* ends are missing"),
        (~at(LAST), Problem.ENDS_EVERYWHERE, "468 of 480 rows .* masks"),
    ],
)
def test_ends_that_are_not_where_episodes_end(timeouts, problem, words):
    (finding,) = broken(timeouts)
    assert finding.problem == problem
    pytest.raises(UserError, judge, [finding], "mine", published=False).match(words)


def test_states_that_belong_to_other_rows():
    observations, following = states()
    order = np.random.default_rng(0).permutation(ROWS)
    shuffled = broken_episodes(observations[order], following[order], NONE, at(LAST))
    assert found(shuffled) == [Problem.UNRELATED_NEXT] and "shuffled" in shuffled[0].said
    scaled = broken(at(LAST), following=following * 3)
    assert found(scaled) == [Problem.UNRELATED_NEXT]
    (repeated,) = broken(at(LAST), following=observations)
    assert "repeats the row's observation in 100%" in repeated.said
    (ahead,) = broken(at(LAST), following=np.roll(following, -1, axis=0))
    assert "one row too far ahead in 9" in ahead.said


def test_noise_and_rounding_of_states_are_no_breaks():
    observations, _ = states()
    for following in (states(noise=0.01)[1], states()[1].astype(np.float16).astype(np.float32)):
        assert broken_episodes(observations, following, NONE, at(LAST)) == []
        (shifted,) = broken_episodes(observations, following, NONE, at(LAST[:-1] + 1))
        assert shifted.problem == Problem.SHIFTED_ENDS


def test_next_states_that_a_reset_has_overwritten():
    observations, following = states()
    following[LAST[:-1]] = observations[LAST[:-1] + 1]
    (finding,) = broken(NONE, at(LAST), following=following)
    assert finding.problem == Problem.OVERWRITTEN_ENDS and "11 of 11 ends" in finding.said


def test_pieces_of_a_longer_run_are_only_mentioned():
    observations, following = states()
    one = slice(0, STEPS)
    cut = np.zeros(STEPS, bool)
    cut[[9, 19, 29]] = True
    findings = broken_episodes(observations[one], following[one], np.zeros(STEPS, bool), cut)
    assert found(findings) == [Problem.JOINED_ENDS]


def test_without_next_states_the_size_of_a_step_tells():
    observations, _ = states()
    assert found(broken(at(), following=None)) == [Problem.JUMPS]
    (shifted,) = broken(at(LAST[:-1] + 1), following=None)
    assert shifted.problem == Problem.SHIFTED_ENDS and "1 row too late" in shifted.said
    missing = broken_episodes(observations, None, NONE, at(LAST[1:]))
    assert found(missing) == [Problem.JUMPS] and "(row 39)" in missing[0].said


@pytest.mark.parametrize("following", [True, False])
def test_tiny_and_still_data_is_nothing_to_refuse(following, capsys):
    for rows in (2, 3, 4):
        still = np.ones((rows, 2), np.float32)
        for flag in range(rows):
            ends = np.arange(rows) == flag
            findings = broken_episodes(still, still if following else None, ends, ~ends & ends)
            judge(findings, "still", published=False)


def test_rows_that_no_history_reaches():
    assert unused_rows(at(LAST), STEPS) == []
    (endless,) = unused_rows(at(), 50)
    assert endless.problem == Problem.NO_ENDS and "leaves 50 to the agent" in endless.said
    assert found(unused_rows(at(ROWS - 1), 50)) == [Problem.NO_ENDS]
    (long,) = unused_rows(at(LAST), 20)
    assert long.problem == Problem.ROWS_BEYOND_HORIZON and "240 of 480 rows (50%)" in long.said


def test_time_limits_stored_as_terminals():
    assert found(time_limits_as_terminals(at(LAST), NONE, STEPS)) == [
        Problem.TIME_LIMITS_AS_TERMINALS
    ]
    assert time_limits_as_terminals(at(LAST), NONE, STEPS + 1) == []
    assert time_limits_as_terminals(at(LAST, 5), NONE, STEPS) == []
    assert time_limits_as_terminals(at(LAST[1:]), at(LAST[0]), STEPS) == []


def test_flags_that_mean_more_than_one_thing():
    assert both_flags(at(LAST[1:]), at(LAST[:1])) == []
    (both,) = both_flags(at(LAST), at(LAST[:3]))
    assert "3 of 480 rows (rows 39, 79, 119)" in both.said
    assert unknown_final_states(NONE) == [] != unknown_final_states(at(3))


def test_an_environment_with_a_shorter_time_limit():
    assert shorter_time_limit(None, 100) == shorter_time_limit(100, 100) == []
    assert shorter_time_limit(200, 100) == []
    assert found(shorter_time_limit(99, 100)) == [Problem.SHORTER_TIME_LIMIT]


def test_actions_out_of_bounds():
    actions = np.zeros((10, 3), np.float32)
    assert actions_outside(actions, scaled_here=False) == actions_clipped(actions) == []
    actions[4, 1] = 1.00001
    assert actions_outside(actions, scaled_here=False) == []
    actions[7, 2] = -1.05
    (slight,) = actions_outside(actions, scaled_here=False)
    assert "1 of 10 rows (row 7), in dimension 2" in slight.said
    assert slight.remedy.startswith("if this is rounding or exploration noise: cut them off")
    actions[7, 2] = 40
    (wide,) = actions_outside(actions, scaled_here=False)
    assert wide.remedy.startswith("if this is the environment's own units: store 2")
    (minari,) = actions_outside(actions, scaled_here=True)
    assert "the bounds of the dataset's own action space" in minari.said
    assert "2 of 10 rows (rows 4, 7), the furthest from 40" in actions_clipped(actions)[0].said


def test_actions_that_were_never_scaled():
    low, high = np.full(2, -0.4), np.full(2, 0.4)
    actions = np.random.default_rng(0).uniform(-0.4, 0.4, (500, 2)).astype(np.float32)
    (unscaled,) = actions_unscaled(actions, low, high)
    assert unscaled.problem == Problem.ACTIONS_UNSCALED and "[-0.4, 0.4]" in unscaled.said
    assert actions_unscaled(actions / 0.4, low, high) == []
    assert actions_unscaled(actions / 0.4, -np.ones(2), np.ones(2)) == []
    # one that cannot move at all is nothing to scale
    assert actions_unscaled(0 * actions, 0 * low, 0 * high) == []


def rule_findings(ended, terminals, known=None, timeouts=NONE):
    known = np.ones(ROWS, bool) if known is None else known
    return termination_disagreement(ended, terminals, timeouts, known, "the rule")


def test_a_rule_that_agrees_says_nothing():
    assert rule_findings(at(LAST), at(LAST)) == []
    # what it says of a row without a next state does not count
    assert rule_findings(at(LAST), NONE, known=~at(LAST)) == []


def test_a_rule_that_denies_terminal_rows():
    (never,) = rule_findings(NONE, at(LAST))
    assert never.problem == Problem.RULE_DENIES_TERMINALS
    assert "does not end 12 of 12 terminal rows (first 39, 79, 119, 159, 199)" in never.said
    assert found(rule_findings(at(LAST[1:]), at(LAST))) == [Problem.RULE_DIFFERS]
    assert found(rule_findings(at(LAST[2:]), at(LAST))) == [Problem.RULE_DENIES_TERMINALS]


def test_a_rule_that_ends_other_rows():
    (some,) = rule_findings(at(LAST, 3, 4), at(LAST))
    assert some.problem == Problem.RULE_DIFFERS and "2 of 468 rows (rows 3, 4)" in some.said
    (inverted,) = rule_findings(~NONE, NONE)
    assert inverted.problem == Problem.RULE_ENDS_MOST_ROWS and "inverted" in inverted.said
    (hidden,) = rule_findings(at(LAST), NONE, timeouts=at(LAST))
    assert "12 of them are in 'timeouts'" in hidden.said


def test_terminal_rows_that_cannot_be_compared_are_mentioned():
    (unknown,) = rule_findings(NONE, at(LAST), known=~at(LAST))
    assert unknown.problem == Problem.RULE_NOT_COMPARED and "12 of 480 rows" in unknown.said


def test_the_verdict(capsys):
    finding = Finding(Problem.RULE_DENIES_TERMINALS, "said", "remedy")
    with pytest.raises(UserError, match="^mine: said; remedy$"):
        judge([finding], "mine", published=False)
    judge([finding], "mine", published=False, allowed=TERMINATION)
    judge([finding], "mine", published=True)
    judge([Finding(Problem.BOTH_FLAGS, "both", "")], "mine", published=False)
    out, err = capsys.readouterr()
    assert err == "warning: mine: said; remedy\n"
    assert out == "note: mine: said\nnote: mine: both\n"
