"""The project's own files agree with each other."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
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
    targets = re.findall(r"^(?:exec )?make (.+)$", script.read_text(), re.MULTILINE)
    assert targets == ["test COUNTED=--cov", "test-slow"]
    # these tests may run below make themselves, which would then tell its folder last
    command = ["make", "-n", "--no-print-directory", *" ".join(targets).split()]
    rehearsal = subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout
    for step in ("ruff check", "ruff format --check", "pyright"):
        assert step in rehearsal
    fast, slow = (line for line in rehearsal.splitlines() if " -m pytest" in line)
    assert " -m pytest -n 2 --dist loadfile" in fast and fast.endswith(" --cov")
    assert " -m pytest -m " in slow and "slow" in slow


def test_an_install_away_from_the_checkout_is_refused(tmp_path):
    """Rooms named `memory` or `neorl` must not land among a user's packages."""
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, tmp_path)
    refusal = subprocess.run(
        [sys.executable, "setup.py", "bdist_wheel"], cwd=tmp_path, capture_output=True, text=True
    )
    assert refusal.returncode == 1
    assert refusal.stderr.startswith("neubay-jax runs from its checkout")
    assert "`pip install -e .`" in refusal.stderr and not (tmp_path / "dist").exists()
    # what an editable install asks for
    described = subprocess.run(
        [sys.executable, "setup.py", "--version"], cwd=tmp_path, capture_output=True, text=True
    )
    assert described.returncode == 0


def test_the_front_door_is_short():
    assert len((REPOSITORY / "README.md").read_text().splitlines()) <= 200


def test_versions_agree():
    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    assert citation["version"] == version
    newest = re.search(r"^## (\S+)", (REPOSITORY / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None and newest[1] == version


def test_every_hook_before_a_commit_is_a_tool_of_make_lint():
    hooks = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text())
    entries = [hook["entry"] for repo in hooks["repos"] for hook in repo["hooks"]]
    makefile = (REPOSITORY / "Makefile").read_text()
    for entry in entries:
        assert entry.split()[0] in makefile


def _prose(page: Path) -> str:
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def test_links_between_pages_lead_somewhere():
    pages = [
        *REPOSITORY.glob("*.md"),
        *REPOSITORY.glob("docs/*.md"),
        *REPOSITORY.glob("results/**/*.md"),
    ]
    assert len(pages) > 8
    for page in pages:
        for link in re.findall(r"\]\(([\w./:-]+)[)#]", _prose(page)):
            assert "://" in link or (page.parent / link).exists(), f"{page.name} → {link}"


def test_a_file_has_one_subject_and_at_most_250_lines():
    folders = (f for f in REPOSITORY.iterdir() if f.is_dir() and f.name[0] != ".")
    files = [file for folder in folders if folder.name != "tests" for file in folder.rglob("*.py")]
    lengths = {
        str(file.relative_to(REPOSITORY)): len(file.read_text().splitlines())
        for file in (*files, *REPOSITORY.glob("*.py"))
    }
    assert len(files) > 100
    assert {name: length for name, length in lengths.items() if length > 250} == {}


def test_records_of_more_than_three_fields_are_made_by_keyword():
    """Two fields of one type, given in the wrong order, pass every other check.

    A starred argument is as many as the record has fields.
    """
    command = ["git", "ls-files", "-co", "--exclude-standard", "*.py", ":!tests"]
    files = subprocess.check_output(command, cwd=REPOSITORY, text=True).split()
    trees = {
        file: ast.parse((REPOSITORY / file).read_text())
        for file in files
        if (REPOSITORY / file).exists()
    }
    nodes = [node for tree in trees.values() for node in ast.walk(tree)]
    classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
    # others are made from what their own signature names
    records = {
        record.name: sum(isinstance(field, ast.AnnAssign) for field in record.body)
        for record in classes
        if all(getattr(one, "name", "") != "__init__" for one in record.body)
    }
    by_position = [
        f"{file}:{call.lineno}"
        for file, tree in trees.items()
        for call, record in _calls(tree)
        if record in records and _by_position(call, records[record]) > 3
    ]
    assert len(records) > 50 and by_position == [], by_position


def _calls(node: ast.AST, record: str = "") -> Iterator[tuple[ast.Call, str]]:
    """Every call with the last name of what is called; `cls` is the `record` that it stands in."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call):
            called = ast.unparse(child.func).split(".")[-1]
            yield child, record if called == "cls" else called
        yield from _calls(child, child.name if isinstance(child, ast.ClassDef) else record)


def _by_position(call: ast.Call, fields: int) -> int:
    """How many of the record's `fields` the call gives without their names."""
    is_starred = any(isinstance(argument, ast.Starred) for argument in call.args)
    return fields if is_starred else len(call.args)
