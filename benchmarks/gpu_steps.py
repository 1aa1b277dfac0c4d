"""What gpu_check.py measures, step by step; each gives its figures as a dictionary."""

import hashlib
import json
import os
import tempfile
import time
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.random_data import random_tape
from benchmarks.timing import seconds, timed
from benchmarks.workloads import ROWS, Workloads
from experience.history_store import HistoryStore
from experience.replay import TapeReplay
from experience.tasks import get_task
from harness.configuration.schema import ContConfig
from harness.saving import checkpoint as checkpoints
from offline_world.scaler import Scaler, Statistics
from online_rl import updates

#: Updates in one dispatch: what published runs do.
DISPATCH = 100


def measure(mode: str, label: str, steps: str, *, small: bool, out: Path) -> int:
    """Run `steps` (names, or all) in this process; the file grows with each.

    The figures of a step are under `mode` and `label` before its name. Gives the exit code: 1 if a
    step failed, whose error is then in the place of its figures.
    """
    results = json.loads(out.read_text()) if out.exists() else {}
    figures: dict[str, Any] = results.setdefault(mode, {})
    bench, failed = Bench(small), False
    for name in STEPS if steps == "all" else steps.split(","):
        began = time.perf_counter()
        try:
            step = STEPS[name](bench)
        except Exception as error:
            # the other steps are worth the same on a machine that cannot do this one
            step, failed = {"error": f"{type(error).__name__}: {error}"}, True
        figures[label + name] = step | {"seconds": time.perf_counter() - began}
        print(f"{label}{name}: {figures[label + name]}", flush=True)
        out.write_text(json.dumps(results, indent=1) + "\n")
    return int(failed)


class Bench:
    """The programs, with arrays to run them on."""

    def __init__(self, small: bool):
        task = get_task("d4rl_loco", "hopper-medium-v2")
        config = ContConfig(domain=task.domain, dataset_name=task.dataset_name)
        config.ensemble.total_epochs = None
        if small:
            task = replace(task, horizon=20)
            config.train.batch_size, config.train.buffer_size = 64, 5000
            config.model.memory.d_model = config.model.memory.d_hidden = 8
            config.model.head_d_hidden = config.ensemble.hidden_size = 8
            config.ensemble.total_size, config.collect.ensemble_size = 4, 2
            config.collect.parallel_size = 4
        self.config, self.task, self.small = config, task, small
        self.workloads = Workloads(config, task, rows=2000 if small else ROWS)
        self.agent = self.workloads.agent
        self.sizes = self.workloads.state_dim, self.workloads.action_dim
        self.episode = task.horizon + 1
        self.key = jax.random.key(0)
        # committed to the device, as in `programs.training.start`: one compilation, not two
        device = jax.local_devices()[0]
        self.learner = jax.device_put(eqx.filter_jit(self.agent.init)(self.key), device)
        episodes = config.collect.parallel_size
        self.tape = random_tape(episodes * self.episode, self.episode, *self.sizes)
        self.lengths = jnp.full(episodes, self.episode, jnp.int32)
        make = eqx.filter_jit(
            lambda: TapeReplay.empty(
                config.train.buffer_size, *self.sizes, episodes_at_once=episodes
            )
        )
        self.append = eqx.filter_jit(
            lambda rows, replay: replay.add(*rows), donate="all-except-first"
        )
        self.replay = self.append((self.tape, self.lengths), jax.device_put(make(), device))
        rows = self.workloads.rows // self.episode * self.episode
        self.histories = HistoryStore.from_tape(random_tape(rows, self.episode, *self.sizes))

    @cached_property
    def update_many(self) -> updates.UpdateMany:
        """Compiled once for all steps that update from the device's replay."""
        return updates.on_device(self.agent.update, self.sample)(0)

    def sample(self, replay: TapeReplay, key: jax.Array) -> Any:
        return replay.sample_tape(key, self.config.train.batch_size)

    def filled(self, shapes: Any) -> Any:
        """Random numbers in the place of shapes of floats."""
        leaves, form = jax.tree.flatten(shapes)
        keys = jax.random.split(self.key, len(leaves))
        return form.unflatten(
            0.1 * jax.random.normal(k, s.shape, s.dtype) if hasattr(s, "shape") else s
            for k, s in zip(keys, leaves, strict=True)
        )


