"""Every sweep composes with every domain, and the program runs one job for each value."""

import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from harness.checkout import CONFIG_ROOT
from harness.configuration.composition import known_keys, load_config
from harness.configuration.schema import BanditConfig
from harness.configuration.sweeps import SWEEPS, check_sweep
from harness.errors import UserError
from tests.cli.programs import fail

REPOSITORY = Path(__file__).resolve().parents[3]
DOMAINS = ("d4rl_loco", "neorl", "adroit", "antmaze", "pendulum")


@pytest.mark.parametrize("sweep", SWEEPS)
def test_a_sweep_composes_in_every_domain(sweep):
    base = {"markov_rates": "base_markov", "enc_lr": "offline_bandit"}.get(sweep, "base")
    for domain in DOMAINS if base.startswith("base") else (".",):
        with initialize_config_dir(str((CONFIG_ROOT / domain).resolve()), version_base="1.3"):
            composed = compose(base, [f"+sweep={sweep}"], return_hydra_config=True)
        assert dict(composed.hydra.sweeper.params) == SWEEPS[sweep]
    # the pendulum's smaller ensemble needs sizes of its own
    domain = "." if base == "offline_bandit" else "d4rl_loco"
    for key, values in SWEEPS[sweep].items():
        for value in values.split(","):
            config = load_config(f"{domain}/{base}", [f"+sweep={sweep}", f"{key}={value}"])
            group, name = key.split(".")
            assert getattr(getattr(config, group), name) == float(value)


def test_tied_rates_move_together():
    config = load_config("pendulum/base", ["+sweep=rates", "train.critic_enc_lr=3e-7"])
    assert config.train.critic_enc_lr == config.train.actor_enc_lr == 3e-7
    config = load_config("pendulum/base_markov", ["+sweep=markov_rates", "train.critic_lr=3e-7"])
    assert config.train.critic_lr == config.train.actor_lr == 3e-7


def test_a_sweep_without_its_jobs_or_of_another_agent_is_refused():
    known = known_keys(BanditConfig)
    check_sweep(["-m", "+sweep=enc_lr"], known)
    check_sweep(["--cfg", "job", "+sweep=enc_lr"], known)
    with pytest.raises(UserError, match=r"\+sweep=enc_lr runs one job for each .*: add -m"):
        check_sweep(["+sweep=enc_lr"], known)
    with pytest.raises(UserError, match=r"varies train\.critic_enc_lr, .* enc_lr$"):
        check_sweep(["-m", "+sweep=rates"], known)


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

    assert "add -m" in fail(tmp_path, "offline_bandit.py", "+sweep=enc_lr")
    values = SWEEPS["penalty_coef"]["collect.penalty_coef"].split(",")
    assert jobs() == [f"collect.penalty_coef={value}" for value in values]
    assert jobs("collect.penalty_coef=0.3,0.7") == [
        "collect.penalty_coef=0.3",
        "collect.penalty_coef=0.7",
    ]
