"""A user's own termination rule, found by name and checked when it is used."""

import importlib
import importlib.util
import inspect
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from harness.errors import UserError


def load_custom_termination(spec: str) -> Callable[..., Bool[Array, ""]]:
    """The function named by `spec`: "package.module.function" or "path/to/file.py:function".

    The function takes s (state,), a (action,), s' (state,) and returns one boolean, all in jnp.
    Raises UserError if it cannot be found or does not take three arguments; what it returns
    raises UserError when the rule is first traced, unless it is a boolean scalar.
    """
    module, name = _load_module(spec)
    rule = getattr(module, name, None)
    if not callable(rule):
        raise UserError(f"env.termination={spec}: there is no function {name!r} in that module")
    try:
        inspect.signature(rule).bind(None, None, None)
    except TypeError as error:
        raise UserError(
            f"env.termination={spec} must take the three arguments s, a, s' ({error})"
        ) from error

    def checked(
        state: Float[Array, " state"],
        action: Float[Array, " action"],
        next_state: Float[Array, " state"],
    ) -> Bool[Array, ""]:
        try:
            terminated = jnp.asarray(rule(state, action, next_state))
        except jax.errors.JAXTypeError as error:
            raise UserError(
                f"env.termination={spec} must be written in jax.numpy, without numpy calls and "
                "without `if` on array values"
            ) from error
        if terminated.shape != () or terminated.dtype != jnp.bool_:
            raise UserError(
                f"env.termination={spec} must return one boolean, not {terminated.dtype} of "
                f"shape {terminated.shape}"
            )
        return terminated

    return checked


def _load_module(spec: str) -> tuple[ModuleType, str]:
    """The module that `spec` points into, and the name of the function in it."""
    file_name, colon, name = spec.rpartition(":")
    if colon:
        return _load_file(spec, Path(file_name).expanduser()), name
    module_name, _, name = spec.rpartition(".")
    if not module_name:
        raise UserError(
            f"env.termination={spec} is neither `never`, package.module.function nor "
            "path/to/file.py:function"
        )
    try:
        return importlib.import_module(module_name), name
    except (ImportError, SyntaxError) as error:
        raise UserError(
            f"env.termination={spec}: module {module_name} cannot be imported ({error}); put it "
            "on PYTHONPATH or give path/to/file.py:function"
        ) from error


def _load_file(spec: str, path: Path) -> ModuleType:
    if not path.is_file() or path.suffix != ".py":
        raise UserError(f"env.termination={spec}: there is no Python file {path.absolute()}")
    module_spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(module_spec)
    try:
        module_spec.loader.exec_module(module)
    except (ImportError, SyntaxError) as error:
        raise UserError(f"env.termination={spec}: {path} cannot be imported ({error})") from error
    return module
