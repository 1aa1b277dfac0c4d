"""Environment steps per second of the evaluator, in one process and with one process a core.

    python benchmarks/evaluation_speed.py [--steps 100] [--workers 8]

The agent is a random one, so that only the simulation and the evaluator's own work are timed.
"""

import argparse
import time

import numpy as np

from experience.real.evaluator import evaluate
from experience.real.vector import AbstractVectorEnv
from experience.real.vector_env import make_vector_env, usable_cores

TASKS = {
    "hopper-medium-v2": ("d4rl_loco", 20),
    "halfcheetah-medium-v2": ("d4rl_loco", 20),
    "walker2d-medium-v2": ("d4rl_loco", 20),
    "pen-human-v1": ("adroit", 20),
    "hammer-cloned-v1": ("adroit", 20),
    "antmaze-umaze-v2": ("antmaze", 100),
    "pendulum": ("pendulum", 20),
}


def steps_per_second(envs: AbstractVectorEnv, steps: int) -> float:
    """The better of three evaluations of `steps` steps in every copy."""
    generator = np.random.default_rng(0)

    def act(observation, start, memory):
        action = generator.uniform(-1, 1, (envs.copies, envs.action_dim))
        return action.astype(np.float32), memory

    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        evaluate(
            act,
            None,
            envs,
            horizon=steps,
            first_action=np.zeros(envs.action_dim),
            reward_shift=0.0,
            score=float,
        )
        seconds.append(time.perf_counter() - began)
    return steps * envs.copies / min(seconds)


def main() -> None:
    """Print one line per task."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--workers", type=int, default=usable_cores())
    arguments = parser.parse_args()
    print(
        f"{'task':<24}{'copies':>8}{'1 process':>12}{f'{arguments.workers} workers':>12}  steps/s"
    )
    for name, (domain, copies) in TASKS.items():
        speeds = []
        for workers in (1, arguments.workers):
            envs = make_vector_env(domain, name, copies, workers=workers)
            speeds.append(steps_per_second(envs, arguments.steps))
            envs.close()
        print(f"{name:<24}{copies:>8}{speeds[0]:>12.0f}{speeds[1]:>12.0f}", flush=True)


if __name__ == "__main__":
    main()
