"""A finished run's agent imagines episodes in its world model: planning horizons and Q-values.

    python examples/quickstart.py runs/offline_cont/pendulum-random-v1/default/seed0

Run it from the checkout, with the editable install or PYTHONPATH=. there. The picture goes into the
run's plots.
"""

import sys
from pathlib import Path

import equinox as eqx
import jax
import numpy as np
from matplotlib.figure import Figure

from experience.collector import RolloutSettings, collect
from experience.data.dataset import load_dataset
from experience.tasks import get_task
from online_rl.networks import all_q
from online_rl.sac import SACLearner
from programs.continuous import load_histories
from programs.imagining import as_policy
from programs.saved_runs import load_run, read_config
from programs.world_model import build_world

run = Path(sys.argv[1])
config = read_config(run)
task = get_task(config.domain, config.dataset_name, config.env)
dataset = load_dataset(task)
world = build_world(config, task, dataset).world
agent, learner = load_run(run, dataset.observations.shape[1], dataset.actions.shape[1])

# imagine: real histories, then the agent in the world model until it knows too little
settings = RolloutSettings(config.collect.parallel_size, config.collect.max_rollout_len)
policy = as_policy(agent, learner, deterministic=True)
tape, lengths, statistics = eqx.filter_jit(collect)(
    policy, world, load_histories(task, dataset), jax.random.key(0), settings
)
rows = tape.rows(slice(0, int(lengths.sum())))
dreamt = ~np.asarray(rows.real)
episode = np.cumsum(np.asarray(rows.start)) - 1
# an episode has one row more than steps
horizons = np.bincount(episode[dreamt]) - 1

# the critics' mean Q of every imagined action
assert isinstance(learner, SACLearner)
features = learner.critic.encoder(rows, policy.first_action)
q = all_q(learner.critic.head, features, rows.action).mean(0)

figure = Figure(figsize=(8, 3), layout="constrained")
left, right = figure.subplots(1, 2)
left.hist(horizons, bins=30)
left.set(xlabel="planning horizon in steps", ylabel="rollouts")
right.hist(np.asarray(q)[dreamt], bins=30)
right.set(xlabel="Q of imagined rows", ylabel="rows")
path = run / "plots/quickstart.png"
figure.savefig(path, dpi=140)
print(f"horizon {horizons.mean():.1f} steps on average, Q {q[dreamt].mean():.3g}\n{path}")
