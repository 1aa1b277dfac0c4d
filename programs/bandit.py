"""The bandit study: its reward ensemble, and the recurrent agent in it (paper Section 3)."""

import shlex
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from catalogue.uncertainty import UNCERTAINTIES
from experience.collector import RolloutSettings, collect
from experience.history_store import HistoryStore
from experience.real.bandit_envs import Played, no_history, play
from experience.replay import TapeReplay
from figures.bandit_progress import SHOWN, arm_histogram, bandit_plot
from harness.checkout import script_command
from harness.configuration.schema import REWARD_MODEL_KEYS, BanditConfig
from harness.configuration.typed import typed_overrides
from harness.errors import UserError
from harness.log import metrics
from harness.log.compiling import announced
from harness.log.metrics_file import read_rows
from harness.randomness import Purpose, ensemble_keys, key_at
from harness.run.directory import RunDirectory
from harness.run.inputs import Input
from offline_world.bandit_dataset import BanditDataset
from offline_world.bandit_task import ARMS, PULLS, SECOND_ARM_PAYS
from offline_world.bandit_world import BanditWorld, arm_means
from offline_world.checkpoint import load_bandit_ensemble
from offline_world.criterion import absolute_nll
from offline_world.fit import compiled_epoch
from offline_world.modules import BANDIT_DEPTH, Ensemble
from offline_world.selection import best_members, require_members
from offline_world.split import Data, bandit_holdout, split_rows
from online_rl import loop
from online_rl.beside_training import Evaluate
from online_rl.builders import bandit_agent
from online_rl.dqn import DQNAgent, DQNLearner, plasticity
from programs.agent_files import rescue_agent
from programs.bandit_inputs import load_pulls, pulls_input
from programs.collecting import episode_figures, make_collect
from programs.ensemble_training import fit_and_save, fit_settings
from programs.imagining import as_policy
from programs.inspection import make_inspect
from programs.trained_ensemble import require_data
from programs.training import Member, batches, finish, make_save, make_updates, start, train


def ensemble_path(config: BanditConfig) -> Path:
    """Where the reward ensemble of this seed is kept."""
    return Path(config.collect.save_dir).expanduser() / f"ensemble_seed{config.seed}.eqx"


def bandit_data(pulls: BanditDataset) -> Data:
    """Training rows and the held-out 20 %."""
    rows = jnp.asarray(pulls.rows())
    train_rows, holdout_rows = split_rows(rows.shape[0], bandit_holdout(rows.shape[0]))
    return Data(train=rows[train_rows], holdout=rows[holdout_rows])


def train_ensemble(config: BanditConfig, run: RunDirectory) -> Path:
    """Train the reward ensemble (eq. 9 to 11) and save it in the published format."""
    settings, pulls = config.ensemble, load_pulls(config)
    run.depends_on(pulls_input(config))
    keys = ensemble_keys(config.seed)
    # compiled as one: operation by operation a first run waits longer
    ensemble = eqx.filter_jit(Ensemble)(
        settings.total_size,
        ARMS,
        1,
        settings.hidden_size,
        depth=BANDIT_DEPTH,
        residual=0,
        key=keys.weights,
    )
    means_before = np.asarray(arm_means(ensemble, ARMS))
    path = ensemble_path(config)
    fitting = fit_settings(settings, absolute_nll)
    best = fit_and_save(
        fitting,
        ensemble,
        compiled_epoch(fitting, bandit_data(pulls)),
        key=keys.order,
        config=config,
        run=run,
        path=path,
        score=metrics.HOLDOUT_NLL,
        data=pulls.digest,
    )
    means_after = np.asarray(arm_means(best, ARMS))
    for folder in (run.plots, Path(settings.plot_dir).expanduser()):
        name = f"reward_means_seed{config.seed}.png"
        plot = arm_histogram({"start": means_before, "end": means_after}, folder / name)
    print(f"reward means of every arm, before and after: {plot}", flush=True)
    return path


def build_world(config: BanditConfig) -> BanditWorld:
    """The imagined bandit (eq. 12, 17, 20) from the saved ensemble."""
    path, collect = ensemble_path(config), config.collect
    typed = shlex.join(typed_overrides(set(REWARD_MODEL_KEYS) - {"seed"}))
    training = f"{script_command('offline_world/bandit_ensemble.py')} --seed {config.seed} {typed}"
    training = training.strip()
    if not path.exists():
        raise UserError(
            f"there is no reward ensemble {path}: train it with `{training}`, or put the published"
            " file there"
        )
    ensemble = load_bandit_ensemble(path, ARMS)
    require_members(ensemble, collect.ensemble_size, path)
    pulls = load_pulls(config)
    require_data(
        path,
        pulls.digest,
        f"collect.data_path={config.collect.data_path}",
        # its run may be finished
        f"give the collect.save_dir of these, or train it again with `{training} restart=true`",
    )
    criterion = absolute_nll(config.ensemble.improve_thres)
    ensemble = best_members(ensemble, bandit_data(pulls).holdout, collect.ensemble_size, criterion)
    return BanditWorld(
        ensemble=ensemble,
        penalty_coef=jnp.asarray(collect.penalty_coef, jnp.float32),
        horizon=PULLS,
        measure=UNCERTAINTIES[collect.unc_type],
    )


