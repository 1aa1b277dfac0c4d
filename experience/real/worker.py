"""A process of `WorkerVectorEnv`; its argument is the file descriptor of its connection."""

import json
import signal
import sys
from multiprocessing.connection import Connection


def serve(connection: Connection) -> None:
    """Answer requests until the caller hangs up, be it at its end or by its death."""
    # Not at the top: these imports take a while, in which a signal must not kill the worker either.
    import numpy as np

    from experience.real.local_envs import LocalVectorEnv
    from experience.real.worker_messages import ANSWER, MISTAKE
    from harness.configuration.groups import EnvConfig
    from harness.errors import UserError

    task = json.loads(connection.recv_bytes())
    env_config = EnvConfig(id=task["env_id"], kwargs=task["env_kwargs"])
    envs = LocalVectorEnv(
        task["domain"],
        task["dataset_name"],
        task["copies"],
        env_config,
        task["engine"],
        None if task["origin"] is None else np.asarray(task["origin"]),
    )
    while True:
        message = connection.recv_bytes()
        try:
            reply = ANSWER + answer(envs, message[:1], message[1:])
        except UserError as mistake:
            reply = MISTAKE + str(mistake).encode()
        connection.send_bytes(reply)


def answer(envs, request: bytes, payload: bytes) -> bytes:
    """What `envs` return to one request."""
    import numpy as np

    from experience.real.worker_messages import GOALS, RESET, STEP, step_to_bytes

    if request == RESET:
        return envs.reset(np.frombuffer(payload, np.int64).tolist()).tobytes()
    if request == STEP:
        action = np.frombuffer(payload, np.float32).reshape(envs.copies, envs.action_dim)
        return step_to_bytes(envs.step(action))
    assert request == GOALS
    goals = envs.goals()
    return b"" if goals is None else goals.tobytes()


if __name__ == "__main__":
    # Ctrl-C reaches every process of a terminal and a cluster's SIGTERM every process of a job; the
    # caller alone decides when workers end, after it has saved.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        serve(Connection(int(sys.argv[1])))
    except (EOFError, ConnectionError):
        sys.exit(0)
