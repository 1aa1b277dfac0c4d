"""The recipes of docs/extending.md, applied to a copy of the project and run there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "extending.md").read_text()
CHANGE = re.compile(
    r"^\*\*`([\w/.]+)`\*\*(?: \(new\))?\n\n```(diff|python)\n(.*?)^```", re.M | re.S
)
TRY = re.compile(r"^Try it:\n\n```python\n(.*?)^```", re.M | re.S)
#: What existing tests must say, unedited, of a project with all recipes in it.
UNEDITED = [
    "tests/memory/test_memories.py",
    "tests/offline_world/test_modules.py::test_matches_the_published_model",
    "tests/harness/configuration/test_validation.py::test_a_mistake_is_told_in_one_sentence",
]
OF_THEM = "average or no_ln or unc_type or kind or recipes"


class Recipe(NamedTuple):
    title: str
    #: (file, "diff" or "python" for a whole new one, text)
    changes: list[tuple[str, str, str]]
    proof: str


def recipes() -> list[Recipe]:
    parts = re.split(r"^## (.+)$", PAGE, flags=re.M)[1:]
    pages = zip(parts[::2], parts[1::2], strict=True)
    return [
        Recipe(title, CHANGE.findall(text), TRY.findall(text)[0])
        for title, text in pages
        if TRY.search(text)
    ]


RECIPES = recipes()


def change(file: Path, kind: str, text: str) -> None:
    """Write a new file, or replace in it what each hunk says, which must be there once."""
    if kind == "python":
        assert not file.exists(), f"{file} is said to be new"
        file.write_text(text)
        return
    content = file.read_text()
    for hunk in text.split("@@\n"):
        lines = [(line[:1] or " ", line[1:]) for line in hunk.splitlines(keepends=True)]
        lines = [(" ", "\n") if line == ("\n", "") else line for line in lines]
        before = "".join(rest for sign, rest in lines if sign in " -")
        after = "".join(rest for sign, rest in lines if sign in " +")
        assert content.count(before) == 1, f"{file.name} has not this, or more than once:\n{before}"
        content = content.replace(before, after)
    file.write_text(content)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The project without its results and data, with all recipes applied."""
    folder = tmp_path_factory.mktemp("extended") / "project"
    rooms = [path.parent for path in ROOT.glob("[!.]*/__init__.py")] + [ROOT / "configs"]
    for room in rooms:
        left_out = shutil.ignore_patterns("__pycache__", "data", "ckpt", "engine")
        keep = None if room.name == "experience" else left_out
        shutil.copytree(room, folder / room.name, ignore=keep)
    shutil.copy(ROOT / "pyproject.toml", folder)
    for recipe in RECIPES:
        for file, kind, text in recipe.changes:
            change(folder / file, kind, text)
    return folder


def test_every_recipe_is_as_short_as_it_can_be():
    files = {recipe.title: len(recipe.changes) for recipe in RECIPES}
    assert files == {
        "A measure of uncertainty": 1,
        "A memory": 2,
        "A loss": 1,
        "A source of data": 2,
        "A place for figures": 2,
    }
    assert not [file for recipe in RECIPES for file, *_ in recipe.changes if "test" in file]


def test_recipes_do_what_they_say_and_break_nothing(copy):
    """In one process: starting five would cost each an import of JAX."""
    tests = (
        f"def test_recipes_{i}():\n" + "".join(f"    {line}" for line in r.proof.splitlines(True))
        for i, r in enumerate(RECIPES)
    )
    (copy / "tests" / "test_recipes.py").write_text("\n\n".join(tests))
    arguments = ["-q", "-n", "0", "-p", "no:cacheprovider", "-k", OF_THEM, "tests/test_recipes.py"]
    result = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments, *UNEDITED],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-1000:]
    # the recipes' own, and at least one of every other kind
    assert int(re.search(r"(\d+) passed", result.stdout)[1]) > len(RECIPES) + len(UNEDITED)


def test_recipes_are_written_as_the_project_is(copy):
    for command in (["check"], ["format", "--check"]):
        ruff = [
            sys.executable,
            "-m",
            "ruff",
            *command,
            "--no-cache",
            "--exclude",
            "tests",
            str(copy),
        ]
        result = subprocess.run(ruff, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout
