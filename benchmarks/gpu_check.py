"""Time the hot loops on this machine's card, and see whether its numbers repeat.

    python benchmarks/gpu_check.py [--small] [--out gpu_check.json] [--minutes 10]

At the published sizes of hopper-medium-v2; needs neither datasets nor simulators nor Hydra. Each
step is measured under XLA's defaults, with whole loops in CUDA graphs (gpu.command_buffer=loops)
and with float32 products (train.matmul_precision=highest), each in a process of its own, and
written to the JSON file as soon as it is known. A step that fails leaves its error there and the
next one begins; after `--minutes` what still runs is ended. `--small` runs through on a CPU.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)

#: name → environment of the process
MODES = {
    "default": {},
    "loops": {"XLA_FLAGS": "--xla_gpu_enable_command_buffer=+WHILE"},
    "highest": {"JAX_DEFAULT_MATMUL_PRECISION": "highest"},
}
#: The second process only repeats the updates, for their digest.
PROCESSES = {"": "all", "second process: ": "repeat"}


def main(arguments: Sequence[str]) -> int:
    """The exit code: 1 if a step failed or there was no time for it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--small", action="store_true", help="tiny sizes, for a CPU")
    parser.add_argument("--out", type=Path, default=Path("gpu_check.json"))
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--modes", default=",".join(MODES))
    parser.add_argument("--measure", nargs=3, help="of a process that measures; not for users")
    options = parser.parse_args(arguments)
    if options.measure:
        from benchmarks.gpu_steps import measure

        return measure(*options.measure, small=options.small, out=options.out)
    options.out.unlink(missing_ok=True)
    end, failed = time.monotonic() + 60 * options.minutes, False
    for mode in options.modes.split(","):
        for label, steps in PROCESSES.items():
            print(f"— {mode}: {label}{steps}", flush=True)
            command = [sys.executable, __file__, "--measure", mode, label, steps]
            command += ["--out", str(options.out), *(["--small"] if options.small else [])]
            left = max(end - time.monotonic(), 0)
            try:
                failed |= subprocess.run(command, env=_environment(mode), timeout=left).returncode
            except subprocess.TimeoutExpired:
                print(f"{options.minutes:g} minutes are over; what was measured is kept")
                return 1
    print(f"figures in {options.out}")
    return int(failed)


def _environment(mode: str) -> dict[str, str]:
    """Of the process that measures: what is compiled there is not looked up."""
    environment = os.environ | {"JAX_ENABLE_COMPILATION_CACHE": "false"}
    for name, value in MODES[mode].items():
        environment[name] = f"{environment.get(name, '')} {value}".strip()
    return environment


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
