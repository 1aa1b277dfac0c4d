"""How a program starts: compose, check, open the run directory; and how it ends."""

import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import wraps
from statistics import fmean
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from harness.checkout import CONFIG_ROOT
from harness.configuration.chosen import check_chosen
from harness.configuration.composition import as_config, known_keys, readable_errors
from harness.configuration.schema import ProgramConfig
from harness.configuration.seeds import by_seed
from harness.configuration.sweeps import check_sweep
from harness.errors import UserError, first_line
from harness.log import metrics
from harness.log.wandb_settings import check_settings
from harness.process.arguments import as_overrides
from harness.process.launched import launched_job, take_command
from harness.process.numerics import configure_numerics
from harness.process.reporting import USER_ERROR, reported_errors, say
from harness.run import layout
from harness.run.directory import RunDirectory, set_aside
from harness.run.finished import renew_copies
from harness.run.inputs import Input
from harness.run.kept_agents import keep_agents
from harness.run.opening import open_run
from harness.saving import shelf
from harness.saving.array_cache import cache_root

#: What a program does with its configuration, of the schema that it names, and its run; or several.
Main = Callable[[Any, Any], None]
#: What a run of this configuration would learn from now, besides its settings.
Inputs = Callable[[Any], Iterable[Input]]

# Whether a job has begun in this process: errors after that are not the command line's.
_begun = False


def program(
    name: str,
    schema: type,
    *,
    default: str = "d4rl_loco/base",
    flags: Sequence[str] = (),
    learns_from: Collection[str] | None = None,
    never_reads: Collection[str] = (),
    takes_seeds: bool = False,
    inputs: Inputs = lambda config: (),
) -> Callable[[Main], Callable[[], None]]:
    """Makes `main(config, run)` a program with Hydra's command line.

    `schema` is the dataclass (or a common base) that the config must be; `default` the config used
    without --config-path and --config-name; `flags` are keys also understood as `--key value`;
    `learns_from` are the keys and groups that change its result (None: all), of which alone its
    run is named and must make sense; `never_reads` are keys that mean nothing to it and are
    refused; `inputs` what it learns from besides, of which a finished run may not have had another
    content. With `takes_seeds` it is `main(configs, runs)`: one of each, or with `+seeds=[...]` one
    for each seed whose run is not finished.

    A UserError ends the program with `error: <sentence>` and exit code 2, a signal with 128 plus
    its number. In a sweep (-m) the jobs after a failed one still run, and the sweeper gets the
    objective that the run finished with. Import JAX inside `main`: a wrong command then fails at
    once.
    """

    def decorate(main: Main) -> Callable[[], None]:
        def for_one(configs: Sequence[ProgramConfig], runs: Sequence[RunDirectory]) -> None:
            main(*configs, *runs)

        def run_job(composed: DictConfig, overrides: list[str], settings: Any) -> float | None:
            config_name = str(settings.job.config_name).removesuffix(".yaml")
            with readable_errors():
                check_chosen(composed, config_name, overrides)
                each = by_seed(composed, overrides) if takes_seeds else [composed]
                configs = [
                    _checked(as_config(one, overrides, learns_from, never_reads), schema, name)
                    for one in each
                ]
            _cache_compilations()
            configure_numerics(configs[0])
            # A missing login is told before anything is loaded, and leaves no directory behind.
            many = settings.mode == RunMode.MULTIRUN or len(configs) > 1
            check_settings(configs[0].wandb.mode, many_jobs=many)
            with ExitStack() as open_:
                runs = [
                    open_.enter_context(open_run(name, config, overrides, config_name, learns_from))
                    for config in configs
                ]
                return _start(main if takes_seeds else for_one, configs, runs, inputs)

        # Launchers send it to other processes: it may hold nothing that cannot be pickled.
        @wraps(main)
        def job(composed: DictConfig) -> float | None:
            _begin()
            settings = HydraConfig.get()
            swept = settings.mode == RunMode.MULTIRUN
            # as typed: what they refer to may not exist
            task: Any = OmegaConf.to_container(settings.overrides.task, resolve=False)
            overrides = [str(override) for override in task]
            if swept:
                print(f"job {settings.job.num}: {' '.join(overrides)}\n", end="", flush=True)
            try:
                with launched_job(settings.job.num if swept else 0):
                    return run_job(composed, overrides, settings)
            except UserError as error:
                say(f"error: {error}")
                # An exception lets the sweep go on to its next job and fail at its end.
                if swept:
                    raise
                sys.exit(USER_ERROR)

        @wraps(main)
        def run_program() -> None:
            # Hydra would print the errors in its own way and exit; they are told here instead.
            os.environ["HYDRA_FULL_ERROR"] = "1"
            take_command()
            folder, _, file = default.rpartition("/")
            start = hydra.main(
                config_path=str(CONFIG_ROOT / folder), config_name=file, version_base="1.3"
            )(job)
            with reported_errors(), _unreadable_command(), readable_errors():
                sys.argv[1:] = as_overrides(sys.argv[1:], flags)
                check_sweep(sys.argv[1:], known_keys(schema))
                start()

        return run_program

    return decorate


