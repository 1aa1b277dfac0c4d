"""The one place that decides what a finding does: end the program, warn, or be noted."""

import sys
from collections.abc import Iterable

from experience.data.checks.finding import Finding, Problem
from harness.errors import UserError

#: What nobody can want in data of their own. Published data is only reported on.
REFUSED = frozenset(
    {
        Problem.UNRELATED_NEXT,
        Problem.UNMARKED_ENDS,
        Problem.SHIFTED_ENDS,
        Problem.OVERWRITTEN_ENDS,
        Problem.NO_ENDS,
        Problem.ENDS_EVERYWHERE,
        Problem.ACTIONS_OUTSIDE,
        Problem.RULE_DENIES_TERMINALS,
        Problem.RULE_ENDS_MOST_ROWS,
    }
)
#: What is said in passing, because nothing is lost or wrong.
NOTED = frozenset({Problem.BOTH_FLAGS, Problem.ACTIONS_CLIPPED, Problem.RULE_NOT_COMPARED})
#: What `env.allow_termination_mismatch=true` lets pass with a warning.
TERMINATION = frozenset({Problem.RULE_DENIES_TERMINALS, Problem.RULE_ENDS_MOST_ROWS})


def judge(
    findings: Iterable[Finding],
    where: str,
    *,
    published: bool,
    allowed: frozenset[Problem] = frozenset(),
) -> None:
    """Print each finding about the dataset called `where`; raise UserError for a refused one.

    Notes go to the standard output, warnings to the standard error stream. Findings about
    `published` data are notes; those that a user `allowed` are warnings.
    """
    for finding in findings:
        if published:
            # its remedies are for those who can change the data
            print(f"note: {where}: {finding.said}", flush=True)
        elif finding.problem in NOTED:
            print(f"note: {where}: {finding}", flush=True)
        elif finding.problem in REFUSED - allowed:
            raise UserError(f"{where}: {finding}")
        else:
            print(f"warning: {where}: {finding}", file=sys.stderr, flush=True)
