"""The project's real environments, from another virtual environment: a worker process of its own.

The baselines need PyTorch and the environments need this project's pins; both see the same bytes.
"""

import json
import os
import subprocess
import sys
from multiprocessing.connection import Pipe
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from experience.real.worker_messages import (  # noqa: E402
    MISTAKE,
    RESET,
    STEP,
    step_from_bytes,
)

_FACTS = """
import json, sys
from experience.tasks import domain_of, get_task
task = get_task(domain_of(sys.argv[1]), sys.argv[1])
print(json.dumps({key: getattr(task, key) for key in sys.argv[2:]}))
"""


class RealEnvironments:
    """`copies` environments of a dataset, stepped by one process of the project's Python."""

    def __init__(self, python: str, dataset_name: str, copies: int):
        keys = ("domain", "horizon", "ref_min", "ref_max", "state_dim", "reward_shift")
        answer = _run(python, "-c", _FACTS, dataset_name, *keys)
        self.facts = json.loads(answer)
        self.copies = copies
        ours, theirs = Pipe()
        self._process = subprocess.Popen(
            [python, "-m", "experience.real.worker", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env=_environment(),
        )
        theirs.close()
        self._connection = ours
        task = {
            "domain": self.facts["domain"],
            "dataset_name": dataset_name,
            "copies": copies,
            "engine": "mujoco",
            "env_id": None,
            "env_kwargs": {},
            "origin": None,
        }
        ours.send_bytes(json.dumps(task).encode())

    def returns(self, act, seed: int) -> np.ndarray:
        """The return of one episode in each copy; `act` maps states (copy, state) to actions."""
        seeds = np.random.SeedSequence(seed).generate_state(self.copies).astype(np.int64)
        size = self.facts["state_dim"]
        states = np.frombuffer(self._ask(RESET, seeds), np.float32).reshape(-1, size)
        total, running = np.zeros(self.copies), np.ones(self.copies, bool)
        for _ in range(self.facts["horizon"]):
            step = step_from_bytes(self._ask(STEP, np.asarray(act(states), np.float32)), size)
            total += step.reward * running
            running &= ~step.done
            states = step.observation
            if not running.any():
                break
        return total

    def score(self, returns: np.ndarray) -> float:
        low, high = self.facts["ref_min"], self.facts["ref_max"]
        return float((returns.mean() - low) / (high - low))

    def close(self) -> None:
        self._connection.close()
        self._process.wait()

    def _ask(self, request: bytes, payload: np.ndarray) -> bytes:
        self._connection.send_bytes(request + payload.tobytes())
        reply = self._connection.recv_bytes()
        if reply[:1] == MISTAKE:
            sys.exit(f"error: {reply[1:].decode()}")
        return reply[1:]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def _run(*command: str) -> str:
    return subprocess.run(
        command, capture_output=True, text=True, check=True, env=_environment()
    ).stdout
