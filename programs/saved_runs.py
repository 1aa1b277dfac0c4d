"""Runs of agents on disk, read back: their configuration, and the agent they ended with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from harness.configuration.schema import ContConfig, MarkovConfig
from harness.errors import UserError, first_line
from harness.run import layout
from online_rl.agent import AbstractAgent, AbstractLearner
from online_rl.builders import markov_agent, recurrent_agent
from programs.agent_files import load_agent, saved_origin

#: The agents that act in real environments, by the schema of their configuration: from such a
#: configuration and the sizes of a state and an action.
BUILDERS: dict[type, Callable[[Any, int, int], AbstractAgent]] = {
    ContConfig: recurrent_agent,
    MarkovConfig: markov_agent,
}


def read_config(run: Path) -> ContConfig | MarkovConfig:
    """The configuration of the run in this directory; UserError if it is not an agent's run."""
    file = run / layout.CONFIG
    if not file.is_file():
        raise UserError(f"{run} is not a run directory: it has no config.yaml")
    try:
        stored = OmegaConf.load(file)
    except (OmegaConfBaseException, YAMLError, OSError, ValueError, RecursionError) as error:
        raise UserError(f"{file} cannot be read: {first_line(error)}") from error
    for schema in BUILDERS:
        config = _as(schema, stored)
        if config is not None:
            return config
    raise UserError(
        f"{file} is not the configuration of an agent that acts in a real environment: give the"
        " directory of a run of offline_cont.py or offline_markov.py"
    )


def load_run(run: Path, state_dim: int, action_dim: int) -> tuple[AbstractAgent, AbstractLearner]:
    """The agent that the run in this directory ended with; UserError if it holds none yet."""
    config = read_config(run)
    if not (run / layout.AGENT).is_dir():
        raise UserError(
            f"{run} has no agent yet: the command that started it continues it to its end"
        )
    agent = BUILDERS[type(config)](config, state_dim, action_dim)
    # only the networks' shapes are wanted of it: nothing is drawn or compiled
    blank = eqx.filter_eval_shape(agent.init, jax.random.key(0))
    folder = run / layout.AGENT
    return agent, load_agent(folder, agent, blank, saved_origin(folder))


def _as(schema: type, stored: Any) -> Any:
    """`stored` as an instance of `schema`; None if it has other keys or types."""
    try:
        return OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(schema), stored))
    except (OmegaConfBaseException, ValueError):
        return None
