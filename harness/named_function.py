"""A user's own function, found by the name that a setting gives."""

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.errors import UserError
from harness.foreign import foreign_code

#: Errors of an import that have a sentence of their own.
_SAID_HERE = (ImportError, SyntaxError)


def named_function(setting: str, name: str, *, words: tuple[str, ...] = ()) -> Callable[..., Any]:
    """The function that `setting` names: "package.module.function" or "path/to/file.py:function".

    Raises UserError, which begins with `setting=name`, if it cannot be found or is no function;
    `words` are what the setting could have been instead.
    """
    module, function_name = _load_module(f"{setting}={name}", name, words)
    function = getattr(module, function_name, None)
    if not callable(function):
        raise UserError(f"{setting}={name}: there is no function {function_name!r} in that module")
    return function


def function_file(setting: str, name: str) -> Path:
    """The file of the function that `setting` names, which is not loaded; UserError as above."""
    file_name, colon, _ = name.rpartition(":")
    if colon:
        return Path(file_name).expanduser()
    module_name = name.rpartition(".")[0]
    with foreign_code(f"{setting}={name}: looking for {module_name}"):
        spec = importlib.util.find_spec(module_name)
    if spec is None or spec.origin is None:
        raise UserError(f"{setting}={name}: there is no module {module_name}")
    return Path(spec.origin)


def _load_module(given: str, name: str, words: tuple[str, ...]) -> tuple[ModuleType, str]:
    """The module that `name` points into, and the name of the function in it."""
    file_name, colon, function_name = name.rpartition(":")
    if colon:
        return _load_file(given, Path(file_name).expanduser()), function_name
    module_name, _, function_name = name.rpartition(".")
    if not module_name:
        raise UserError(
            f"{given} is neither {''.join(f'`{word}`, ' for word in words)}package.module.function"
            " nor path/to/file.py:function"
        )
    try:
        with foreign_code(f"{given}: importing {module_name}", *_SAID_HERE):
            return importlib.import_module(module_name), function_name
    except _SAID_HERE as error:
        raise UserError(
            f"{given}: module {module_name} cannot be imported ({error}); put it on PYTHONPATH or"
            " give path/to/file.py:function"
        ) from error


def _load_file(given: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise UserError(f"{given}: there is no Python file {path.absolute()}")
    module = importlib.util.module_from_spec(spec)
    try:
        with foreign_code(f"{given}: importing {path}", *_SAID_HERE):
            spec.loader.exec_module(module)
    except _SAID_HERE as error:
        raise UserError(f"{given}: {path} cannot be imported ({error})") from error
    return module
