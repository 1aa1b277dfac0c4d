"""Every sweep composes with every domain, and the program runs one job for each value."""

import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from harness.config import CONFIG_ROOT, load_config
from harness.sweeps import SWEEPS

REPOSITORY = Path(__file__).parents[2]
DOMAINS = ("d4rl_loco", "neorl", "adroit", "antmaze", "pendulum")


@pytest.mark.parametrize("sweep", SWEEPS)
def test_a_sweep_composes_in_every_domain(sweep):
    for domain in DOMAINS:
        with initialize_config_dir(str(CONFIG_ROOT / domain), version_base="1.3"):
            composed = compose("base", [f"+sweep={sweep}"], return_hydra_config=True)
        assert dict(composed.hydra.sweeper.params) == SWEEPS[sweep]
    # the pendulum's smaller ensemble needs sizes of its own
    for key, values in SWEEPS[sweep].items():
        for value in values.split(","):
            config = load_config("d4rl_loco/base", [f"+sweep={sweep}", f"{key}={value}"])
            group, name = key.split(".")
            assert getattr(getattr(config, group), name) == float(value)


def test_both_encoder_rates_move_together():
    config = load_config("pendulum/base", ["+sweep=rates", "train.critic_enc_lr=3e-7"])
    assert config.train.critic_enc_lr == config.train.actor_enc_lr == 3e-7


def test_a_sweep_runs_a_job_for_each_value_unless_others_are_typed(tmp_path):
    """The jobs fail at once, by a value that no run accepts."""

    def jobs(*overrides):
        command = ["offline_cont.py", "-m", "--config-path=configs/pendulum"]
        command = [sys.executable, str(REPOSITORY / command[0]), *command[1:], "--config-name=base"]
        result = subprocess.run(
            [*command, "+sweep=penalty_coef", "collect.parallel_size=0", *overrides],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert result.returncode == 2
        assert "collect.parallel_size=0 is out of range" in result.stderr
        lines = [line for line in result.stdout.splitlines() if line.startswith("job ")]
        return [line.split()[2] for line in lines]

    values = SWEEPS["penalty_coef"]["collect.penalty_coef"].split(",")
    assert jobs() == [f"collect.penalty_coef={value}" for value in values]
    assert jobs("collect.penalty_coef=0.3,0.7") == [
        "collect.penalty_coef=0.3",
        "collect.penalty_coef=0.7",
    ]
