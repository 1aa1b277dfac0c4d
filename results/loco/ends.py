"""What the critics of finished runs make of the ends in their dataset.

    python results/loco/ends.py runs/loco/base/offline_cont/hopper-own-random-v2/default/seed*

Tells how rare real ends are in what an agent learns from, and prints, over the dataset's terminated
episodes, the critics' mean Q of the logged action 0, 1, 2, ... steps before the end: mean, 10 % and
90 % quantile. At 0 Q is an estimate of the last reward and of nothing else (eq. 40).
"""

from pathlib import Path

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from experience.data.dataset import load_dataset
from experience.histories import histories_of
from experience.history_store import HistoryStore
from experience.tape import Tape
from experience.tasks import get_task
from harness.errors import UserError
from harness.process.flags import Flags
from harness.process.reporting import reported_errors
from online_rl.networks import all_q
from online_rl.sac import SACAgent, SACLearner
from programs.saved_runs import load_run, read_config

STEPS = (0, 1, 2, 3, 5, 8, 12, 20)


def steps_to_end(tape: Tape) -> Int[np.ndarray, " transition"]:
    """Of each transition, how many follow it in its episode; -1 in one that does not terminate, and
    where there is no transition."""
    rows = tape.learnable()
    mask, terminated = np.asarray(rows.mask), np.asarray(rows.next_terminated & rows.mask)
    # the row of the last transition of each row's episode
    last = np.flatnonzero(np.append(~mask, True)) - 1
    end = last[np.searchsorted(last, np.arange(len(mask)))]
    return np.where(mask & terminated[end], end - np.arange(len(mask)), -1)


def opened(run: Path) -> tuple[SACAgent, SACLearner, Tape]:
    """The agent that the run in this directory ended with, and its dataset's histories; UserError
    if none of them terminates."""
    config = read_config(run)
    task = get_task(config.domain, config.dataset_name, config.env)
    dataset = load_dataset(task)
    tape = histories_of(dataset, task)
    if not (steps_to_end(tape) == 0).any():
        raise UserError(f"no episode of {config.dataset_name} terminates")
    agent, learner = load_run(run, dataset.observations.shape[1], dataset.actions.shape[1])
    assert isinstance(agent, SACAgent) and isinstance(learner, SACLearner)
    return agent, learner, tape


@eqx.filter_jit
def q_of_actions(agent: SACAgent, learner: SACLearner, tape: Tape) -> Float[Array, " transition"]:
    """The critics' mean Q of each transition's own action."""
    features = learner.critic.encoder(tape, jnp.asarray(agent.first_action))
    action = tape.learnable().action
    return all_q(learner.critic.head, tape.current(features), action).mean(0)


def study(run: Path) -> None:
    agent, learner, tape = opened(run)
    steps = steps_to_end(tape)
    q = np.asarray(q_of_actions(agent, learner, tape))
    reward = np.asarray(tape.learnable().next_reward)
    of_rows, of_learned = HistoryStore.from_tape(tape).end_shares()
    print(
        f"{run}\nends are {of_rows:.2%} of the transitions, and {of_learned:.2%} of the real ones"
        " that are learned from\n"
        "\n| steps before the end | transitions | reward | Q | 10 % | 90 % |"
        "\n| --- | --- | --- | --- | --- | --- |"
    )
    for count in STEPS:
        those = steps == count
        if those.any():
            low, high = np.quantile(q[those], (0.1, 0.9))
            print(
                f"| {count} | {those.sum():,} | {reward[those].mean():.2f} | {q[those].mean():.1f}"
                f" | {low:.1f} | {high:.1f} |"
            )
    print()


def main() -> None:
    parser = Flags(__doc__)
    parser.add_argument("runs", nargs="+", type=Path, help="runs of offline_cont.py")
    for run in parser.parse_args().runs:
        study(run)


if __name__ == "__main__":
    with reported_errors():
        main()
