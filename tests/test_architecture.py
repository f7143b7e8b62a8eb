"""The house rules that a machine can check: who imports whom, what loads when, and how long a module may be."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "kanpde"

# A room (a module, or a package such as optimizers/) imports only from the floors below its own.
FLOORS = (
    {"arguments", "functions", "jets", "domains", "edges", "hdf5", "notation", "provenance", "trainable"},
    {"law_files", "tables", "version_files"},
    {"science"},
    {"results"},
    {"drawing", "law_reports"},
    {"bases", "fields", "data_figures", "reports"},  # figures draws from results alone: any figure can be redrawn without retraining
    {"calls", "primitives", "figures", "initial", "landscape_figures", "retention_figures", "scaling", "splits"},
    {"network", "conditions", "callbacks", "collapse_figures", "structure", "symbols", "edgesums", "synthetic", "metrics"},
    {"compiled", "wiring", "datasets"},
    {"layer"},
    {"kan", "mlp", "separable", "tensor", "wrapped", "pieces", "checks"},
    {"ansatz", "agreement", "architecture", "augmented", "snapshots"},
    {"problem", "similarity"},
    {"blocks", "interpret", "penalties", "settings", "network_files", "version_comparison"},
    {"objective", "editing"},
    {"joined"},
    {"measures", "penalised", "solution", "supervised", "uncertainty", "versions"},
    {"optimizers", "symbolic", "sampling", "slabs"},
    {"search"},
    {"changes"},
    {"schedule"},
    {"starts"},
    {"training", "objections", "version_keeping"},
    {"checkpoints"},
    {"experiment"},
    {"bootstrap", "continual", "discovery", "growth", "problem_files", "simulated"},
    {"relations"},
    {"cli"},
)
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}

OWNERS = {
    "h5py": {"hdf5", "results", "conditions"},
    "matplotlib": {"collapse_figures", "data_figures", "drawing", "figures", "landscape_figures", "retention_figures", "scaling"},
    "sympy": {"discovery", "functions", "symbolic"},
}
SLOW_TO_LOAD = ("matplotlib", "h5py", "sympy", "scipy.stats", "tqdm")
LONGEST = 400

MODULES = sorted(PACKAGE.rglob("*.py"))
each_module = pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))


def room_of(path: Path, package: Path = PACKAGE) -> str:
    """The room that a file belongs to: "kan" for kan.py, "optimizers" for optimizers/adam.py, "" for the table of contents."""
    first = path.relative_to(package).with_suffix("").parts[0]
    return "" if first == "__init__" else first


def imports(path: Path, package: Path = PACKAGE) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything that a file imports, wherever in the file: ``from a.b import c`` gives "a.b.c"."""
    inside = (package.name, *path.relative_to(package).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = inside[: len(inside) + 1 - node.level] if node.level else ()
            origin = (*start, *([node.module] if node.module else []))
            yield from ((node.lineno, ".".join((*origin, alias.name))) for alias in node.names)


def climbs(path: Path, package: Path = PACKAGE, floor_of: dict[str, int] = FLOOR_OF) -> list[str]:
    """The imports of a file that do not go down."""
    room, found = room_of(path, package), []
    for line, name in imports(path, package):
        origin, *inner = name.split(".")
        if origin != package.name or inner == ["__version__"] or inner[:1] == [room]:
            continue
        where = f"{path.relative_to(package)}:{line} imports {name}"
        if not inner or inner[0] not in floor_of:
            found.append(f"{where}, which has no floor: import from the module that defines it, not from {package.name}/__init__.py")
        elif floor_of[inner[0]] >= floor_of[room]:
            found.append(f"{where}: {inner[0]} is on floor {floor_of[inner[0]]}, {room} itself on {floor_of[room]}")
    return found


def test_every_module_has_its_floor():
    rooms = {room_of(path) for path in MODULES} - {""}
    new, gone = sorted(rooms - set(FLOOR_OF)), sorted(set(FLOOR_OF) - rooms)
    assert not new, f"place {', '.join(new)} on a floor: add to FLOORS in tests/test_architecture.py, just above its imports"
    assert not gone, f"FLOORS in tests/test_architecture.py lists {', '.join(gone)}, which kanpde/ does not have"
    assert len(FLOOR_OF) == sum(map(len, FLOORS)), "a room is on two floors"


@pytest.mark.parametrize("path", [path for path in MODULES if room_of(path)], ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path):
    if room_of(path) in FLOOR_OF:
        assert not (found := climbs(path)), "\n".join(found)


@pytest.mark.parametrize(
    ("file", "line", "allowed"),
    [
        ("middle.py", "from kanpde.low import f", True),
        ("middle.py", "def f():\n    from kanpde.high.part import g", False),
        ("middle.py", "import kanpde.beside", False),  # the same floor
        ("middle.py", "from . import high", False),
        ("middle.py", "from .low import f", True),
        ("middle.py", "from kanpde import KAN", False),
        ("middle.py", "import kanpde", False),
        ("middle.py", "from kanpde import __version__", True),
        ("high/part.py", "from .other import g", True),
        ("high/part.py", "from ..middle import f", True),
        ("high/part.py", "from ..top import f", False),
        ("high/part.py", "from kanpde.top import f", False),
    ],
)
def test_the_walk_sees_every_way_to_import(tmp_path, file, line, allowed):
    path = tmp_path / "kanpde" / file
    path.parent.mkdir(parents=True)
    path.write_text(line)
    floor_of = {"low": 0, "middle": 1, "beside": 1, "high": 2, "top": 3}
    assert (climbs(path, tmp_path / "kanpde", floor_of) == []) is allowed


@each_module
def test_each_library_has_its_owner(path):
    for line, name in imports(path):
        library = name.split(".")[0]
        owners = OWNERS.get(library, {room_of(path)})
        assert room_of(path) in owners, f"{path.name}:{line} imports {name}; only {', '.join(sorted(owners))} may do so"


@each_module
def test_modules_are_short_and_quiet(path):
    text = path.read_text(encoding="utf-8")
    length = text.count("\n")
    assert length <= LONGEST, f"{path.name} has {length} lines; split it, {LONGEST} are the limit"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"{path.name}:{node.lineno} has a bare except: name what it catches"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            assert room_of(path) == "cli", f'{path.name}:{node.lineno} prints; below cli.py, log to logging.getLogger("kanpde")'


def test_importing_kanpde_loads_no_slow_library():
    # torch itself loads tqdm
    program = f"import sys, torch; b = set(sys.modules); import kanpde; print(*(set({SLOW_TO_LOAD}) & (set(sys.modules) - b)))"
    done = subprocess.run([sys.executable, "-c", program], cwd=PACKAGE.parent, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [], f"`import kanpde` loads {done.stdout.strip()}: import it in the function that needs it"
