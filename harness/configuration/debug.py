"""`debug: true`: every size shrunk so that a whole run takes seconds."""

from typing import Any

# The smallest sizes at which every part of a program still runs: several members, rollouts,
# critics, collections and evaluations. A debug world model and its errors have folders of their
# own, so that they never stand where real ones belong.
_SIZES = {
    "ensemble.total_size": 4,
    "ensemble.hidden_size": 16,
    "ensemble.total_epochs": 2,
    "eval.times": 2,
    "eval.real_episodes": 2,
    "eval.rollout_episodes": 2,
    "collect.ensemble_size": 2,
    "collect.parallel_size": 4,
    "collect.max_rollout_len": 10,
    "train.grad_steps": 20,
    "model.memory.d_model": 16,
    "model.memory.d_hidden": 8,
    # a second layer is more to compile, and no other part
    "model.memory.n_layers": 1,
    "model.head_d_hidden": 16,
    "model.head_n_layers": 1,
    "model.d_hidden": 16,
    "model.n_layers": 1,
    "model.num_critics": 3,
}
# The longest episode of a published dataset; own ones say theirs.
_LONGEST = 1000
_FOLDERS = ("ensemble.save_dir", "ensemble.plot_dir", "collect.save_dir")


def shrink(config: Any, keep: set[str]) -> None:
    """Shrinks `config` in place, except the dotted keys in `keep` (those typed by the user)."""
    sizes = _SIZES | _tape_sizes(config)
    for key in (*sizes, *_FOLDERS):
        group, name = _group(config, key)
        if key not in keep and hasattr(group, name):
            setattr(group, name, sizes.get(key) or getattr(group, name) + "_debug")


def _tape_sizes(config: Any) -> dict[str, int]:
    """A tape for the longest episode and a replay of several, as an agent with memory needs."""
    env = getattr(config, "env", None)
    rows = ((env and env.horizon) or _LONGEST) + 1
    return {"train.batch_size": rows, "train.buffer_size": max(20_000, 8 * rows)}


def _group(config: Any, key: str) -> tuple[Any, str]:
    """The dataclass that would hold `key`, or None where this program has no such group."""
    *path, name = key.split(".")
    group = config
    for part in path:
        group = getattr(group, part, None)
    return group, name
