"""The house rules that a machine can hold: imports point down, few may print, few may import
what is heavy.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "handcraft"
FILES = sorted(
    path
    for path in PACKAGE.rglob("*.py")
    if path.name not in ("__init__.py", "__main__.py") or path.parent != PACKAGE
)
# each imported inside the one function that needs it, with an error that names the extra
EXTRAS = {
    *("automata", "networkx", "numba", "joblib", "dask", "ray"),
    *(
        "tokenizers",
        "array_api_compat",
        "torch",
        "transformer_lens",
        "onnx",
        "onnxruntime",
        "gguf",
    ),
}
UPWARD = {("program", "model")}  # `program.build()`, for the author's comfort


def unit(path: Path) -> str:
    """The name of a file or package in the level table: `gpt2.py`, `proof/`."""
    top = path.relative_to(PACKAGE).parts[0]
    return top if top.endswith(".py") else f"{top}/"


def levels() -> dict[str, tuple[int, int]]:
    """The level table of CONTRIBUTING.md: the row of each file, and its place in the row."""
    rows = re.findall(
        r"^\| (\d+) \| (.+?) \|", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE
    )
    return {
        name: (int(level), i)
        for level, names in rows
        for i, name in enumerate(re.findall(r"`([^`]+)`", names))
    }


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            yield from (
                (f"handcraft.{alias.name}" for alias in node.names)
                if module == "handcraft"
                else (module,)
            )
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def own_imports(path: Path) -> Iterator[str]:
    """The files and packages of handcraft that a file imports."""
    for module in imports(path):
        if module.startswith("handcraft."):
            name = module.split(".")[1]
            yield f"{name}/" if (PACKAGE / name).is_dir() else f"{name}.py"


def test_the_level_table_names_every_file_once() -> None:
    """CONTRIBUTING's table is complete: a reader finds every file in it, and no file that is
    not there.
    """
    assert set(levels()) == {unit(path) for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    """A file imports only from lower levels, from the left of its own row, or from its own
    package.
    """
    table, own = levels(), unit(path)
    for name in own_imports(path):
        if (
            name != own
            and (own.removesuffix(".py"), name.removesuffix(".py")) not in UPWARD
        ):
            assert table[name] < table[own], (
                f"{path} imports {name}, which does not stand below it"
            )


def test_no_import_cycle_inside_a_package() -> None:
    """Within recipes/, proof/ and the like the imports form no circle either."""
    graph = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): set(imports(path))
        for path in FILES
        if path.parent != PACKAGE
    }
    done: set[str] = set()
    while ready := [
        name for name in graph if name not in done and graph[name] & set(graph) <= done
    ]:
        done.update(ready)
    assert done == set(graph)


def test_the_forward_pass_never_imports_the_language() -> None:
    """gpt2.py knows errors and NumPy only, so that checking a program with it is not circular."""
    assert set(own_imports(PACKAGE / "gpt2.py")) == {"errors.py"}
    assert set(own_imports(PACKAGE / "proof" / "enumeration.py")) == {
        "bounds.py",
        "gpt2.py",
    }
    assert set(own_imports(PACKAGE / "bounds.py")) == {"gpt2.py"}


def test_only_the_command_line_prints_and_only_the_rendering_imports_rich() -> None:
    """The call print stands in cli/ alone, rich in render.py and pictures.py alone."""
    for path in FILES:
        calls = [
            node.func
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call)
        ]
        prints = any(
            isinstance(func, ast.Name) and func.id == "print" for func in calls
        )
        assert not prints or unit(path) == "cli/", path
        uses_rich = any(module.split(".")[0] == "rich" for module in imports(path))
        assert not uses_rich or path.name in ("render.py", "pictures.py"), path


def test_no_assert_guards_a_users_input() -> None:
    """The package raises its own errors: an assert would vanish under `python -O`."""
    for path in FILES:
        assert not any(
            isinstance(node, ast.Assert)
            for node in ast.walk(ast.parse(path.read_text()))
        ), path


def test_core_dependencies_stay_few() -> None:
    """Outside the standard library the package imports its six dependencies, and extras only
    where they are asked for.
    """
    import sys

    allowed = {
        "numpy",
        "pydantic",
        "rich",
        "hypothesis",
        "typer",
        "safetensors",
        "handcraft",
        "__future__",
        *EXTRAS,
    }
    for path in FILES:
        foreign = (
            {module.split(".")[0] for module in imports(path)}
            - set(sys.stdlib_module_names)
            - allowed
        )
        assert not foreign, f"{path} imports {foreign}"
