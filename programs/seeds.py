"""Several seeds in one process: each is a run of its own, but their updates are one program.

A run that began beside others may be continued alone, and the other way round.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from harness.process.interrupts import deferred
from online_rl import side_by_side
from online_rl.agent import Learner
from online_rl.updates import UpdateTogether
from programs.training import Draw, Member


def train_seeds(
    members: Sequence[Member[Learner]],
    update_together: UpdateTogether[Learner],
    draw: Draw,
    end: Callable[[Member[Learner], Learner, Path], None],
) -> None:
    """Train all side by side; `end` is given each, its learner and its plot.

    Raises UserError for those that could not go on, when the others have ended.
    """
    with ExitStack() as open_:
        opened = {m.config.seed: open_.enter_context(m.opened()) for m in members}
        trainings = {seed: training for seed, (training, _) in opened.items()}
        with deferred() as pending:
            failures = side_by_side.train(trainings, update_together, pending)
        ended = []
        for member in members:
            training, logger = opened[member.config.seed]
            if member.config.seed in failures:
                logger.close(exit_code=1)
            else:
                ended.append((member, training.state.learner, member.plotted(draw, logger)))
    for member, learner, plot in ended:
        end(member, learner, plot)
    failures.check()
