"""What eval_values.py does: one finished run, its values against the truth."""

import json
from functools import partial
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Float

from experience.data.dataset import load_dataset
from experience.histories import histories_of
from experience.real.oracle import make_oracle
from experience.tasks import get_task
from figures.intervals import mean_interval
from figures.values import draw_values
from harness.errors import UserError
from harness.files import write_text
from harness.run import layout
from online_rl.sac import SACAgent, SACLearner
from programs.agent_files import saved_origin
from programs.saved_runs import load_run, read_config
from programs.surroundings import ImaginedSurroundings, TrueSurroundings
from programs.value_error import LEAST_DISCOUNT, compare_values, draw_rows
from programs.world_model import build_world

#: Steps that an episode is followed at most: minutes of the real environments.
LONGEST = 100_000
#: Beyond it, rewards count that no episode of so many steps shows.
GREATEST_GAMMA = LEAST_DISCOUNT ** (1 / LONGEST)


def study_values(run: Path, states: int, seed: int, *, imagined: bool = False) -> Path:
    """Compare Q with true returns from `states` states of the run's dataset (eq. 56), and with
    `imagined` also with those in the run's world model (eq. 57).

    Prints means with 95 % bootstrap intervals over the states, and writes them to `values.json` in
    the run directory, whose path it returns, beside a figure. Raises UserError if the directory
    holds no finished agent, where its returns are hardly discounted, where the environment cannot
    be put into a dataset's state, or where the world model is not there any more.
    """
    config = read_config(run)
    if config.train.gamma > GREATEST_GAMMA:
        raise UserError(
            f"{run} was trained with train.gamma={config.train.gamma}, whose values count rewards"
            f" beyond the {LONGEST:,} steps that an episode is followed here: give a run with a"
            f" train.gamma of at most {GREATEST_GAMMA:.5f}"
        )
    task = get_task(config.domain, config.dataset_name, config.env)
    dataset = load_dataset(task)
    agent, learner = load_run(run, dataset.observations.shape[1], dataset.actions.shape[1])
    assert isinstance(agent, SACAgent) and isinstance(learner, SACLearner)
    tape = histories_of(dataset, task)
    rows = draw_rows(tape, states, np.random.default_rng(seed))
    if len(rows) < 2:
        raise UserError(f"dataset {task.dataset_name} has too few transitions for an interval")
    # a missing world model is told before minutes of the true environment
    world = build_world(config, task, dataset).world if imagined else None
    # the simulator's states do not mix: each episode has one of its own
    oracles = [
        make_oracle(config.domain, config.dataset_name, config.env, config.engine) for _ in rows
    ]
    origin, key = saved_origin(run / layout.AGENT), jax.random.key(seed)
    compare = partial(compare_values, agent, learner, tape, rows, key=key, horizon=task.horizon)
    values = compare(TrueSurroundings(oracles, reward_shift=task.reward_shift, origin=origin))
    record = {
        "states": len(rows),
        "seed": seed,
        "q": _mean(values.q),
        "earned": _mean(values.earned),
        "promised": _mean(values.promised),
        "overestimation": _mean(values.q - values.promised),
    }
    shares = ""
    if world is not None:
        # the actions' keys are folded in, not split
        dream_key = jax.random.split(key)[0]
        dreamt = compare(ImaginedSurroundings(world, dream_key)).promised
        record |= {
            "imagined": _mean(dreamt),
            "of_model": _mean(dreamt - values.promised),
            "of_critics": _mean(values.q - dreamt),
        }
        shares = (
            f"; in its world model {_told(record['imagined'])}: {_told(record['of_model'])} of it"
            f" is the world model's and {_told(record['of_critics'])} the critics'"
        )
    path = run / "values.json"
    write_text(path, json.dumps(record, indent=2) + "\n")
    draw_values(run / "plots" / "values", values.q, values.promised)
    q, promised, earned = (record[name]["mean"] for name in ("q", "promised", "earned"))
    print(
        f"{run}: Q {q:.1f}, really {promised:.1f} ({earned:.1f} without entropy): overestimated by"
        f" {_told(record['overestimation'])} over {len(rows)} states{shares}",
        flush=True,
    )
    return path


def _mean(values: Float[np.ndarray, " state"]) -> dict[str, float]:
    interval = mean_interval([[value] for value in values])
    assert interval is not None
    return {"mean": float(values.mean()), "low": interval[0], "high": interval[1]}


def _told(interval: dict[str, float]) -> str:
    return f"{interval['mean']:.1f} [{interval['low']:.1f}, {interval['high']:.1f}]"
