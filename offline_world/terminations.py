"""When an imagined state ends its episode (eq. 21), one state at a time, in jnp."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from catalogue import domains
from harness.errors import UserError
from offline_world.custom_termination import load_custom_termination
from offline_world.termination_rule import Action, State, TerminationFn

#: Rows that a rule is asked about at once.
_BATCH = 1 << 16


def termination_fn(domain: str, dataset_name: str, spec: str | None = None) -> TerminationFn:
    """The rule f(s, a, s') -> bool scalar of a dataset's environment; s' decides in all of ours.

    `spec` (`env.termination`) is for the domains `custom` and `pendulum`: "never", or a function
    in jnp as "package.module.function" or "path/to/file.py:function". Raises UserError for a
    dataset without a rule and for a spec that leads to no usable function. NaN in a number that
    a locomotion rule looks at is never healthy.
    """
    if domain in domains.DESCRIBED:
        if not spec:
            raise UserError(
                "env.termination is missing; give `never`, package.module.function or "
                "path/to/file.py:function"
            )
        return _never if spec == "never" else load_custom_termination(spec)
    for prefix, rule in _RULES.get(domain, {}).items():
        if dataset_name.startswith(prefix):
            return rule
    raise UserError(
        f"no termination rule is known for domain={domain} dataset_name={dataset_name}; check "
        "both names, or use domain=custom and give env.termination"
    )


def in_own_units(rule: TerminationFn, origin: np.ndarray | None) -> TerminationFn:
    """`rule` for states that are measured from `origin`; it is shown them in their own units, with
    the few digits that float32 has for such."""
    if origin is None:
        return rule
    origin = np.asarray(origin, np.float32)
    return lambda state, action, next_state: rule(state + origin, action, next_state + origin)


def check_termination(rule: TerminationFn, state_dim: int, action_dim: int) -> None:
    """Trace `rule` once with states and actions of these sizes, so that its faults show early."""
    state = jax.ShapeDtypeStruct((state_dim,), jnp.float32)
    action = jax.ShapeDtypeStruct((action_dim,), jnp.float32)
    jax.eval_shape(rule, state, action, state)


def ended_rows(
    rule: TerminationFn,
    states: Float[np.ndarray, "row state"],
    actions: Float[np.ndarray, "row action"],
    next_states: Float[np.ndarray, "row state"],
) -> Bool[np.ndarray, " row"]:
    """What `rule` says of every row: compiled once, and asked in batches."""
    batched = jax.jit(jax.vmap(rule))
    count = len(states)
    size = min(count, _BATCH)
    ended = np.empty(count, bool)
    for start in range(0, count, size):
        # the last batch reaches back, so that all have one shape
        rows = slice(min(start, count - size), min(start, count - size) + size)
        ended[rows] = batched(states[rows], actions[rows], next_states[rows])
    return ended


def _never(state: State, action: Action, next_state: State) -> Bool[Array, ""]:
    return jnp.asarray(False)


def _hopper(state: State, action: Action, next_state: State) -> Bool[Array, ""]:
    height, angle = next_state[0], next_state[1]
    bounded = jnp.isfinite(next_state).all() & (jnp.abs(next_state[1:]) < 100).all()
    return ~(bounded & (height > 0.7) & (jnp.abs(angle) < 0.2))


def _walker2d(state: State, action: Action, next_state: State) -> Bool[Array, ""]:
    return ~_walker2d_upright(height=next_state[0], angle=next_state[1])


def _hopper_v3(state: State, action: Action, next_state: State) -> Bool[Array, ""]:
    # NeoRL's observations begin with the x position, which health does not depend on
    height, angle = next_state[1], next_state[2]
    bounded = (jnp.abs(next_state[2:]) < 100).all()
    return ~(bounded & (height > 0.7) & (jnp.abs(angle) < 0.2))


def _walker2d_v3(state: State, action: Action, next_state: State) -> Bool[Array, ""]:
    return ~_walker2d_upright(height=next_state[1], angle=next_state[2])


def _walker2d_upright(height: Float[Array, ""], angle: Float[Array, ""]) -> Bool[Array, ""]:
    return (height > 0.8) & (height < 2.0) & (jnp.abs(angle) < 1.0)


def _pen(state: State, action: Action, next_state: State) -> Bool[Array, ""]:
    pen_height = next_state[26]
    return pen_height < 0.075


def _antmaze(goal_x: float, goal_y: float) -> TerminationFn:
    # The real goal is drawn close to this mean at every reset, and the agent does not see it.
    def reached(state: State, action: Action, next_state: State) -> Bool[Array, ""]:
        return jnp.linalg.norm(next_state[:2] - jnp.array([goal_x, goal_y])) < 0.25

    return reached


# By the beginning of the dataset's name.
_RULES: dict[str, dict[str, TerminationFn]] = {
    domains.D4RL_LOCO: {"halfcheetah-": _never, "hopper-": _hopper, "walker2d-": _walker2d},
    domains.NEORL: {
        "HalfCheetah-v3-": _never,
        "Hopper-v3-": _hopper_v3,
        "Walker2d-v3-": _walker2d_v3,
    },
    domains.ADROIT: {"pen-": _pen, "door-": _never, "hammer-": _never},
    domains.ANTMAZE: {
        "antmaze-umaze-": _antmaze(0.75, 8.75),
        "antmaze-medium-": _antmaze(20.75, 20.75),
        "antmaze-large-": _antmaze(32.75, 24.75),
    },
}
