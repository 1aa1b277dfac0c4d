"""Each file of configs/launcher is an option of hydra/launcher, wherever a configuration lies."""

from importlib.util import find_spec

import pytest
from hydra import compose, initialize_config_dir

from harness.checkout import CONFIG_ROOT
from harness.configuration.composition import load_config
from harness.errors import UserError

CONFIGS = ("d4rl_loco/base", "pendulum/base_markov", "custom/base", "offline_bandit")
PLUGINS = {"local": "joblib", "slurm": "submitit", "ray_jobs": "ray"}


@pytest.mark.parametrize("name", sorted(path.stem for path in (CONFIG_ROOT / "launcher").iterdir()))
def test_a_launcher_composes_everywhere_or_says_what_it_needs(name):
    if find_spec(f"hydra_plugins.hydra_{PLUGINS[name]}_launcher") is None:
        with pytest.raises(UserError, match=r"hydra/launcher=.* pip install -e '\.\[\w+\]'"):
            load_config(CONFIGS[0], [f"hydra/launcher={name}"])
        return
    for config in CONFIGS:
        path = CONFIG_ROOT / config
        with initialize_config_dir(str(path.parent), version_base="1.3"):
            composed = compose(path.name, [f"hydra/launcher={name}"], return_hydra_config=True)
        hydra = composed.hydra
        assert PLUGINS[name] in hydra.launcher._target_
        if name == "slurm":
            assert hydra.launcher.max_num_timeout > 0 and hydra.launcher.additional_parameters
        else:
            assert hydra.job.env_set.PJRT_NPROC == "1"
