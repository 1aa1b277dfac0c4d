"""`~` and every kind of character in the keys that are paths, through the real command."""

import shutil

import pytest

from tests.cli.in_process import fail, run, succeed
from tests.cli.test_data import OWN, sound, write
from tests.cli.tiny import AGENT, MODEL, RUN, WORLD

SHORT = (*AGENT, "train.grad_steps=4", "eval.times=1", "ensemble.save_dir=~/my models")


@pytest.fixture
def home(trained, tmp_path):
    """A home folder with a world model and an agent in it."""
    shutil.copytree((trained / MODEL).parent, tmp_path / "my models" / "pendulum-random-v1")
    shutil.copytree(trained / RUN / "seed0/agent", tmp_path / "my agent")
    return tmp_path


def test_runs_agents_and_world_models_are_found_and_kept_at_home(home, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    keys = ("run_root=~/my runs", "load_agent_path=~/my agent", "save_agent=true")
    told = succeed(
        *(tmp_path / "elsewhere", "offline_cont.py", *SHORT, *keys),
        *("save_agent_root=~/kept (1)",),
        HOME=str(home),
    )
    assert f"run {home}/my runs/offline_cont/pendulum-random-v1/" in told
    for root in ("my runs", "kept (1)"):
        assert len(list(home.glob(f"{root}/offline_cont/pendulum-random-v1/*/seed0"))) == 1
    # the embedded task's data, and no folder that is called ~
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["offline_world"]


def test_own_data_at_home_and_a_run_of_its_own(tmp_path):
    write(tmp_path / "größe=1, (a).hdf5", sound())
    (tmp_path / "elsewhere").mkdir()
    own = ("env.dataset_path=~/größe=1, (a).hdf5", "run_dir=~/run", "ensemble.save_dir=~/models")
    folder = tmp_path / "elsewhere"
    model = ("offline_world/cont_ensemble.py", *OWN, "ensemble.total_epochs=1")
    told = succeed(folder, *model, *own, HOME=str(tmp_path))
    assert f"world model {tmp_path}/models/mine/ensemble_seed0.eqx" in told
    assert (tmp_path / "run/finished.json").exists() and list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["a b", "a=b", "a,b", "a(b)", "größe", "it's", "a:b", "[a]", "{a}", "a#b", "x~"]
)
def test_every_kind_of_character_in_a_path(tmp_path, name):
    """What Hydra would read as its own grammar is the name of a file that is not there."""
    for key, words in (
        ("load_agent_path", "does not exist or is no folder"),
        ("env.dataset_path", f"({name}) does not exist"),
    ):
        task = OWN[2:] if key == "env.dataset_path" else AGENT[2:]
        configs = "custom" if key == "env.dataset_path" else "pendulum"
        start = (f"--config-path=configs/{configs}", "--config-name=base")
        told = fail(tmp_path, "offline_cont.py", *start, *task, f"{key}={name}")
        assert name in told and words in told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", ["a b(c", "~1", "größe", "(1)", "a=b"])
def test_other_values_show_their_quoted_form(tmp_path, value):
    result = run(tmp_path, "offline_cont.py", *AGENT, f"train.utd={value}")
    assert result.returncode == 2, result.stdout
    assert f"'train.utd=\"{value}\"'" in result.stderr
    # which Hydra reads
    again = fail(tmp_path, "offline_cont.py", *AGENT, f'train.utd="{value}"')
    assert "train.utd" in again and "quoted" not in again


def test_the_world_model_s_words_are_taken_as_they_are(tmp_path):
    told = fail(tmp_path, "offline_world/cont_ensemble.py", *WORLD, "dataset_name=größe (2)")
    assert "größe (2)" in told
    assert list(tmp_path.iterdir()) == []
