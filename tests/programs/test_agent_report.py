"""Reports on agents whose environments or runs are at fault, and what a report leaves."""

import csv
import json

import equinox as eqx
import jax
import numpy as np
import pytest
from omegaconf import OmegaConf

from harness.configuration.composition import load_config
from harness.errors import UserError
from online_rl.builders import markov_agent
from programs.agent_files import save_agent
from programs.agent_report import report_agent


@pytest.fixture
def make_run(tmp_path):
    """A function that makes a run's directory with a fresh agent, under more settings."""

    def make(*overrides):
        config = load_config("pendulum/base_markov", ["debug=true", "env.horizon=30", *overrides])
        run = tmp_path / "run"
        run.mkdir()
        OmegaConf.save(OmegaConf.structured(config), run / "config.yaml")
        agent = markov_agent(config, 3, 1)
        save_agent(run / "agent", agent, eqx.filter_jit(agent.init)(jax.random.key(0)))
        return run

    return make


def faulty(fault, late):
    kwargs = f"{{fault: {fault}, late: {late}}}"
    return "env.id=tests.experience.real.faulty:Faulty-v0", f"+env.kwargs={kwargs}"


def test_a_report_is_a_record_a_table_and_a_picture(make_run, capsys):
    run = make_run()
    path = report_agent(run, copies=5, seed=3)
    record = json.loads(path.read_text())
    with open(run / "episodes.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    returns = np.array([float(line["return"]) for line in lines])
    scores = np.array([float(line["score_x100"]) for line in lines])
    assert len(lines) == len({line["seed"] for line in lines}) == 5
    assert {(line["episode"], line["length"], line["end"]) for line in lines} == {
        ("0", "30", "timeout")
    }
    for protocol in ("reference_protocol", "one_episode_per_environment"):
        of = record[protocol]
        assert of["return_mean"] == pytest.approx(returns.mean())
        assert 100 * of["score"] == pytest.approx(scores.mean())
        low, high = of["score_interval"]
        assert scores.min() / 100 <= low < of["score"] < high <= scores.max() / 100
        assert of["return_interval"][0] < of["return_mean"] < of["return_interval"][1]
    told = capsys.readouterr().out
    assert f"{100 * of['score']:.1f} [{100 * low:.1f}, {100 * high:.1f}]" in told
    assert (run / "plots/returns.png").read_bytes().startswith(b"\x89PNG")


def test_a_single_environment_has_no_interval(make_run, capsys):
    record = json.loads(report_agent(make_run(), copies=1, seed=0).read_text())
    assert record["reference_protocol"]["score_interval"] is None
    assert "95 % interval" in capsys.readouterr().out


def test_a_return_that_is_no_number_is_named_and_nothing_is_written(make_run):
    run = make_run(*faulty("reward", 4))
    with pytest.raises(UserError, match="Faulty-v0 returned the reward nan at step 4"):
        report_agent(run, copies=2, seed=0)
    assert sorted(path.name for path in run.iterdir()) == ["agent", "config.yaml"]


def test_a_bandit_run_is_no_such_run(tmp_path):
    config = load_config("offline_bandit", ["debug=true"])
    OmegaConf.save(OmegaConf.structured(config), tmp_path / "config.yaml")
    with pytest.raises(UserError, match="give the directory of a run of offline_cont.py or"):
        report_agent(tmp_path, copies=None, seed=0)
