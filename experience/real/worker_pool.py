"""Environment copies spread over processes.

The workers are started afresh instead of forked (the caller's JAX runtime has threads, which a fork
would break) and exchange plain array bytes with the caller.
"""

import json
import os
import subprocess
import sys
from multiprocessing.connection import Connection, Pipe

import numpy as np
from jaxtyping import Float

from experience.data.origin import Origin
from experience.real.vector import AbstractVectorEnv, VectorStep
from experience.real.worker_messages import GOALS, MISTAKE, RESET, STEP, step_from_bytes
from experience.wrapper import environment_name, flat_sizes, make_env
from harness.configuration.groups import EnvConfig
from harness.errors import UserError


class WorkerVectorEnv(AbstractVectorEnv):
    """Copies in `workers` processes, each stepping its share of neighbours in turn."""

    def __init__(
        self,
        domain: str,
        dataset_name: str,
        copies: int,
        env_config: EnvConfig | None,
        engine: str,
        workers: int,
        origin: Origin | None = None,
    ):
        self.name = environment_name(domain, dataset_name, env_config)
        self.copies = copies
        # Made here first, so that a user's mistake is reported by this process and not by each.
        example = make_env(domain, dataset_name, env_config, engine)
        self.state_dim, self.action_dim = flat_sizes(example)
        example.close()
        task = {
            "domain": domain,
            "dataset_name": dataset_name,
            "engine": engine,
            "env_id": None if env_config is None else env_config.id,
            "env_kwargs": {} if env_config is None else dict(env_config.kwargs or {}),
            "origin": None if origin is None else origin.tolist(),
        }
        borders = np.linspace(0, copies, workers + 1).astype(int).tolist()
        self._shares = [slice(a, b) for a, b in zip(borders[:-1], borders[1:], strict=True)]
        self._workers = [_start({**task, "copies": s.stop - s.start}) for s in self._shares]

    def reset(self, seeds: list[int]) -> Float[np.ndarray, "copy state"]:
        replies = self._ask(RESET, np.asarray(seeds, np.int64))
        return np.frombuffer(b"".join(replies), np.float32).reshape(self.copies, self.state_dim)

    def goals(self) -> Float[np.ndarray, "copy xy"] | None:
        replies = b"".join(self._ask(GOALS, np.zeros((self.copies, 0))))
        return np.frombuffer(replies, np.float32).reshape(self.copies, 2) if replies else None

    def step(self, action: Float[np.ndarray, "copy action"]) -> VectorStep:
        replies = self._ask(STEP, np.asarray(action, np.float32))
        steps = [step_from_bytes(reply, self.state_dim) for reply in replies]
        return VectorStep(
            **{
                part: np.concatenate([getattr(step, part) for step in steps])
                for part in VectorStep._fields
            }
        )

    def close(self) -> None:
        for process, connection in self._workers:
            connection.close()
            process.wait()
        self._workers = []

    def _ask(self, request: bytes, payload: np.ndarray) -> list[bytes]:
        """Send each worker its share of `payload`'s rows; their replies in the copies' order."""
        try:
            for (_, connection), share in zip(self._workers, self._shares, strict=True):
                connection.send_bytes(request + payload[share].tobytes())
            replies = [connection.recv_bytes() for _, connection in self._workers]
        except (EOFError, OSError) as error:
            raise RuntimeError(
                "an environment process ended early; its own error message is further up"
            ) from error
        for reply in replies:
            if reply[:1] == MISTAKE:
                raise UserError(reply[1:].decode())
        return [reply[1:] for reply in replies]


def _start(task: dict) -> tuple[subprocess.Popen, Connection]:
    ours, theirs = Pipe()
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        # A worker's linear algebra is tiny; threads of its own would only fight for the cores.
        "OMP_NUM_THREADS": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "experience.real.worker", str(theirs.fileno())],
        pass_fds=[theirs.fileno()],
        env=environment,
    )
    theirs.close()
    ours.send_bytes(json.dumps(task).encode())
    return process, ours
