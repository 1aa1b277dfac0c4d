"""From what Hydra composed to a checked, typed configuration; Hydra's errors in one sentence."""

import difflib
import re
import shlex
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, MissingMandatoryValue, OmegaConf
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    InterpolationResolutionError,
    OmegaConfBaseException,
    ValidationError,
)
from yaml import YAMLError

from harness.checkout import CONFIG_ROOT
from harness.configuration import registration as registration
from harness.configuration.chosen import check_chosen
from harness.configuration.debug import shrink
from harness.configuration.schema import ProgramConfig
from harness.configuration.typed import overridden_keys, parsed_overrides
from harness.configuration.validation import validate
from harness.errors import UserError, first_line

#: Options of Hydra's that plugins have → the extra that installs them.
_EXTRAS = {
    "hydra/launcher/joblib": "launchers",
    "hydra/launcher/submitit_slurm": "launchers",
    "hydra/launcher/submitit_local": "launchers",
    "hydra/launcher/ray": "ray",
    "hydra/sweeper/optuna": "sweepers",
}


def as_config(
    composed: DictConfig,
    overrides: Sequence[str],
    learns_from: Collection[str] | None = None,
    never_reads: Collection[str] = (),
) -> Any:
    """The dataclass instance behind a composed config: no stray keys, debug applied, validated.

    `overrides` are the command line's, which `debug: true` leaves alone; `learns_from` are the keys
    and groups that must agree with each other, None for all; `never_reads` are keys that may not be
    given. Raises UserError.
    """
    schema: Any = OmegaConf.get_type(composed)
    if not isinstance(schema, type) or not is_dataclass(schema):
        raise UserError(
            "the chosen YAML file is not a configuration of these programs: start its defaults"
            " list with cont_schema, markov_schema or bandit_schema"
        )
    config: Any = OmegaConf.to_object(composed)
    # A + override gets past Hydra's check, and would be ignored in silence.
    for key in _keys(composed):
        if key not in known_keys(schema):
            raise UserError(_unknown_key(key, known_keys(schema)))
    _check_deletions(overrides, known_keys(schema))
    typed = overridden_keys(overrides)
    if config.debug:
        shrink(config, keep=typed)
    validate(config, learns_from, typed=typed, never_reads=never_reads)
    return config


def _check_deletions(overrides: Sequence[str], known: Collection[str]) -> None:
    """Refuses ~group: the defaults would stand in silence for the chosen file's values."""
    for override in parsed_overrides(overrides):
        if override.is_delete() and override.key_or_group in known:
            raise UserError(
                f"{override.input_line} would take away what the configuration says of"
                f" {override.key_or_group}: give the values that you want instead"
            )


def known_keys(schema: type, prefix: str = "") -> list[str]:
    """Every dotted key of a schema, groups included."""
    keys = []
    for a_field in fields(schema):
        key = prefix + a_field.name
        keys.append(key)
        if isinstance(a_field.type, type) and is_dataclass(a_field.type):
            keys += known_keys(a_field.type, key + ".")
    return keys


def _keys(composed: DictConfig, prefix: str = "") -> Iterator[str]:
    for name in composed:
        key = f"{prefix}{name}"
        yield key
        child = composed._get_node(name)
        # Only groups of the schema are typed; env.kwargs and epoch_caps hold free keys.
        if isinstance(child, DictConfig) and is_dataclass(OmegaConf.get_type(child)):
            yield from _keys(child, key + ".")


@contextmanager
def readable_errors() -> Iterator[None]:
    """Turns what Hydra and OmegaConf raise about a user's config into a UserError."""
    try:
        yield
    except UserError:
        raise
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(_sentence(error)) from error
    except YAMLError as error:
        # its text holds the file and the line
        text = " ".join(str(error).split())
        raise UserError(f"a configuration file is not YAML: {text}; correct it") from error


def _sentence(error: Exception) -> str:
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    if isinstance(cause, MissingMandatoryValue):
        return f"{cause.full_key} must be given: add {cause.full_key}=<value> to the command line"
    if isinstance(cause, ConfigKeyError | ConfigAttributeError):
        # OmegaConf names the first part that it does not know, Hydra the whole key.
        typed = re.match(r"Could not override '(.+)'", str(error))
        return _unknown_key(typed[1] if typed else str(cause.full_key), _known_to(cause))
    if isinstance(cause, ValidationError | InterpolationResolutionError) and cause.full_key:
        return f"{cause.full_key}: {first_line(cause)}"
    if isinstance(error, MissingConfigException):
        return _missing_file(error)
    if isinstance(error, OverrideParseException):
        return _unreadable(str(error.override), first_line(error))
    text = first_line(error)
    if text.startswith("Could not override 'task'"):
        return (
            "task= holds what was tuned for the recurrent agent and belongs to its base.yaml and"
            " base_no_ln.yaml, where the domain has tuned tasks: here, give dataset_name= and the"
            " values themselves"
        )
    if text.startswith("Ambiguous value"):
        return f"{text}: add -m to run one job for each value, or write a list as key=[1,2]"
    if cause is not error:
        return f"{text}: {first_line(cause)}"
    return text


