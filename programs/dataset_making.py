"""What make_dataset.py does: collect or join, and write with provenance."""

from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from experience.data import own_file
from experience.data.recording import record_blocks
from experience.data.rows import Dataset
from experience.environment_names import same_environment
from experience.tasks import DATASETS, get_task, own_path
from experience.wrapper import RealEnv, engine_info, flat_sizes, make_env
from harness.errors import UserError
from harness.files import disk_errors
from harness.locks import only_process
from harness.log.console import ProgressLine
from harness.process.interrupts import deferred
from harness.process.reporting import say
from harness.run.provenance import describe_environment
from programs.behaviour import make_behaviour
from programs.dataset_mixing import Mixture
from programs.dataset_order import MIX, Order, domain_of
from programs.saved_runs import read_config

#: Episodes side by side. The rows depend on it, so it is not a setting.
COPIES = 16


def make_dataset(order: Order, out: Path | None) -> Path:
    """Make the dataset that `order` describes, at `out` or where programs look for it.

    An interrupted collection goes on from its last complete part; one that is there already is
    left alone; one that another process makes is waited for. Raises UserError for a file or parts
    of another order in the way, for runs and files of another environment, and as `domain_of`,
    `make_env` and `make_behaviour` do.
    """
    domain = domain_of(order)
    path = out or (own_path(order.name) if domain in DATASETS else None)
    if path is None:
        raise UserError(f"say with --out where {order.name} of domain {domain} should be written")
    settings = order.settings()
    if _is_made(path, settings):
        return path
    source = (Mixture if order.policy == MIX else _Collection)(order, domain)
    with ExitStack() as held:
        with disk_errors(path):
            waiting = f"another process makes {path}; waiting for it"
            held.enter_context(only_process(path, lambda: say(waiting)))
        if _is_made(path, settings):
            return path
        dataset = source.dataset(path, settings)
        made = {"settings": settings} | source.origin | _returns(dataset)
        own_file.write(path, dataset, _provenance(order, domain, source.environment) | made)
        source.discard()
    print(f"{_summary(dataset)}\n{path}", flush=True)
    return path


def _is_made(path: Path, settings: dict[str, Any]) -> bool:
    """Whether the dataset is there; UserError if another is."""
    if not path.exists():
        return False
    if own_file.attributes(path).get("settings") != own_file.as_attribute(settings):
        raise UserError(f"{path} is there and was made otherwise: remove it, or give --out")
    print(f"{path} is there already, made by the same command")
    return True


class _Collection:
    """Rows of a policy; what can be wrong with it is found before anything is written."""

    def __init__(self, order: Order, domain: str):
        self._order, self._domain = order, domain
        with closing(self._env()) as env:
            self.environment = env.spec.id
            if order.is_of_a_run:
                _require_run_of(self.environment, Path(order.policy), order.engine)
            self._horizon = order.horizon or _time_limit(env, order.name)
            published = domain in DATASETS
            self._behaviour = make_behaviour(
                order.policy,
                *flat_sizes(env),
                seed=order.seed,
                noise=order.noise,
                stochastic=order.stochastic,
                reward_shift=get_task(domain, order.name).reward_shift if published else 0.0,
            )
        self.origin = {"horizon": self._horizon}

    def dataset(self, path: Path, settings: dict[str, Any]) -> Dataset:
        order = self._order
        self._parts = parts = own_file.Parts(path, settings)
        with ExitStack() as entered:
            envs = [entered.enter_context(closing(self._env())) for _ in range(COPIES)]
            blocks = record_blocks(
                envs,
                self._behaviour,
                horizon=self._horizon,
                seed=order.seed,
                first=parts.block,
            )
            pending = entered.enter_context(deferred())
            line = entered.enter_context(
                closing(ProgressLine("rows" if order.rows else "episodes"))
            )
            while int.__lt__(*_progress(order, parts)):
                parts.add(next(blocks))
                done, goal = _progress(order, parts)
                line.progress(min(done, goal), goal, {})
                if pending.requested:
                    parts.flush()
                pending.check()
        return own_file.whole_episodes(parts.dataset(), rows=order.rows, episodes=order.episodes)

    def discard(self) -> None:
        """What the finished file makes superfluous."""
        self._parts.discard()

    def _env(self) -> RealEnv:
        order = self._order
        return make_env(self._domain, order.name, order.env, order.engine)


def _progress(order: Order, parts: own_file.Parts) -> tuple[int, int]:
    """How much there is, and how much is wanted."""
    if order.rows is not None:
        return parts.rows, order.rows
    assert order.episodes is not None, "an order is for rows or for episodes"
    return parts.episodes, order.episodes


def _require_run_of(environment: str, run: Path, engine: str) -> None:
    config = read_config(run)
    with closing(make_env(config.domain, config.dataset_name, config.env, engine)) as env:
        other = env.spec.id
    if not same_environment(environment, other):
        raise UserError(
            f"the agent of {run} acts in {other}, and this dataset is of {environment}: give a run"
            " in the same environment, or a dataset name of the run's"
        )


def _time_limit(env: Any, name: str) -> int:
    if env._max_episode_steps is None:
        raise UserError(f"the environment of {name} has no time limit: give one with --horizon")
    return env._max_episode_steps


def _provenance(order: Order, domain: str, environment: str) -> dict[str, Any]:
    engine = engine_info(domain, order.engine)
    session = describe_environment(domain, order.engine)
    return {
        "dataset_name": order.name,
        "domain": domain,
        "environment": environment,
        "engine": engine.name,
        "engine_version": engine.version,
        "policy": order.policy,
        "seed": order.seed,
        "created": session["started"],
        "command": session["command"],
        "git_commit": session["git_commit"] or "unknown",
        "versions": session["versions"],
    }


def _returns(dataset: Dataset) -> dict[str, Any]:
    returns = own_file.episode_returns(dataset)
    return {
        "rows": dataset.rows,
        "episodes": len(returns),
        "return_mean": float(returns.mean()),
        "return_std": float(returns.std()),
    }


def _summary(dataset: Dataset) -> str:
    figures = _returns(dataset)
    return (
        f"{figures['rows']:,} rows in {figures['episodes']:,} episodes, return"
        f" {figures['return_mean']:.1f} ± {figures['return_std']:.1f}"
    )
