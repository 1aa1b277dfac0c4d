"""How a program starts: compose, check, open the run directory; and how it ends."""

import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from harness.checkout import CONFIG_ROOT
from harness.configuration.composition import as_config, known_keys, readable_errors
from harness.configuration.sweeps import check_sweep
from harness.errors import UserError
from harness.run.array_cache import cache_root
from harness.run.directory import open_run
from harness.run.interrupts import Interrupted, raised_at_once

_USER_ERROR = 2
# What somebody typed may be longer than anyone can read.
_LONGEST_SENTENCE = 1500
_PATHS = ("load_agent_path", "run_dir", "run_root", "save_agent_root")


def program(
    name: str,
    schema: type,
    *,
    default: str = "d4rl_loco/base",
    keeps_run: bool = True,
    flags: Sequence[str] = (),
) -> Callable[[Callable], Callable[[], None]]:
    """Makes `main(config, run)` a program with Hydra's command line.

    `schema` is the dataclass (or a common base) that the config must be; `default` the config used
    without --config-path and --config-name; `flags` are keys also understood as `--key value`.
    With `keeps_run=False` there is no run directory and the function is `main(config)`.

    A UserError ends the program with `error: <sentence>` and exit code 2, a signal with 128 plus
    its number. In a sweep (-m) the jobs after a failed one still run. Import JAX inside `main`:
    a wrong command then fails at once.
    """

    def decorate(main: Callable) -> Callable[[], None]:
        began = threading.Event()

        @wraps(main)
        def job(composed: DictConfig) -> None:
            began.set()
            settings = HydraConfig.get()
            # as typed: what they refer to may not exist
            task: Any = OmegaConf.to_container(settings.overrides.task, resolve=False)
            overrides = [str(override) for override in task]
            if settings.mode == RunMode.MULTIRUN:
                print(f"job {settings.job.num}: {' '.join(overrides)}", flush=True)
            try:
                with readable_errors():
                    config = _checked(as_config(composed, overrides), schema, name)
                _cache_compilations()
                if not keeps_run:
                    main(config)
                    return
                _check_wandb(config)
                with open_run(name, config, overrides, str(settings.job.config_name)) as run:
                    _start(main, config, run)
            except UserError as error:
                _say(f"error: {error}")
                # An exception lets the sweep go on to its next job and fail at its end.
                if settings.mode == RunMode.MULTIRUN:
                    raise
                sys.exit(_USER_ERROR)

        @wraps(main)
        def run_program() -> None:
            # Hydra would print the errors in its own way and exit; they are told here instead.
            os.environ["HYDRA_FULL_ERROR"] = "1"
            began.clear()
            sys.argv[1:] = _as_overrides(sys.argv[1:], flags)
            folder, _, file = default.rpartition("/")
            start = hydra.main(
                config_path=str(CONFIG_ROOT / folder), config_name=file, version_base="1.3"
            )(job)
            with reported_errors(), _unreadable_command(began), readable_errors():
                check_sweep(sys.argv[1:], known_keys(schema))
                start()

        return run_program

    return decorate


@contextmanager
def _unreadable_command(began: threading.Event) -> Iterator[None]:
    """Says in one sentence what Hydra raises on its way to the job, where it has no word for it.

    After the job `began`, errors are those of the program.
    """
    try:
        yield
    except UserError:
        raise
    except (ValueError, TypeError, AttributeError, LookupError, OSError, RecursionError) as error:
        if began.is_set():
            raise
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"the command line cannot be read ({reason}): correct it, or see --help"
        ) from error


@contextmanager
def reported_errors() -> Iterator[None]:
    """Ends the program with one line and the right code on a UserError or a signal.

    Programs without a Hydra configuration (argparse) use it around their main function.
    """
    try:
        with raised_at_once():
            yield
    except UserError as error:
        _say(f"error: {error}")
        sys.exit(_USER_ERROR)
    except Interrupted as interruption:
        _say(str(interruption))
        sys.exit(interruption.exit_code)


def _start(main: Callable, config: Any, run: Any) -> None:
    if run.finished:
        # a kill may have come between the record and the end of the checkpoint
        run.clear()
        figures = "".join(f", {name} {figure:.4g}" for name, figure in run.figures.items())
        print(
            f"{run.path} is finished{figures}; to run it again, remove it or give run_dir=<folder>"
        )
        return
    print(f"{'continuing' if run.continued else 'run'} {run.path}", flush=True)
    main(config, run)


def _checked(config: Any, schema: type, name: str) -> Any:
    if not isinstance(config, schema):
        raise UserError(
            f"{name} cannot use this configuration, which is a {type(config).__name__}, not a"
            f" {schema.__name__}: choose another --config-name"
        )
    return config


def _check_wandb(config: Any) -> None:
    """A missing login is told before anything is loaded, and leaves no directory behind."""
    if config.wandb.mode != "disabled":
        # wandb takes a second to import
        from harness.log.wandb_run import server_mode

        server_mode(config.wandb.mode)


def _as_overrides(arguments: Sequence[str], flags: Sequence[str]) -> list[str]:
    """`--seed 0` and `--seed=0` as Hydra's `seed=0`, for the keys in `flags`; paths quoted."""
    overrides, rest = [], list(arguments)
    while rest:
        argument = rest.pop(0)
        key = argument.removeprefix("--")
        if key != argument and key in flags and rest:
            argument = f"{key}={rest.pop(0)}"
        elif key != argument and key.partition("=")[0] in flags:
            argument = key
        overrides.append(_quoted_path(argument))
    return overrides


def _quoted_path(override: str) -> str:
    """Run directories have = and comma in their names, which Hydra takes for its own grammar."""
    key, _, value = override.partition("=")
    bare = key in _PATHS and "=" in value and value[0] not in "'\""
    return f"{key}='{value}'" if bare else override


def _cache_compilations() -> None:
    """Lets a second run start without compiling again, wherever the user has not decided."""
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache_root() / "compiled"))
    # a start compiles many small programs too
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")


def _say(text: str) -> None:
    if len(text) > _LONGEST_SENTENCE:
        text = f"{text[: _LONGEST_SENTENCE // 2]} … {text[-_LONGEST_SENTENCE // 2 :]}"
    # a name may hold bytes that no encoding has
    text = text.encode(errors="backslashreplace").decode()
    print(text, file=sys.stderr, flush=True)
