"""Time the hot loops on this machine's card, and see whether its numbers repeat.

    python benchmarks/gpu_check.py [--small] [--out gpu_check.json]

At the published sizes of hopper-medium-v2; needs neither datasets nor simulators nor Hydra. Each
step is measured under XLA's defaults, with whole loops in CUDA graphs (gpu.command_buffer=loops)
and with float32 products (train.matmul_precision=highest), each in a process of its own, and
written to the JSON file as soon as it is known. `--small` runs through on a CPU in a minute.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
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


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--small", action="store_true", help="tiny sizes, for a CPU")
    parser.add_argument("--out", type=Path, default=Path("gpu_check.json"))
    parser.add_argument("--modes", default=",".join(MODES))
    parser.add_argument("--steps", help="of the process that measures; not for users")
    options = parser.parse_args(arguments)
    if options.steps:
        from benchmarks.gpu_steps import measure

        measure(options.steps, options.small, options.out)
        return
    results = {}
    for mode in options.modes.split(","):
        with tempfile.TemporaryDirectory() as folder:
            own = Path(folder) / "figures.json"
            # the second process only repeats the updates, for their digest
            for process, steps in (("", "all"), ("second process: ", "repeat")):
                _run_steps(mode, steps, options.small, own)
                figures = json.loads(own.read_text()) if own.exists() else {}
                own.unlink(missing_ok=True)
                named = {process + name: figure for name, figure in figures.items()}
                results.setdefault(mode, {}).update(named)
                options.out.write_text(json.dumps(results, indent=1) + "\n")
    print(f"figures in {options.out}")


def _run_steps(mode: str, steps: str, small: bool, out: Path) -> None:
    environment = dict(os.environ)
    for name, value in MODES[mode].items():
        environment[name] = f"{environment.get(name, '')} {value}".strip()
    command = [sys.executable, __file__, "--steps", steps, "--out", str(out)]
    print(f"— {mode}: {steps}", flush=True)
    done = subprocess.run([*command, *(["--small"] if small else [])], env=environment)
    if done.returncode:
        print(f"{mode} failed with exit code {done.returncode}; what it measured is kept")


if __name__ == "__main__":
    main(sys.argv[1:])
