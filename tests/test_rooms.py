"""The house rules that a machine can hold: a room imports only rooms above it, few files may
print, few may import what is heavy, and a public name stands once.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from subprocess import run

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "handcraft"
FILES = sorted(
    path
    for path in PACKAGE.rglob("*.py")
    if path.name not in ("__init__.py", "__main__.py") or path.parent != PACKAGE
)
EXTRAS = {  # each imported in the one function that needs it, with an error that names the extra
    *("automata", "networkx", "numba", "joblib", "dask", "ray"),
    *("tokenizers", "array_api_compat", "torch", "transformer_lens"),
    "transformers",  # comes with transformer_lens
    *("onnx", "onnxruntime", "gguf", "jax", "optax"),
}
UPWARD = {
    ("program", "model"),  # `program.build()`, for the author's comfort
    # what notebooks show of a program, a model and its trace
    *(("program", "pictures"), ("model", "pictures")),
    ("model", "results"),  # `model.view()`
    ("rasp", "lowering"),  # `rasp.compile_rasp_to_model`, where its users look
}
DRAWING = {  # the files of results/ that may import rich
    *("tables.py", "model_tables.py", "verdict_tables.py", "state_tables.py"),
    *("blame_tables.py", "comparison_tables.py", "reading_tables.py"),
}
SHARED = {  # names that stand in several modules, since they mean the same thing there
    # what the prover finds and the checker finds anew
    *("Domain", "HeadQuery", "Memory", "Network", "OUT", "PositionStates"),
    *("Steps", "UP", "Values", "Zonotope", "grid", "pairs_of"),
    # what every runtime offers
    *("RUNTIME", "files", "run", "state_dict", "usage"),
    # a word of the language, and the recipe that computes it
    "mean",
    # commands, named as they are typed, and what they call
    *(
        "circuit",
        "explain",
        "export",
        "read",
        "states",
        "suite",
        "trace",
        "train",
    ),
    "verify",
    "view",
    "write",
    "compare",  # of two models, and the recipe of two values
    "evaluate",  # the meaning of claims, and of RASP, causal or not
}


def room(path: Path) -> str:
    """The folder in handcraft/ where a file is, or the file itself where it is a room."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def rooms() -> list[str]:
    """The rooms of CONTRIBUTING.md's tree, from its first line to its last."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    tree = re.search(r"```text\nhandcraft/\n(.+?)```", text, re.DOTALL)
    assert tree
    names = re.findall(r"^  (\w\S*)", tree[1], re.MULTILINE)
    return [name.removesuffix("/").removesuffix(".py") for name in names]


ROOMS = {room(path) for path in FILES}


@cache
def parsed(path: Path) -> tuple[ast.AST, ...]:
    """Every node of a file, wherever in it."""
    return tuple(ast.walk(ast.parse(path.read_text())))


@cache
def imports(path: Path) -> frozenset[str]:
    """Every module that a file imports, wherever in the file."""
    return frozenset(_imports(path))


def _imports(path: Path) -> Iterator[str]:
    for node in parsed(path):
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            own = module == "handcraft" or module.startswith("handcraft.")
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names if own)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def own_imports(path: Path) -> set[str]:
    """The rooms of handcraft that a file imports."""
    parts = (module.split(".") for module in imports(path))
    found = {
        part[1] for part in parts if part[0] == "handcraft" and len(part) > 1
    }
    return found & ROOMS


def arrows() -> set[tuple[str, str]]:
    """From each room to each other one that it imports."""
    pairs = {(room(path), name) for path in FILES for name in own_imports(path)}
    return {(a, b) for a, b in pairs if a != b}


def module(path: Path) -> str:
    """A file's name where it is imported."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def public_names(path: Path) -> Iterator[str]:
    """What a module defines at its top level without an underscore."""
    for node in parsed(path)[0].body:  # type: ignore[attr-defined]
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Assign):
            parts = [
                part for target in node.targets for part in ast.walk(target)
            ]
            names = [part.id for part in parts if isinstance(part, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(
            node.target, ast.Name
        ):
            names = [node.target.id]
        else:
            names = []
        yield from (name for name in names if not name.startswith("_"))


def test_a_public_name_stands_once() -> None:
    """Whoever searches for a name finds one definition, but for those that mean the same. The
    names of rasp/ are another language's, with a door of their own: they stand once in it.
    """
    homes = defaultdict(set)
    for path in FILES:
        for name in public_names(path):
            homes[name, room(path) == "rasp"].add(path)
    shared = {name for (name, _), found in homes.items() if len(found) > 1}
    assert shared == SHARED


def test_the_tree_names_every_room_once() -> None:
    """CONTRIBUTING's tree is complete: a reader finds every room in it, and no other."""
    assert sorted(rooms()) == sorted(ROOMS)


def test_the_house_is_read_at_a_glance() -> None:
    """`ls handcraft/` has at most 23 entries, and at most 110 arrows lead between them. Training is
    the 23rd, a room of its own: it asks claims what is right, as proof/ does, and stands below it;
    and what it makes is read, compared and drawn by rooms that know nothing of a gradient.
    """
    assert len([p for p in PACKAGE.iterdir() if p.name != "__pycache__"]) <= 23
    assert len(arrows()) <= 110


@pytest.mark.parametrize(
    "path", FILES, ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_a_room_imports_only_rooms_above_it(path: Path) -> None:
    """A file imports from its own room and from those that stand above it in the tree."""
    order, own = rooms(), room(path)
    above = {
        *order[: order.index(own)],
        own,
        *(b for a, b in UPWARD if a == own),
    }
    assert own_imports(path) <= above


def test_no_import_cycle_inside_a_room() -> None:
    """Within recipes/, proof/ and the like the imports form no circle either."""
    graph = {module(p): imports(p) for p in FILES if p.parent != PACKAGE}
    done: set[str] = set()
    while ready := {
        name
        for name in set(graph) - done
        if graph[name] & set(graph) <= done | {name}
    }:
        done |= ready
    assert done == set(graph)


def test_the_forward_pass_never_imports_the_language() -> None:
    """What computes logits knows core/ only, so that checking a program is not circular."""
    core = [path for path in FILES if room(path) == "core"]
    trie = PACKAGE / "proof" / "enumerate" / "trie.py"
    assert all(own_imports(path) <= {"core"} for path in [*core, trie])
    gpt2 = [
        name
        for name in imports(PACKAGE / "core" / "gpt2.py")
        if "handcraft" in name
    ]
    assert all(name.startswith("handcraft.core.errors") for name in gpt2)


def test_rasp_needs_core_alone() -> None:
    """RASP evaluates itself: its room imports nothing of handcraft but core/, and its door the
    compiler where that is asked for.
    """
    rasp = {path.name: path for path in FILES if room(path) == "rasp"}
    assert rasp
    door = rasp.pop("__init__.py")
    assert own_imports(door) <= {"core", "rasp", "lowering"}
    assert all(own_imports(path) <= {"core", "rasp"} for path in rasp.values())


def test_rasp_imports_no_compiler_until_it_is_asked_for() -> None:
    """Whoever evaluates RASP has core/ and rasp/ in memory, and no other room."""
    asked = "import sys; from handcraft import rasp; rasp.tokens('ab'); print(*sys.modules)"
    modules = run(
        [sys.executable, "-c", asked],
        check=True,
        capture_output=True,
        text=True,
    )
    own = [m.split(".") for m in modules.stdout.split()]
    found = {part[1] for part in own if part[0] == "handcraft" and part[1:]}
    assert found == {"core", "rasp"}


@pytest.mark.parametrize("folder", ["checker", "enumerate"])
def test_neither_checker_nor_enumeration_imports_the_prover(
    folder: str,
) -> None:
    """What judges a proof, and what asks every context, does not know how proofs are found."""
    for path in (PACKAGE / "proof" / folder).glob("*.py"):
        assert not any(
            m.startswith("handcraft.proof.prover") for m in imports(path)
        )


def test_only_the_command_line_prints_and_only_the_rendering_imports_rich() -> (
    None
):
    """The call print stands in cli/ alone, rich in the files of results/ that draw tables."""
    for path in FILES:
        tree = parsed(path)
        calls = [node.func for node in tree if isinstance(node, ast.Call)]
        names = {func.id for func in calls if isinstance(func, ast.Name)}
        assert "print" not in names or room(path) == "cli", path
        uses_rich = any(name.split(".")[0] == "rich" for name in imports(path))
        draws = room(path) == "results" and path.name in DRAWING
        assert draws or not uses_rich, path


def test_no_assert_guards_a_users_input() -> None:
    """The package raises its own errors: an assert would vanish under `python -O`."""
    for path in FILES:
        tree = parsed(path)
        assert not any(isinstance(node, ast.Assert) for node in tree), path


def test_core_dependencies_stay_few() -> None:
    """Outside the standard library the package imports its six dependencies, and extras only
    where they are asked for.
    """
    six = {"numpy", "pydantic", "rich", "hypothesis", "typer", "safetensors"}
    own = {
        "handcraft",
        "__future__",
        "pydantic_core",
    }  # the last comes with pydantic
    allowed = six | own | EXTRAS | sys.stdlib_module_names
    for path in FILES:
        assert {name.split(".")[0] for name in imports(path)} <= allowed, path
