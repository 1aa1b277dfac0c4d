"""The project's own files agree with each other."""

import re
import subprocess
import tomllib
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[1]


def test_conda_and_pip_have_the_same_pins():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    conda = yaml.safe_load((REPOSITORY / "requirements.yml").read_text())
    *packages, pip = conda["dependencies"]
    assert conda["name"] == "neubay" and packages == ["python=3.11", "pip"]
    assert pip == {"pip": project["dependencies"]}


def test_make_says_what_a_machine_without_python_needs(tmp_path):
    # a copy: the real checkout has its virtual environment already
    (tmp_path / "Makefile").write_text((REPOSITORY / "Makefile").read_text())
    (tmp_path / "pyproject.toml").touch()
    result = subprocess.run(
        ["make", "demo", "PYTHON="], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode != 0
    assert "no Python 3.11 or 3.12 was found" in result.stderr
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []


def test_ci_runs_the_tests():
    script = REPOSITORY / ".ci/run"
    assert script.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", str(script)], check=True)
    targets = re.findall(r"^(?:exec )?make (\S+)$", script.read_text(), re.MULTILINE)
    assert targets == ["test", "test-slow"]
    # these tests may run below make themselves, which would then tell its folder last
    command = ["make", "-n", "--no-print-directory", *targets]
    rehearsal = subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout
    for step in ("ruff check", "ruff format --check", "pyright"):
        assert step in rehearsal
    *_, fast, slow = rehearsal.splitlines()
    assert fast.endswith(" -m pytest -n 2 --dist loadfile")
    assert slow.endswith(" -m pytest -m slow -n 2 --dist loadfile")