def train_agent(config: BanditConfig, run: RunDirectory) -> None:
    """The whole run: reward ensemble, agent, loop, and what is left at the end."""
    world = build_world(config)
    run.depends_on(Input.file(ensemble_path(config)), pulls_input(config))
    agent = bandit_agent(config, ARMS)
    (state,), is_on_device = start([config], agent, state_dim=1, action_dim=ARMS, horizon=PULLS)
    collect_in = make_collect(
        agent,
        no_history(),
        RolloutSettings(config.collect.parallel_size),
        group=metrics.BANDIT_ROLLOUTS,
    )
    draw = batches(config, TapeReplay.sample_tape)
    update_many = make_updates(agent, draw, is_on_device=is_on_device)(config.seed)
    parts = loop.Parts(
        collect=collect_in(world, config.seed),
        update_many=update_many,
        evaluate=make_bandit_test(config, agent, world),
        inspect=make_inspect(agent)(update_many, config.seed, {}),
        save=make_save(config, run),
        rescue=lambda state: rescue_agent(run.path, agent, state.learner),
    )
    learner, plot = train(Member(config=config, run=run, state=state, parts=parts), bandit_plot)
    finish_run(config, run, agent, learner, plot)


def make_bandit_test(
    config: BanditConfig, agent: DQNAgent, world: BanditWorld
) -> Evaluate[DQNLearner]:
    """The loop's `evaluate`: greedy play on the test bandits and in the reward ensemble, and what
    the features still tell."""
    test, histories = announced("the tests", eqx.filter_jit(test_agent)), no_history()

    def run(learner: DQNLearner, step: int) -> dict[str, float]:
        key = key_at(config.seed, Purpose.EVALUATE, step)
        figures = test(agent, learner, world, histories, key, **episode_counts(config))
        return {name: float(value) for name, value in figures.items()}

    return run


def episode_counts(config: BanditConfig) -> dict[str, int]:
    """How many episodes `test_agent` is to play; every member of the ensemble gets as many as the
    others, `eval.rollout_episodes` or a few more in all."""
    members = config.collect.ensemble_size
    each = -(-config.eval.rollout_episodes // members)
    return {"episodes": config.eval.real_episodes, "rollouts": each * members}


def test_agent(
    agent: DQNAgent,
    learner: DQNLearner,
    world: BanditWorld,
    histories: HistoryStore,
    key: jax.Array,
    *,
    episodes: int,
    rollouts: int,
) -> dict[str, jax.Array]:
    """Figures of greedy play under their logged names: `episodes` on each test bandit, and
    `rollouts` in `world`, a multiple of its members; `histories` are empty."""
    policy = as_policy(agent, learner, deterministic=True)
    played = play(policy, key, episodes)
    returns, best = played.rewards.sum(0), played.best.mean(0)
    figures = {
        metrics.TEST_RETURN_MEAN: returns.mean(),
        metrics.TEST_RETURN_STD: returns.std(),
        metrics.BEST_ARM_RATE: best.mean(),
    }
    for i, pays in enumerate(SECOND_ARM_PAYS):
        figures[metrics.bandit(metrics.TEST_RETURN_MEAN, pays)] = returns[i].mean()
        figures[metrics.bandit(metrics.TEST_RETURN_STD, pays)] = returns[i].std()
        figures[metrics.bandit(metrics.BEST_ARM_RATE, pays)] = best[i].mean()
    rank, norm = plasticity(_features(learner, played))
    figures |= {metrics.STABLE_RANK: rank, metrics.FEATURE_NORM: norm}
    settings = RolloutSettings(rollouts)
    *_, statistics = collect(policy, world, histories, jax.random.fold_in(key, 1), settings)
    return figures | episode_figures(statistics, metrics.BANDIT_GREEDY)


def _features(learner: DQNLearner, played: Played) -> jax.Array:
    """The head's last hidden layer on the first episode of each bandit: (pull · bandit, width)."""
    observations = played.observations[:, :, 0].swapaxes(0, 1)
    network = learner.online
    memory = network.encoder.initial_memory()

    def episode(observations):
        def step(memory, row):
            observation, start = row
            features, memory = network.encoder.step(observation, start, memory)
            return memory, network.head.trunk(features)

        start = jnp.arange(observations.shape[0]) == 0
        return jax.lax.scan(step, memory, (observations, start))[1]

    features = jax.vmap(episode)(observations)
    return features.reshape(-1, features.shape[-1])


def finish_run(
    config: BanditConfig, run: RunDirectory, agent: DQNAgent, learner: DQNLearner, plot: Path
) -> None:
    """What is left of a finished run, and its last returns."""
    last = [row for row in read_rows(run.metrics) if metrics.TEST_RETURN_MEAN in row][-1]
    returns = {pays: last[metrics.bandit(metrics.TEST_RETURN_MEAN, pays)] for pays in SHOWN}
    summary = "return of 100 pulls: " + ", ".join(f"p={p} {r:.1f}" for p, r in returns.items())
    named = {f"return_p{pays}": value for pays, value in returns.items()}
    objective = last[metrics.TEST_RETURN_MEAN]
    finish(config, run, agent, learner, plot, summary, objective, **named)