def device(bench: Bench) -> dict[str, Any]:
    array = jnp.zeros((2**20 if bench.small else 2**30) // 4)
    copy = jax.jit(lambda x: x + 1)
    best = timed(lambda: copy(array))["best"]
    card = jax.local_devices()[0]
    return {
        "device": card.device_kind,
        "jax": jax.__version__,
        "precision": jax.config.values["jax_default_matmul_precision"],
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "copy_gigabytes_per_second": 2 * array.nbytes / best / 1e9,
        "memory": card.memory_stats(),
    }


def update(bench: Bench) -> dict[str, float]:
    return _updates(bench, bench.update_many, bench.replay)


def update_from_host(bench: Bench) -> dict[str, float]:
    """The same from a replay in the host's memory; the machine may not have it twice."""
    replay = jax.device_put(bench.replay, jax.local_devices(backend="cpu")[0])
    return _updates(bench, updates.from_host(bench.agent.update, bench.sample)(0), replay)


def _updates(bench: Bench, update_many: updates.UpdateMany, replay: TapeReplay) -> dict[str, float]:
    state = {"learner": _copy(bench.learner)}

    def run():
        state["learner"], figures = update_many(replay, state["learner"], count)
        return figures

    count = 4 if bench.small else DISPATCH
    result = timed(run)
    return result | {"ms_per_update": 1e3 * result["best"] / count}


def repeat(bench: Bench) -> dict[str, Any]:
    """Ten updates twice: the digest of all that was learned must be one."""
    digests = []
    for _ in range(2):
        learner, _ = bench.update_many(bench.replay, _copy(bench.learner), 10)
        digest = hashlib.sha256()
        for leaf in jax.tree.leaves(bench.agent.networks(learner)):
            digest.update(np.asarray(leaf).tobytes())
        digests.append(digest.hexdigest()[:16])
    return {"digest": digests[0], "same_twice": digests[0] == digests[1]}


def _copy(tree: Any) -> Any:
    """What updates may overwrite."""
    return jax.tree.map(lambda array: array.copy(), tree)


def add(bench: Bench) -> dict[str, float]:
    def run():
        bench.replay = bench.append((bench.tape, bench.lengths), bench.replay)
        return bench.replay.write

    return timed(run)


def act(bench: Bench) -> dict[str, float]:
    """A step of an evaluation: observations to the card, actions back."""
    work = bench.workloads.act()
    step = eqx.filter_jit(work.function)
    _, observation, start, _ = work.frozen
    observation = np.zeros(observation.shape, np.float32)
    begun = np.zeros(start.shape, bool)
    state = {"memory": bench.agent.initial_memory(bench.learner, len(begun))}

    def run():
        frozen = (bench.learner, observation, begun, bench.key)
        action, state["memory"] = step(frozen, state["memory"])
        return np.asarray(action)

    return timed(run, times=20)


def collection(bench: Bench) -> dict[str, Any]:
    work = bench.workloads.collection()
    world = bench.filled(work.frozen[1])
    states, actions = (np.ones((2, size)) for size in bench.sizes)
    scaler = Scaler.fit(states, actions, np.ones(2), Statistics.PUBLISHED)
    world = eqx.tree_at(lambda w: (w.threshold, w.scaler), world, (jnp.asarray(jnp.inf), scaler))
    imagine = eqx.filter_jit(work.function)
    frozen = bench.learner, world, bench.histories, bench.key
    sizes = []

    def run():
        imagined = imagine(frozen, None)
        sizes.append(imagined[-1].data_size)
        return imagined

    return timed(run, times=1) | {"transitions": int(sizes[-1])}


def fit_epoch(bench: Bench) -> dict[str, float]:
    work = bench.workloads.fit_epoch()
    epoch = eqx.filter_jit(work.function, donate="all-except-first")
    (data, _), fresh = work.frozen, work.donated
    data = bench.filled(data)
    state = {"fit": jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), fresh)}
    state["fit"] = eqx.tree_at(lambda s: s.ensemble, state["fit"], bench.filled(fresh.ensemble))

    def run():
        state["fit"], figures = epoch((data, bench.key), state["fit"])
        return figures

    return timed(run, times=1)


def uncertainty(bench: Bench) -> dict[str, float]:
    work = bench.workloads.uncertainty()
    frozen = bench.filled(work.frozen)
    measure_all = eqx.filter_jit(work.function)
    return timed(lambda: measure_all(frozen, None), times=1)


def checkpoint(bench: Bench) -> dict[str, float]:
    """Learner and replay (2.5 GiB) written and read again."""
    with tempfile.TemporaryDirectory() as folder:
        state = bench.learner, bench.replay
        write = seconds(lambda: checkpoints.save(Path(folder) / "checkpoint", 0, state))
        read = seconds(lambda: checkpoints.restore(Path(folder) / "checkpoint", state))
    return {"write": write, "read": read}


STEPS = {
    step.__name__: step
    for step in (
        *(device, update, repeat, add, act, collection, fit_epoch, uncertainty),
        *(update_from_host, checkpoint),
    )
}
