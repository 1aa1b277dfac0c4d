"""What make_dataset.py is asked for, and what of it does not go together."""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from catalogue import domains
from experience import tasks
from experience.tasks import DATASETS, get_task
from harness.configuration.groups import EnvConfig
from harness.errors import UserError
from harness.files import sha256_of
from harness.run import layout
from programs.behaviour import RANDOM, RANDOM_NET

MIX = "mix"
# Of an order, what has no part in the rows of these policies; of a run's, only the files.
_UNUSED = {
    RANDOM: ("noise", "stochastic", "sources"),
    RANDOM_NET: ("stochastic", "sources"),
    MIX: ("seed", "noise", "stochastic", "horizon"),
}
_FLAGS = {"sources": "files"}


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

    @property
    def env(self) -> EnvConfig:
        """An environment of the user's own, as configurations have it."""
        return EnvConfig(id=self.env_id, kwargs=self.env_kwargs)

    @property
    def is_of_a_run(self) -> bool:
        """Whether a run's agent acts."""
        return self.policy not in _UNUSED

    def settings(self) -> dict[str, Any]:
        """All that decides the rows, for comparison with what is on the disk."""
        plain = {key: value for key, value in vars(self).items() if value not in (None, (), {})}
        if self.sources:
            plain["sources"] = [digest(source) for source in self.sources]
        elif self.is_of_a_run:
            plain["agent"] = digest(Path(self.policy) / layout.FINISHED)
        return plain


def domain_of(order: Order) -> str:
    """The domain that an order is in.

    Raises UserError for a name that is a published one or of no known task, and for settings that
    the policy or the environment would ignore.
    """
    domain = order.domain or _domain_by_name(order)
    _check_name(order.name, domain)
    _check_policy(order)
    _check_environment(order, domain)
    return domain


def digest(file: Path) -> str:
    """The SHA-256 of a file that an order names."""
    if not file.is_file():
        raise UserError(f"{file} does not exist: name a finished run's directory, or own files")
    return sha256_of(file)


def _domain_by_name(order: Order) -> str:
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


def _check_policy(order: Order) -> None:
    unused = _UNUSED.get(order.policy, ("sources",))
    usual = {field.name: field.default for field in fields(Order)}
    ignored = [key for key in unused if getattr(order, key) != usual[key]]
    if ignored:
        flags = ", ".join(f"--{_FLAGS.get(key, key)}" for key in ignored)
        raise UserError(
            f"--policy {order.policy} has no use for {flags}: leave that out, or name the policy"
            " that it is for (--files: mix; --noise and --stochastic: a run's directory)"
        )


def _check_environment(order: Order, domain: str) -> None:
    if domain in DATASETS and order.env_id is not None:
        raise UserError(
            f"--env_id={order.env_id} is for environments of your own, and domain {domain} has its"
            " own: leave out --env_id or --domain"
        )
    if order.env_id is None and domain == domains.CUSTOM:
        raise UserError("domain custom needs --env_id, the gymnasium id of its environment")
    if order.env_id is None and order.env_kwargs:
        raise UserError("--env_kwargs are for the environment of --env_id, which is not given")
    if domain in domains.DESCRIBED and order.engine != Order.engine:
        raise UserError(
            f"--engine={order.engine} is for the published tasks, not for an environment of your"
            " own: leave it out"
        )