def _begin() -> None:
    global _begun
    _begun = True


@contextmanager
def _unreadable_command() -> Iterator[None]:
    """Says in one sentence what Hydra raises on its way to the job, where it has no word for it.

    After a job has begun, errors are those of the program.
    """
    global _begun
    _begun = False
    try:
        yield
    except UserError:
        raise
    except (ValueError, TypeError, AttributeError, LookupError, OSError, RecursionError) as error:
        if _begun:
            raise
        raise UserError(
            f"the command line cannot be read ({first_line(error)}): correct it, or see --help"
        ) from error


def _start(
    main: Main, configs: Sequence[ProgramConfig], runs: Sequence[RunDirectory], inputs: Inputs
) -> float | None:
    """Runs `main` for the runs that are not finished; the mean of all objectives, if they have
    one."""
    unfinished = [
        (config, run)
        for config, run in zip(configs, runs, strict=True)
        if not _is_finished(config, run, inputs)
    ]
    for _, run in unfinished:
        _make_ready(run)
    if unfinished:
        main(*map(list, zip(*unfinished, strict=True)))
    records = [run.finished for run in runs]
    objectives = [None if record is None else record.objective for record in records]
    reached = [objective for objective in objectives if objective is not None]
    return fmean(reached) if len(reached) == len(objectives) else None


def _is_finished(config: ProgramConfig, run: RunDirectory, inputs: Inputs) -> bool:
    """Whether the run is finished, which is said, and its copies renewed; UserError if it is, but
    of other inputs."""
    if (record := run.finished) is None:
        return False
    run.require_unchanged(inputs(config))
    # a kill may have come between the record and the end of the checkpoint
    run.clear()
    figures = "".join(
        f", {name} {metrics.shown(name, value):.4g}" for name, value in record.figures.items()
    )
    print(
        f"{run.path} is finished{figures}; to run it again, give restart=true or another"
        " run_dir=<folder>"
    )
    for line in renew_copies(run.path, record):
        print(line)
    keep_agents(config, run)
    return True


def _make_ready(run: RunDirectory) -> None:
    """Puts aside what cannot be continued, and says which run it is."""
    if (
        run.metrics.exists()
        and run.metrics.stat().st_size
        and not shelf.checkpoints(run.checkpoint)
    ):
        # segments without a checkpoint that needs them, or a first save that was killed
        run.clear()
        home = set_aside(run.path, keep=(layout.CONFIG, layout.ENVIRONMENT, layout.INPUTS))
        print(f"there is no checkpoint to go on from: what was logged is now in {home}")
    print(f"{'continuing' if run.continued else 'run'} {run.path}", flush=True)


def _checked(config: Any, schema: type, name: str) -> Any:
    if not isinstance(config, schema):
        raise UserError(
            f"{name} cannot use this configuration, which is a {type(config).__name__}, not a"
            f" {schema.__name__}: choose another --config-name"
        )
    return config


def _cache_compilations() -> None:
    """Lets a second run start without compiling again, wherever the user has not decided."""
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache_root() / "compiled"))
    # a start compiles many small programs too
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
