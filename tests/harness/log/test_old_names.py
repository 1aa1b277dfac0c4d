"""Metrics of earlier versions, read under today's names."""

import json

from harness.log import metrics
from harness.log.metrics_file import MetricsFile, read_rows
from harness.log.old_names import RENAMED, RENAMED_BANDITS

OLD = {
    "step": 3,
    "count/env_steps": 40,
    "test_envs/score": 0.5,
    "test_envs/score_first": 0.25,
    "test_envs/return_mean": 7.0,
    "test_envs/return_mean_p0.99": 97.0,
    "test_envs/best_arm_rate_p0.3": 0.1,
    "train_envs/horizon_q50": 12.0,
    "agent/loss_q": 0.01,
}


def test_old_rows_have_todays_names(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text(json.dumps(OLD) + "\n")
    (row,) = read_rows(path)
    assert row == {
        "step": 3,
        metrics.ENV_STEPS: 40,
        metrics.SCORE: 0.5,
        metrics.SCORE_FIRST: 0.25,
        metrics.TEST_RETURN_MEAN: 7.0,
        metrics.bandit(metrics.TEST_RETURN_MEAN, 0.99): 97.0,
        metrics.bandit(metrics.BEST_ARM_RATE, 0.3): 0.1,
        metrics.HORIZON_Q50: 12.0,
        metrics.CRITIC_LOSS: 0.01,
    }
    # a run that goes on has one name for each thing in its file
    file = MetricsFile(path, resume_rows=1)
    file.log(4, {metrics.SCORE: 0.75})
    file.close()
    assert [r[metrics.SCORE] for r in read_rows(path)] == [0.5, 0.75]
    assert 'test_envs/score"' not in path.read_text()


def test_no_name_is_renamed_twice():
    todays = [value for name, value in vars(metrics).items() if name.isupper()]
    assert not {name for name in todays if isinstance(name, str)} & RENAMED.keys()
    assert len(set(RENAMED.values())) == len(RENAMED) and not RENAMED.keys() & set(RENAMED.values())
    assert len(set(RENAMED_BANDITS.values())) == len(RENAMED_BANDITS)
