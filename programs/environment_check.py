"""The real environment of a task, tried and compared with its data before anything is trained."""

from experience.data.checks.actions import actions_unscaled
from experience.data.checks.lengths import shorter_time_limit
from experience.data.checks.verdict import judge
from experience.data.dataset import Dataset, check_dimensions
from experience.real.probe import probe
from experience.tasks import Task
from harness.configuration.schema import ContinuousConfig


def try_environment(config: ContinuousConfig, task: Task, dataset: Dataset) -> None:
    """Act a few times in the environment that `config` names.

    Raises UserError if it cannot be made or stepped, returns what is no number, or is not that of
    the dataset. Warns where own data seems to be in other units, or the horizon is another one.
    """
    found = probe(config.domain, config.dataset_name, config.env, config.engine)
    where = f"dataset {config.dataset_name}"
    check_dimensions(dataset, found.state_dim, found.action_dim, where)
    if task.is_published:
        return
    findings = actions_unscaled(dataset.actions, found.low, found.high)
    findings += shorter_time_limit(found.time_limit, task.horizon)
    judge(findings, where, published=False)