def _unreadable(override: str, reason: str) -> str:
    key, equals, value = override.partition("=")
    text = f"cannot read the override {override!r}: {reason}"
    if not equals or not value or value[0] in "'\"[{":
        return text
    body = value.replace("\\", "\\\\").replace('"', r"\"")
    return f"{text}; a value with such characters is quoted twice: " + shlex.quote(
        f'{key}="{body}"'
    )


def _missing_file(error: MissingConfigException) -> str:
    missing = str(error.missing_cfg_file)
    group, _, name = missing.rpartition("/")
    if extra := _EXTRAS.get(missing):
        return (
            f"{group}={name} needs packages that are not installed: pip install -e '.[{extra}]' in"
            f" {CONFIG_ROOT.parent}"
        )
    if error.options is None:
        # the file that --config-name names
        found = re.search(r"provider=main, path=file://(.+)", str(error))
        if found and (names := [path.stem for path in Path(found[1]).glob("*.yaml")]):
            return f"there is no {missing}.yaml in {found[1]}: {_nearest(missing, names)}"
        return " ".join(str(error).split()).rstrip(".")
    return f"there is no {group} {name!r}: {_nearest(name, error.options)}"


def _unknown_key(key: str, known: Collection[str]) -> str:
    if key in known:
        # a group of free keys, given as a whole
        return f"{key} takes its entries one by one: +{key}.<name>=<value>"
    return f"unknown key {key!r}: {_nearest(key, known)}"


def _nearest(word: str, words: Collection[str]) -> str:
    found = _near_keys(word, words) if any("." in known for known in words) else None
    near = found or difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(repr(known) for known in near)}?"
    return "choose one of " + ", ".join(sorted(word for word in words if "." not in word))


def _near_keys(key: str, known: Collection[str]) -> list[str]:
    """The keys that a dotted key with a mistake may stand for.

    The last part says most: it may be right in the wrong group, misspelt, or only some words of
    the whole name (lr or head_lr of critic_head_lr).
    """
    group, _, leaf = key.rpartition(".")
    leaves = {other: other.rpartition(".")[2] for other in known}
    ranked = sorted(known, key=lambda other: other.rpartition(".")[0] != group)
    parts = [other for other in ranked if f"_{leaf}_" in f"_{leaves[other]}_"]
    if in_group := [other for other in parts if other.rpartition(".")[0] == group]:
        return in_group
    if exact := [other for other in ranked if leaves[other] == leaf]:
        return exact[:1]
    if misspelt := difflib.get_close_matches(leaf, leaves.values(), n=1, cutoff=0.75):
        return [other for other in ranked if leaves[other] == misspelt[0]][:1]
    return parts


def _known_to(error: OmegaConfBaseException) -> list[str]:
    """The keys of the configuration in which an unknown one was used."""
    schema = OmegaConf.get_type(error.parent_node._get_root())
    return known_keys(schema) if is_dataclass(schema) else []


def load_config(
    name: str,
    overrides: Sequence[str] = (),
    *,
    root: Path = CONFIG_ROOT,
    learns_from: Collection[str] | None = None,
) -> ProgramConfig:
    """The checked configuration that a command line composes, for notebooks and tests.

    `name` is a file below `root` without its suffix ("pendulum/base"); `overrides` are as typed
    ("train.grad_steps=10"); of the keys and groups in `learns_from`, None for all, it must make
    sense. Raises UserError as the programs do.
    """
    with readable_errors(), composed_config(name, overrides, root=root) as composed:
        check_chosen(composed, Path(name).name, overrides)
        return as_config(composed, overrides, learns_from)


@contextmanager
def composed_config(
    name: str, overrides: Sequence[str] = (), *, root: Path = CONFIG_ROOT
) -> Iterator[DictConfig]:
    """What Hydra composes of such a name, unchecked; "???" is a value that has to be given. Inside,
    Hydra can compose others of that folder."""
    from hydra import compose, initialize_config_dir

    path = root / name
    with initialize_config_dir(str(path.parent), version_base="1.3"):
        yield compose(path.name, overrides=list(overrides))
