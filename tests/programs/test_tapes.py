"""Every configuration's tape holds its longest episode whole; shorter ones are refused."""

import pytest

from experience.tasks import DATASETS, get_task
from harness.configuration.composition import load_config
from harness.errors import UserError
from offline_world.bandit_task import PULLS
from programs.training import require_whole_episodes

OWN = (
    *("dataset_name=mine", "env.id=Pendulum-v1", "env.dataset_path=a.hdf5"),
    *("env.ref_min=0", "env.ref_max=1"),
)


@pytest.mark.parametrize("debug", ["debug=false", "debug=true"])
@pytest.mark.parametrize("domain", DATASETS)
def test_published_configurations(domain, debug):
    config = load_config(f"{domain}/base", [debug])
    for name in DATASETS[domain]:
        require_whole_episodes(config, get_task(domain, name).horizon)


@pytest.mark.parametrize("debug", ["debug=false", "debug=true"])
def test_the_embedded_task_the_bandit_and_own_data(debug):
    require_whole_episodes(load_config("pendulum/base", [debug]), 200)
    require_whole_episodes(load_config("offline_bandit", [debug]), PULLS)
    require_whole_episodes(load_config("custom/base", [*OWN, "env.horizon=1023", debug]), 1023)


def test_debugging_long_episodes_of_own_data():
    config = load_config("custom/base", [*OWN, "env.horizon=5000", "debug=true"])
    require_whole_episodes(config, 5000)
    assert config.train.buffer_size >= config.train.batch_size == 5001


def test_tapes_that_would_cut_episodes_are_refused():
    config = load_config("custom/base", [*OWN, "env.horizon=1024"])
    words = "train.batch_size=1024 is shorter than an episode of 1024 steps, which takes 1025 rows"
    with pytest.raises(UserError, match=f"{words}.*batch_size=1025 or more, or a smaller env.hor"):
        require_whole_episodes(config, 1024)
    # an agent without memory draws single rows
    require_whole_episodes(load_config("custom/base_markov", [*OWN, "env.horizon=1024"]), 1024)
    with pytest.raises(UserError, match=r"train.batch_size=100 .* give train.batch_size=101 or m"):
        require_whole_episodes(load_config("offline_bandit", ["train.batch_size=100"]), PULLS)
