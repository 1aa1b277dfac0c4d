"""Whether a termination rule and a dataset's terminal rows tell the same story."""

import numpy as np
from jaxtyping import Bool

from experience.data.checks.finding import Finding, Problem, counted

#: A rule that denies a larger share of the terminal rows is not this dataset's.
DENIED_AT_MOST = 0.1
#: A rule that ends a larger share of the rows after which the file goes on leaves no rollouts.
ENDED_AT_MOST = 0.5

Flags = Bool[np.ndarray, " row"]


def termination_disagreement(
    rule: Flags, terminals: Flags, timeouts: Flags, known: Flags, name: str
) -> list[Finding]:
    """What the rule called `name` says of each row against what the file says.

    `known` marks the rows whose next state is known: only they are compared. `rule` is its word on
    each row, and whatever it likes elsewhere.
    """
    findings = []
    terminal = terminals & known
    denied = terminal & ~rule
    if denied.any():
        share = denied.sum() / terminal.sum()
        said = (
            f"{name} does not end {counted(denied, int(terminal.sum()), 'terminal rows')}, so that"
            " imagined episodes go on where these ended"
        )
        remedy = (
            "give env.termination=<file.py:function> that says when an episode ends, or"
            " env.allow_termination_mismatch=true if they should go on"
        )
        refused = share > DENIED_AT_MOST
        kind = Problem.RULE_DENIES_TERMINALS if refused else Problem.RULE_DIFFERS
        findings.append(Finding(kind, said, remedy if refused else ""))
    going_on = known & ~terminals
    ended = going_on & rule
    if ended.any():
        findings.append(_ended(ended, going_on, timeouts, name))
    unknown = terminals & ~known
    if unknown.any():
        said = (
            f"{name} cannot be compared with {counted(unknown)} that are terminal, as their next"
            " state is not known"
        )
        findings.append(Finding(Problem.RULE_NOT_COMPARED, said, ""))
    return findings


def _ended(ended: Flags, going_on: Flags, timeouts: Flags, name: str) -> Finding:
    total = int(going_on.sum())
    said = f"{name} ends {counted(ended, total, 'rows')} that are not terminal in the file"
    cut_off = int((ended & timeouts).sum())
    if cut_off:
        said += f"; {cut_off:,} of them are in 'timeouts', which may hold real endings"
    if ended.sum() <= ENDED_AT_MOST * total:
        return Finding(Problem.RULE_DIFFERS, said, "")
    said += ": imagined episodes would end at once; the rule may be inverted"
    remedy = "correct the rule, or give env.allow_termination_mismatch=true"
    return Finding(Problem.RULE_ENDS_MOST_ROWS, said, remedy)
