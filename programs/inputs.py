"""What a run in a world model learns from besides its settings: its data, and the rule that ends
its imagined episodes."""

from collections.abc import Callable

from experience.data.dataset import Dataset, data_file, load_dataset
from experience.tasks import Task, get_task
from harness.configuration.schema import ContinuousConfig
from harness.errors import UserError
from harness.named_function import function_file
from harness.run.inputs import Input


def inputs_of(task: Task, dataset: Dataset) -> list[Input]:
    """Those of a task whose data are loaded."""
    return _inputs(task, lambda: dataset.digest)


def present_inputs(config: ContinuousConfig) -> list[Input]:
    """Those of a configuration as they are now, whose data are loaded only if their digest is asked
    for; none where they are gone."""
    try:
        task = get_task(config.domain, config.dataset_name, config.env)
        found = _inputs(task, lambda: load_dataset(task).digest)
    except UserError:
        return []
    # loading would make the embedded task's data anew
    is_gone = (file := data_file(task)) is not None and not file.is_file()
    return found[1:] if is_gone else found


def _inputs(task: Task, digest: Callable[[], str]) -> list[Input]:
    inputs = [Input("dataset", data_file(task) or task.dataset_path or task.dataset_name, digest)]
    if task.termination not in (None, "never"):
        file = function_file("env.termination", task.termination)
        inputs.append(Input.file(file, "env.termination"))
    return inputs
