"""Files of every kind that the programs read, damaged at random: one sentence, or the same numbers.

A fuzzer with a fixed seed; figures for docs/faults.md are printed with `pytest -s`.
"""

import json
from collections.abc import Callable
from pathlib import Path

import equinox as eqx
import h5py
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experience.data.dataset import load_dataset
from experience.data.sources import neorl_npz
from experience.tasks import get_task
from figures.error_files import load_errors, save_errors
from harness.configuration.groups import EnvConfig
from harness.errors import UserError
from harness.log.metrics_file import read_rows
from harness.run.records import read_settings
from harness.saving import checkpoint
from harness.saving.array_cache import cached_array
from offline_world import bandit_dataset
from offline_world.checkpoint import load_ensemble, save_ensemble
from programs.agent_files import load_agent, save_agent
from programs.training import replay_rings
from tests.experience.collect import write_neorl
from tests.experience.tapes import counting_tape
from tests.faults.fuzz import damaged, flips
from tests.offline_world import golden_ensemble
from tests.online_rl.probes import make_agent

pytestmark = pytest.mark.slow
ROWS = 40


def tried(file: Path, forms, read: Callable[[], object], same: Callable[[object], bool]) -> dict:
    """What became of each damaged form of the file: refused, unchanged, or other numbers."""
    counts = {"tried": 0, "refused": 0, "the same": 0, "other": 0}
    sound = file.read_bytes()
    for form in forms(sound):
        file.write_bytes(form)
        counts["tried"] += 1
        try:
            value = read()
        except UserError as error:
            assert str(error).strip() and "\n" not in str(error).strip(), str(error)
            counts["refused"] += 1
        else:
            counts["the same" if same(value) else "other"] += 1
    file.write_bytes(sound)
    return counts


def told(kind: str, counts: dict) -> None:
    print(f"\n{kind}: " + ", ".join(f"{count} {name}" for name, count in counts.items()))


def test_every_flipped_bit_of_a_checkpoint_is_refused_or_harmless(tmp_path):
    agent = make_agent()
    learner = agent.init(jax.random.key(0))
    replay = TapeReplayOfOneCollection()
    tree = {"learner": learner, "replay": replay.replay, "rows": 7}
    checkpoint.save(tmp_path, 1, tree, replay.rings)
    total = {}
    for file in sorted(path for path in tmp_path.rglob("*") if path.is_file()):
        counts = tried(
            file,
            lambda sound: flips(sound, 120),
            lambda: checkpoint.restore(tmp_path, tree)[1],
            lambda value: bool(eqx.tree_equal(value, tree, typematch=True)),
        )
        total = {name: total.get(name, 0) + count for name, count in counts.items()}
        assert not list(tmp_path.glob("*.damaged")), "the only one is never set aside"
    told("checkpoint, one bit", total)
    assert total["tried"] >= 400 and total["other"] == 0


class TapeReplayOfOneCollection:
    def __init__(self):
        from experience.replay import TapeReplay

        lengths = [30, 20, 14]
        empty = TapeReplay.empty(50, 2, 1, episodes_at_once=3)
        self.replay = empty.add(counting_tape(lengths), jnp.array(lengths))
        self.rings = replay_rings("replay", sum(lengths) - 3, 3)


def test_every_flipped_bit_of_an_agent_is_refused_or_harmless(tmp_path):
    agent = make_agent()
    learner = agent.init(jax.random.key(0))
    save_agent(tmp_path, agent, learner)
    (file,) = tmp_path.glob("*/state.npz")
    other = agent.init(jax.random.key(1))
    counts = tried(
        file,
        lambda sound: flips(sound, 100),
        lambda: agent.networks(load_agent(tmp_path, agent, other)),
        lambda networks: bool(eqx.tree_equal(networks, agent.networks(learner))),
    )
    told("agent, one bit", counts)
    assert counts["other"] == 0


def test_every_flipped_bit_of_our_world_model_is_refused(tmp_path):
    file = tmp_path / "own.eqx"
    ensemble = golden_ensemble.random(2, 3, 3, 8, residual=2)
    save_ensemble(file, ensemble)

    def same(loaded):
        return bool(eqx.tree_equal(loaded, ensemble))

    for kind, forms in (
        ("world model, one bit", lambda sound: flips(sound, 300)),
        ("world model, damaged", lambda sound: damaged(sound, 300)),
    ):
        counts = tried(file, forms, lambda: load_ensemble(file, 2, 1), same)
        told(kind, counts)
        assert counts["other"] == 0


