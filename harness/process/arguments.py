"""The command line as people and their tools type it, as Hydra's grammar wants it."""

import os
from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from harness.errors import UserError

# Hydra's options: those without a value, and those with one, which may be the next argument.
_SWITCHES = (
    *("--help", "--hydra-help", "--version", "--resolve", "--run", "--multirun"),
    "--shell-completion",
)
_VALUED = (
    *("--cfg", "--package", "--config-path", "--config-name", "--config-dir"),
    "--experimental-rerun",
)
#: Alone it shows everything.
_INFO = "--info"
_SHORT_VALUED = ("-c", "-p", "-cp", "-cn", "-cd")
_SHORT = ("-h", "-r", "-m", "-sc", "-i", *_SHORT_VALUED)
_FOLDER_OPTIONS = ("--config-path", "--config-dir")
# Their values may hold anything a file's name can: the names of run directories have = and comma.
_PATHS = (
    *("run_dir", "run_root", "load_agent_path", "save_agent_root", "env.dataset_path"),
    *("env.termination", "ensemble.save_dir", "ensemble.plot_dir"),
    *("collect.data_path", "collect.save_dir"),
)
_TEXTS = (
    *("dataset_name", "eval_dataset", "env.id", "ensemble.domain"),
    *("wandb.project", "wandb.entity", "wandb.group"),
)


def as_overrides(arguments: Sequence[str], flags: Sequence[str] = ()) -> list[str]:
    """The options and then the overrides, which may be typed in any order: argparse reads no more
    overrides behind an option that follows some. For the keys in `flags`, `--seed 0` and `--seed=0`
    are `seed=0`; paths and names are quoted where Hydra would take them for its own grammar.

    Raises UserError for an option that Hydra does not have, such as `--train.utd=0.1`, and for one
    without its value.
    """
    many = not {"-m", "--multirun"}.isdisjoint(arguments)
    options, overrides, rest = [], [], list(arguments)
    while rest:
        argument = rest.pop(0)
        option, equals, value = argument.partition("=")
        key = option.removeprefix("--")
        if key != option and key in flags and (equals or rest):
            overrides.append(f"{key}={value if equals else rest.pop(0)}")
        elif option.startswith("-"):
            _check_option(option)
            value = os.path.expanduser(value) if option in _FOLDER_OPTIONS else value
            options.append(option + equals + value)
            if not equals and _takes(option, rest):
                options.append(rest.pop(0))
        else:
            overrides.append(_literal(argument, many))
    return [*options, *overrides]


def _check_option(option: str) -> None:
    if not option.startswith("--"):
        # a value may follow at once, as in -cnbase
        if not option.startswith(_SHORT):
            raise UserError(f"{option} is no option: see --help")
    # as argparse, which takes a beginning for the whole
    elif not any(one.startswith(option) for one in (*_SWITCHES, *_VALUED, _INFO)):
        raise UserError(
            f"{option} is no option: settings have no hyphens, as in {option[2:]}=<value>; let the"
            " command of a wandb sweep end with ${args_no_hyphens} instead of ${args}"
        )


def _takes(option: str, rest: Sequence[str]) -> bool:
    """Whether the first of the arguments that follow is the value of `option`."""
    if option == "-i" or _INFO.startswith(option):
        return bool(rest) and "=" not in rest[0] and not rest[0].startswith(("-", "~"))
    valued = option in _SHORT_VALUED or any(one.startswith(option) for one in _VALUED)
    if valued and not rest:
        raise UserError(f"{option} needs a value, as in {option} <value>")
    return valued


def _literal(override: str, many: bool) -> str:
    """`override` with its value quoted if it is a path's or a name's and means another thing
    unquoted. With `many` jobs, commas may separate values."""
    key, equals, value = override.partition("=")
    name = key.lstrip("+")
    if not equals or name not in (*_PATHS, *_TEXTS) or not value:
        return override
    if value[0] in "'\"" or value == "null" or "${" in value or _means_itself(override, value):
        return override
    if "," in value and _is_sweep(override) and (many or name in _TEXTS):
        return override
    if many and "," in value and "=" not in value:
        return f"{key}={','.join(_quoted(one) for one in value.split(','))}"
    return f"{key}={_quoted(value)}"


def _parsed(override: str):
    try:
        return OverridesParser.create().parse_override(override)
    except HydraException:
        return None


def _means_itself(override: str, value: str) -> bool:
    parsed = _parsed(override)
    return parsed is not None and not parsed.is_sweep_override() and parsed.value() == value


def _is_sweep(override: str) -> bool:
    parsed = _parsed(override)
    return parsed is not None and parsed.is_sweep_override()


def _quoted(value: str) -> str:
    """In Hydra's single quotes, where a backslash is one unless it precedes a quote."""
    body = value.replace("'", r"\'")
    # backslashes at the end would escape the closing quote
    trailing = len(body) - len(body.rstrip("\\"))
    return "'" + body + "\\" * trailing + "'"
