"""Ensembles on several devices: `two_devices.py` in a process that has two, and what is refused."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import UserError
from offline_world.devices import require_devices
from tests.cli.programs import REPOSITORY


@pytest.mark.slow
def test_two_devices_and_one_give_the_same():
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2"
    file = Path(__file__).with_name("two_devices.py")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", str(file)],
        cwd=REPOSITORY,
        env=os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_cannot_be_spread():
    with pytest.raises(UserError, match=r"ensemble.devices=99 is more than this process sees, \d"):
        require_devices(99, 198, "ensemble.total_size")
    require_devices(1, 5, "collect.ensemble_size")
