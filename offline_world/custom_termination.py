"""A user's own termination rule, found by name and checked when it is used."""

import inspect

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from harness.errors import UserError
from harness.foreign import foreign_code
from harness.named_function import named_function
from offline_world.termination_rule import Action, State, TerminationFn


def load_custom_termination(spec: str) -> TerminationFn:
    """The function named by `spec`: "package.module.function" or "path/to/file.py:function".

    The function takes s (state,), a (action,), s' (state,) and returns one boolean, all in jnp.
    Raises UserError if it cannot be found or does not take three arguments; what it raises, or
    returns other than a boolean scalar, is a UserError when the rule is first traced.
    """
    rule = named_function("env.termination", spec, words=("never",))
    try:
        inspect.signature(rule).bind(None, None, None)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"env.termination={spec} must take the three arguments s, a, s' ({error})"
        ) from error

    def checked(state: State, action: Action, next_state: State) -> Bool[Array, ""]:
        try:
            with foreign_code(f"env.termination={spec}", jax.errors.JAXTypeError):
                returned = rule(state, action, next_state)
        except jax.errors.JAXTypeError as error:
            raise UserError(
                f"env.termination={spec} must be written in jax.numpy, without numpy calls and "
                "without `if` on array values"
            ) from error
        try:
            terminated = jnp.asarray(returned)
        except (TypeError, ValueError) as error:
            raise UserError(
                f"env.termination={spec} must return one boolean, not {type(returned).__name__}"
            ) from error
        if terminated.shape != () or terminated.dtype != jnp.bool_:
            raise UserError(
                f"env.termination={spec} must return one boolean, not {terminated.dtype} of "
                f"shape {terminated.shape}"
            )
        return terminated

    return checked
