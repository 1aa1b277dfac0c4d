"""Who may import whom, and what may not be needed before it is used."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = {
    "layers": set(),
    "catalogue": {"memory"},
    "memory": {"layers"},
    "offline_world": {"layers", "catalogue", "harness"},
    "online_rl": {"layers", "memory", "catalogue", "experience.observation", "harness"},
    "experience": {
        "offline_world.world",
        "offline_world.bandit_task",
        "catalogue",
        "neorl",
        "harness",
    },
    "neorl": {"harness"},
    "harness": {"catalogue"},
    "figures": {"experience", "offline_world.bandit_task", "catalogue", "harness"},
    "programs": {
        "layers",
        "memory",
        "catalogue",
        "offline_world",
        "online_rl",
        "experience",
        "neorl",
        "harness",
        "figures",
    },
}
ENTRY_SCRIPTS = {
    *(path.stem for path in ROOT.glob("*.py")),
    *(
        f"offline_world.{name}"
        for name in ("cont_ensemble", "bandit_ensemble", "bandit_data")
        if (ROOT / "offline_world" / f"{name}.py").exists()
    ),
}
HEAVY = {
    "gym",
    "d4rl",
    "mujoco",
    "mujoco_py",
    "wandb",
    "matplotlib",
    "h5py",
    "minari",
    "gymnasium",
    "imageio_ffmpeg",
}
#: Modules that are themselves imported only inside functions: each is an adapter of what it needs.
ADAPTERS = {
    "experience.engine.lookalike": {"mujoco"},
    "experience.engine.drawing": {"mujoco"},
    "experience.engine.inertia": {"mujoco"},
    "experience.engine.camera": {"mujoco"},
    "experience.engine.mjrl_env": {"mujoco_py", "gym"},
    "experience.engine.seeding": {"gym"},
    "experience.engine.gymnasium_adapter": {"gymnasium", "gym"},
}


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def room_modules() -> dict[str, Path]:
    files = (path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
    return {module_name(path): path for path in files}


MODULES = room_modules()
LIBRARY = {name: path for name, path in MODULES.items() if name not in ENTRY_SCRIPTS}


def imported(tree: ast.AST) -> Iterator[str]:
    """Full names of what the import statements of `tree` name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name their room"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def at_import_time(tree: ast.Module) -> Iterator[str]:
    """The imports that run when the module is imported: not those inside functions."""
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from imported(ast.Module([node], []))
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            pending += node.orelse
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            pending += ast.iter_child_nodes(node)


def is_within(name: str, module: str) -> bool:
    return name == module or name.startswith(module + ".")


def forbidden_arrows(source: str, module: str) -> list[str]:
    """Imports in `source` that the table does not have for `module`'s room."""
    room = module.split(".")[0]
    found = []
    for name in imported(ast.parse(source)):
        if any(is_within(name, script) for script in ENTRY_SCRIPTS):
            found.append(f"{module} → {name} (an entry script)")
        elif name.split(".")[0] in ROOMS.keys() - {room} and not any(
            is_within(name, allowed) for allowed in ROOMS[room]
        ):
            found.append(f"{module} → {name}")
    return found


def test_coverage_is_that_of_all_rooms():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert set(project["tool"]["coverage"]["run"]["source"]) == ROOMS.keys()


def test_no_arrow_that_the_table_does_not_have():
    assert len(LIBRARY) > 60
    arrows = (forbidden_arrows(path.read_text(), name) for name, path in LIBRARY.items())
    assert sum(arrows, []) == []


def test_a_wrong_arrow_would_be_seen():
    assert forbidden_arrows("from online_rl import sac", "memory.lru")
    assert forbidden_arrows("def f():\n    import programs.continuous", "harness.entry")
    assert forbidden_arrows("from offline_world.fit import fit", "experience.collector")
    assert forbidden_arrows("import offline_cont", "programs.continuous")
    assert not forbidden_arrows("from offline_world.world import World", "experience.collector")


