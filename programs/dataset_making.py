"""What make_dataset.py does: collect or join, write with provenance, export."""

from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from catalogue import domains
from experience import tasks
from experience.data import own_file
from experience.data.recording import record_blocks
from experience.data.rows import Dataset
from experience.data.sources import hdf5
from experience.tasks import DATASETS, get_task, own_path
from experience.wrapper import engine_info, flat_sizes, make_env
from harness.configuration.groups import EnvConfig
from harness.errors import UserError
from harness.files import sha256_of
from harness.log.console import ProgressLine
from harness.run import layout
from harness.run.interrupts import deferred
from harness.run.provenance import describe_environment
from programs.behaviour import RANDOM, RANDOM_NET, make_behaviour

MIX = "mix"
#: Episodes side by side. The rows depend on it, so it is not a setting.
COPIES = 16


@dataclass(frozen=True)
class Order:
    """A dataset to be made; `rows` or `episodes` says how much of it."""

    name: str
    policy: str = RANDOM
    rows: int | None = None
    episodes: int | None = None
    seed: int = 0
    noise: float = 0.0
    stochastic: bool = False
    sources: tuple[Path, ...] = ()
    domain: str | None = None
    env_id: str | None = None
    env_kwargs: dict[str, Any] = field(default_factory=dict)
    horizon: int | None = None
    engine: str = "mujoco"

    def settings(self) -> dict[str, Any]:
        """All that decides the rows, for comparison with what is on the disk."""
        plain = {key: value for key, value in vars(self).items() if value not in (None, (), {})}
        if self.sources:
            plain["sources"] = [_digest(source) for source in self.sources]
        elif self.policy not in (RANDOM, RANDOM_NET):
            plain["agent"] = _digest(Path(self.policy) / layout.FINISHED)
        return plain


def make_dataset(order: Order, out: Path | None) -> Path:
    """Make the dataset that `order` describes, at `out` or where programs look for it.

    An interrupted collection goes on from its last complete part; one that is there already is
    left alone. Raises UserError for a name that is a published one or of no known task, for a file
    or parts of another order in the way, and as `make_env` and `make_behaviour` do.
    """
    domain = order.domain or _domain_of(order)
    _check_name(order.name, domain)
    path = out or (own_path(order.name) if domain in DATASETS else None)
    if path is None:
        raise UserError(f"say with --out where {order.name} of domain {domain} should be written")
    settings = order.settings()
    if path.exists():
        if own_file.attributes(path).get("settings") != own_file.as_attribute(settings):
            raise UserError(f"{path} is there and was made otherwise: remove it, or give --out")
        print(f"{path} is there already, made by the same command")
        return path
    if order.policy == MIX:
        dataset, extra = _mixed(order), {"sources": [_origin(source) for source in order.sources]}
    else:
        dataset, extra = _collected(order, domain, path, settings)
    attributes = _provenance(order, domain) | {"settings": settings} | extra
    own_file.write(path, dataset, attributes | _returns(dataset))
    if order.policy != MIX:
        own_file.Parts(path, settings).discard()
    print(f"{_summary(dataset)}\n{path}", flush=True)
    return path


def _collected(
    order: Order, domain: str, path: Path, settings: dict[str, Any]
) -> tuple[Dataset, dict[str, Any]]:
    env_config = EnvConfig(id=order.env_id, kwargs=order.env_kwargs)
    envs = [make_env(domain, order.name, env_config, order.engine) for _ in range(COPIES)]
    horizon = order.horizon or _time_limit(envs[0], order.name)
    behaviour = make_behaviour(
        order.policy,
        *flat_sizes(envs[0]),
        seed=order.seed,
        noise=order.noise,
        stochastic=order.stochastic,
        reward_shift=get_task(domain, order.name).reward_shift if domain in DATASETS else 0.0,
    )
    parts = own_file.Parts(path, settings)
    blocks = record_blocks(envs, behaviour, horizon=horizon, seed=order.seed, first=parts.block)
    with deferred() as pending, closing(ProgressLine("rows" if order.rows else "episodes")) as line:
        while int.__lt__(*_progress(order, parts)):
            parts.add(next(blocks))
            done, goal = _progress(order, parts)
            line.progress(min(done, goal), goal, {})
            if pending.requested:
                parts.flush()
            pending.check()
    for env in envs:
        env.close()
    dataset = own_file.whole_episodes(parts.dataset(), rows=order.rows, episodes=order.episodes)
    return dataset, {"horizon": horizon}


def _progress(order: Order, parts: own_file.Parts) -> tuple[int, int]:
    """How much there is, and how much is wanted."""
    if order.rows is not None:
        return parts.rows, order.rows
    assert order.episodes is not None, "an order is for rows or for episodes"
    return parts.episodes, order.episodes


def _mixed(order: Order) -> Dataset:
    if len(order.sources) < 2:
        raise UserError("--policy mix joins several files: name at least two with --files")
    remedy = "give a file that make_dataset.py made"
    files = [hdf5.read(source, str(source), remedy) for source in order.sources]
    widths = {(f.observations.shape[1], f.actions.shape[1]) for f in files}
    if len(widths) > 1:
        raise UserError(
            f"the files {', '.join(map(str, order.sources))} are of environments with other sizes:"
            " mix datasets of one environment"
        )
    for file, source in zip(files, order.sources, strict=True):
        if file.next_observations is None or not (file.terminals | file.timeouts)[-1]:
            raise UserError(
                f"{source} has no next_observations or ends within an episode, which would run into"
                f" the next file's first; {remedy}"
            )
    if order.rows is not None or order.episodes is not None:
        files = [
            own_file.whole_episodes(f, rows=order.rows, episodes=order.episodes) for f in files
        ]
    return own_file.joined(files)


def _domain_of(order: Order) -> str:
    if order.env_id is not None:
        return domains.CUSTOM
    domain = tasks.domain_of(order.name)
    if domain is None:
        raise UserError(
            f"{order.name!r} is no name of a user's own data, such as halfcheetah-own-random-v2,"
            " pen-own-net-v1, antmaze-umaze-own-random-v2 or Hopper-v3-own-mix; an environment of"
            " your own takes --env_id and --out"
        )
    return domain


def _check_name(name: str, domain: str) -> None:
    if domain in DATASETS and name in DATASETS[domain]:
        raise UserError(
            f"{name} is a published dataset's name, which your own data must not have: say -own-"
            " before what it is, as in halfcheetah-own-random-v2"
        )
    if domain in DATASETS:
        get_task(domain, name)


def _time_limit(env, name: str) -> int:
    if env._max_episode_steps is None:
        raise UserError(f"the environment of {name} has no time limit: give one with --horizon")
    return env._max_episode_steps


def _provenance(order: Order, domain: str) -> dict[str, Any]:
    engine = engine_info(domain, order.engine)
    session = describe_environment(domain, order.engine)
    env_config = EnvConfig(id=order.env_id, kwargs=order.env_kwargs)
    with closing(make_env(domain, order.name, env_config, order.engine)) as env:
        environment = env.spec.id
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


def _origin(source: Path) -> dict[str, Any]:
    found = own_file.attributes(source)
    kept = ("dataset_name", "policy", "seed", "settings")
    return {"file": source.name, "sha256": _digest(source)} | {
        key: str(found[key]) for key in kept if key in found
    }


def _digest(file: Path) -> str:
    if not file.is_file():
        raise UserError(f"{file} does not exist: name a finished run's directory, or own files")
    return sha256_of(file)


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
