"""docs/method.md and the code name each other: every equation its functions, they the equation."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "method.md").read_text()
ARROW = re.compile(r"^→ (.+)$", re.MULTILINE)
CITATION = re.compile(r"\beqs?\. (\d+(?:(?:,|\s+and|\s+to)\s+(?:and )?\d+)*)")


def equations() -> dict[int, list[tuple[Path, str]]]:
    """Per number the (file, dotted name) that the page says it is computed by."""
    found = {}
    for part in re.split(r"(?=\\tag\{)", PAGE)[1:]:
        number = int(re.match(r"\\tag\{(\d+)\}", part)[1])
        assert number not in found, f"eq. {number} is there twice"
        arrow = ARROW.search(part)
        places = re.findall(r"`([\w/]+\.py)::([\w.]+)`", arrow[1]) if arrow else []
        found[number] = [(ROOT / file, name) for file, name in places]
    return found


EQUATIONS = equations()


def cited(text: str) -> set[int]:
    """The equations that a text cites; "eq. 3 to 5, 8" are 3, 4, 5 and 8."""
    numbers = set()
    for match in CITATION.finditer(text):
        for part in re.split(r",|and", match[1]):
            first, _, last = part.partition("to")
            if first.strip():
                numbers |= set(range(int(first), int(last or first) + 1))
    return numbers


def defined(file: Path) -> set[str]:
    """Dotted names of the functions, classes and methods in a file."""
    names = set()
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            inner = [n.name for n in node.body if isinstance(n, ast.FunctionDef)]
            names |= {f"{node.name}.{name}" for name in inner}
    return names


def test_citations_are_read():
    assert cited("(eq. 3)") == {3} and cited("eq. 9 to 11, 15 and 20 of") == {9, 10, 11, 15, 20}
    assert cited("eq. 40\n    to 42") == {40, 41, 42} and cited("seq. 4, equal 5") == set()


def test_equations_are_numbered_in_order():
    assert list(EQUATIONS) == list(range(1, len(EQUATIONS) + 1))
    assert cited(PAGE) <= EQUATIONS.keys()


@pytest.mark.parametrize("number", EQUATIONS)
def test_an_equation_names_functions_that_exist_and_cite_it(number):
    assert EQUATIONS[number], f"eq. {number} names no function"
    for file, name in EQUATIONS[number]:
        assert name in defined(file), f"eq. {number}: {file} has no {name}"
        assert number in cited(file.read_text()), f"{file} does not cite eq. {number}"


def test_every_citation_in_the_code_has_its_equation():
    for file in sorted(ROOT.glob("[!.]*/**/*.py")) + sorted(ROOT.glob("*.py")):
        if ".venv" in file.parts or file == Path(__file__):
            continue
        text = file.read_text()
        assert cited(text) <= EQUATIONS.keys(), file
        assert not re.search(r"\bspec (\d|\S+\.md)", text), f"{file} cites what is not here"
