"""Whether critics see the ends of a dataset when they are shown more of them, the actor held.

    python results/loco/refit_critics.py runs/.../default/seed1 --histories whole

The critics of a finished run learn on, with fresh optimisers, from real histories alone: cut where
a rollout would branch off (`cut`, eq. 18, as in training), or `whole`. Prints the mean Q of logged
actions before the ends, as ends.py does, every 500 updates.
"""

from collections.abc import Iterator
from pathlib import Path

import equinox as eqx
import jax
import numpy as np
from ends import STEPS, opened, q_of_actions, steps_to_end

from experience.tape import Tape
from harness.process.flags import Flags, whole_number
from harness.process.reporting import reported_errors
from online_rl.sac import SACAgent, SACLearner
from programs.saved_runs import read_config


def batches(tape: Tape, rows: int, *, whole: bool) -> Iterator[Tape]:
    """Tapes of `rows` rows: histories drawn uniformly, or one for each row that is drawn."""
    rng = np.random.default_rng(0)
    first = np.flatnonzero(np.append(np.asarray(tape.start), True))
    while True:
        chosen: list[int] = []
        while len(chosen) < rows:
            if whole:
                episode = rng.integers(len(first) - 1)
                begin, last = first[episode], first[episode + 1] - 1
            else:
                last = rng.integers(first[-1])
                begin = first[np.searchsorted(first, last, side="right") - 1]
            chosen.extend(range(begin, last + 1))
        yield tape.rows(np.asarray(chosen[:rows]))


@eqx.filter_jit
def fit(agent: SACAgent, learner: SACLearner, batch: Tape, key: jax.Array) -> SACLearner:
    """One update of critics and target alone."""

    def critics(learner: SACLearner):
        return learner.critic, learner.target, learner.critic_state

    return eqx.tree_at(critics, learner, critics(agent.update(learner, batch, key)[0]))


def main() -> None:
    parser = Flags(__doc__)
    add = parser.add_argument
    add("run", type=Path, help="a run of offline_cont.py")
    add("--histories", choices=("cut", "whole"), required=True)
    add("--updates", type=whole_number(1), default=3000, metavar="N", help="default 3000")
    options = parser.parse_args()
    agent, learner, tape = opened(options.run)
    steps = steps_to_end(tape)
    learner = agent.with_networks(agent.init(jax.random.key(0)), agent.networks(learner))
    tapes = batches(
        tape, read_config(options.run).train.batch_size, whole=options.histories == "whole"
    )
    print(f"| updates | {' | '.join(f'Q {count} steps before' for count in STEPS)} |")
    print("| --- " * (len(STEPS) + 1) + "|", flush=True)
    for update in range(options.updates + 1):
        if update % 500 == 0:
            q = np.asarray(q_of_actions(agent, learner, tape))
            cells = (f"{q[steps == count].mean():.1f}" for count in STEPS)
            print(f"| {update} | {' | '.join(cells)} |", flush=True)
        learner = fit(agent, learner, next(tapes), jax.random.fold_in(jax.random.key(1), update))


if __name__ == "__main__":
    with reported_errors():
        main()