def test_a_published_world_model_loads_or_is_refused(tmp_path):
    """It has no checksum: other numbers cannot be told, but none is NaN or inf."""
    file = tmp_path / "published.eqx"
    save_ensemble(file, golden_ensemble.random(2, 3, 3, 8, residual=2))
    file.write_bytes(file.read_bytes()[: -len("sha256 ") - 65])
    counts = tried(
        file,
        lambda sound: damaged(sound, 400),
        lambda: load_ensemble(file, 2, 1),
        lambda loaded: all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(loaded)),
    )
    told("published world model, damaged", counts)
    assert counts["other"] == 0


def test_cached_arrays_are_computed_again(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    array = np.linspace(0, 1, 50)

    def cached():
        return cached_array("uncertainty", ["key"], lambda: array)

    cached()
    (file,) = tmp_path.rglob("*.npz")
    sound = file.read_bytes()
    count = 0
    for form in (*flips(sound, 200), *damaged(sound, 200)):
        file.write_bytes(form)
        np.testing.assert_array_equal(cached(), array)
        count += 1
    told("cached uncertainties", {"tried": count, "right": count})


def numbers(rows: int = ROWS) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    ends = np.arange(1, rows + 1) % 20 == 0
    states = rng.normal(size=(rows, 3)).astype(np.float32)
    return {
        "observations": states,
        "actions": rng.uniform(-1, 1, (rows, 1)).astype(np.float32),
        "rewards": rng.normal(size=rows).astype(np.float32),
        "terminals": np.zeros(rows, bool),
        "timeouts": ends,
        "next_observations": np.roll(states, -1, 0),
    }


def test_hdf5_datasets(tmp_path):
    file = tmp_path / "mine.hdf5"
    with h5py.File(file, "w") as stored:
        for key, array in numbers().items():
            stored[key] = array
    task = get_task(
        "custom", "mine", EnvConfig(dataset_path=str(file), horizon=20, ref_min=0.0, ref_max=1.0)
    )
    read = lambda: load_dataset(task)  # noqa: E731
    counts = tried(file, lambda sound: damaged(sound, 500), read, lambda data: data.rows >= 2)
    told("HDF5, damaged", counts)
    assert counts["refused"] > 100


def test_npz_datasets(tmp_path):
    file = tmp_path / "neorl.npz"
    write_neorl(file, numbers())
    read = lambda: neorl_npz.read(file, 20, "dataset x", "get another")  # noqa: E731
    counts = tried(file, lambda sound: damaged(sound, 300), read, lambda data: data.rows >= 2)
    told("NeoRL npz, damaged", counts)
    file = tmp_path / "bandit.npz"
    pulls = np.random.default_rng(0).integers(2, size=(3, 100))
    np.savez(file, arms=pulls, rewards=pulls.astype(np.float32))
    read = lambda: bandit_dataset.load_dataset(file)  # noqa: E731
    counts = tried(file, lambda sound: damaged(sound, 300), read, lambda data: True)
    told("bandit npz, damaged", counts)


# of a string that was damaged
@pytest.mark.filterwarnings("ignore:invalid escape sequence:DeprecationWarning")
def test_pickles(tmp_path):
    import pickle

    for protocol in range(5):
        file = tmp_path / f"bandit{protocol}.pkl"
        pulls = np.random.default_rng(0).integers(2, size=(1, 100))
        content = {"arms": pulls, "rewards": pulls.astype(np.float32)}
        file.write_bytes(pickle.dumps(content, protocol))
        read = lambda file=file: bandit_dataset.load_dataset(file)  # noqa: E731
        counts = tried(file, lambda sound: damaged(sound, 100), read, lambda data: True)
        told(f"pickle protocol {protocol}, damaged", counts)


def test_error_files(tmp_path):
    file = tmp_path / "a/b/with_LN_seed0.npz"
    arrays = {"rmse": np.ones((5, 2)), "thresholds": np.ones(4), "threshold_quantiles": np.ones(4)}
    save_errors(file, arrays)
    read = lambda: load_errors(tmp_path, "a", "b", True)  # noqa: E731
    counts = tried(file, lambda sound: damaged(sound, 300), read, lambda data: True)
    told("error npz, damaged", counts)


def test_records(tmp_path):
    rows = tmp_path / "metrics.jsonl"
    rows.write_text("".join(json.dumps({"step": i, "score": i / 3}) + "\n" for i in range(20)))
    counts = tried(
        rows, lambda sound: damaged(sound, 500), lambda: read_rows(rows), lambda r: len(r) < 40
    )
    told("metrics.jsonl, damaged", counts)
    config = tmp_path / "config.yaml"
    config.write_text("domain: pendulum\nseed: 0\ntrain:\n  utd: 0.5\n  replay: auto\n")
    counts = tried(
        config, lambda sound: damaged(sound, 500), lambda: read_settings(config), lambda c: True
    )
    told("config.yaml, damaged", counts)