def circle(arrows: dict[str, set[str]]) -> list[str]:
    """Modules that import each other in a ring, inside functions too; empty if there is none."""
    finished: set[str] = set()

    def visit(module: str, way: list[str]) -> list[str]:
        if module in way:
            return [*way[way.index(module) :], module]
        if module in finished:
            return []
        for other in sorted(arrows[module]):
            if ring := visit(other, [*way, module]):
                return ring
        finished.add(module)
        return []

    return next((ring for module in sorted(arrows) if (ring := visit(module, []))), [])


def module_arrows(sources: dict[str, str]) -> dict[str, set[str]]:
    """Which of the modules each one imports; `from a import b` means module a.b if there is one."""

    def target(name: str) -> str:
        return name if name in sources else name.rpartition(".")[0]

    return {
        module: {target(name) for name in imported(ast.parse(source))} & sources.keys() - {module}
        for module, source in sources.items()
    }


def test_no_modules_import_each_other_in_a_circle():
    sources = {name: path.read_text() for name, path in LIBRARY.items()}
    arrows = module_arrows(sources)
    assert sum(map(len, arrows.values())) > 300
    assert circle(arrows) == []


def sub_room(module: str) -> str:
    """harness.run for a module in it; a module at its room's top is its own."""
    room, inner, *others = module.split(".")
    return f"{room}.{inner}" if others else module


def test_no_sub_rooms_of_the_harness_import_each_other_in_a_circle():
    names = [name for name in LIBRARY if name.startswith("harness.")]
    arrows: dict[str, set[str]] = {sub_room(name): set() for name in names}
    for name, others in module_arrows({n: LIBRARY[n].read_text() for n in names}).items():
        arrows[sub_room(name)] |= {sub_room(other) for other in others} - {sub_room(name)}
    assert arrows["harness.run"] >= {"harness.configuration", "harness.errors"}
    assert circle(arrows) == []


def test_a_circle_would_be_seen():
    sources = {
        "a": "import b",
        "b": "def f():\n    from c import d",
        "c": "",
        "c.d": "from c.e import name",
        "c.e": "import a",
        "x": "import a",
    }
    assert circle(module_arrows(sources)) == ["a", "b", "c.d", "c.e", "a"]
    del sources["c.e"]
    assert circle(module_arrows(sources)) == []


@pytest.mark.parametrize("script", sorted(ENTRY_SCRIPTS))
def test_nobody_imports_an_entry_script(script):
    files = [*ROOT.glob("*.py"), *MODULES.values()]
    for path in files:
        names = imported(ast.parse(path.read_text()))
        assert not any(is_within(name, script) for name in names), path


def test_heavy_packages_are_imported_where_they_are_used():
    found = {}
    for name, path in LIBRARY.items():
        heavy = {n.split(".")[0] for n in at_import_time(ast.parse(path.read_text()))} & HEAVY
        if heavy - ADAPTERS.get(name, set()):
            found[name] = heavy
    assert found == {}


def test_adapters_are_imported_inside_functions_only():
    for name, path in LIBRARY.items():
        if name not in ADAPTERS:
            names = set(at_import_time(ast.parse(path.read_text())))
            assert not any(is_within(n, a) for n in names for a in ADAPTERS), name


#: What trains and imagines, once its settings are known.
CORE = ("layers", "memory", "catalogue", "offline_world", "online_rl", "experience")
BESIDE_CORE = (
    "harness.configuration.schema",
    "harness.saving.checkpoint",
    "programs.imagining",
)
SETTINGS = {"hydra", "omegaconf", "rliable"}


def assert_importable(names: Iterable[str], without: Iterable[str]) -> None:
    """All of `names` in a Python where the packages `without` cannot be found."""
    blocked = "".join(f"sys.modules[{name!r}] = None\n" for name in sorted(without))
    imports = f"for name in {[*names]!r}:\n    importlib.import_module(name)"
    code = f"import sys, importlib\n{blocked}{imports}"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def test_nothing_needs_simulators_and_plotting_to_be_imported():
    assert_importable((name for name in LIBRARY if name not in ADAPTERS), HEAVY)


def test_the_core_needs_no_configuration_system_either():
    rooms = (name for name in LIBRARY if name.split(".")[0] in CORE and name not in ADAPTERS)
    assert_importable((*rooms, *BESIDE_CORE), HEAVY | SETTINGS)
