"""Old names of modules: `handcraft.selections` still works, every other one says the new name."""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from cli_runner import process
from conftest import Refused, slow_from

import handcraft
from handcraft.core.moved import (
    DEPRECATED,
    MOVED,
    NEW_HOMES,
    install,
)

PACKAGES = ("proof.certificate",)  # of whose modules Python never asks
GONE = [
    old
    for old in MOVED
    if not old.startswith(PACKAGES) and f"handcraft.{old}" != DEPRECATED
]
WARNING = (
    "DeprecationWarning: handcraft.selections is now handcraft.sequence.words"
)


@pytest.mark.parametrize("new", sorted(MOVED.values()))
def test_every_new_name_is_there(new: str) -> None:
    """A message names no module that does not exist."""
    assert find_spec(f"handcraft.{new}")


@pytest.mark.parametrize("old", GONE)
def test_an_old_name_says_the_new_one(old: str) -> None:
    """Importing a module by its old name is an ImportError that says the new one."""
    with Refused(ImportError, f"handcraft.{old} is now handcraft.{MOVED[old]}"):
        importlib.import_module(f"handcraft.{old}")


@pytest.mark.parametrize(
    "old", [x for x in GONE if "." not in x and x not in handcraft.__all__]
)
def test_an_old_name_after_from_handcraft_says_the_new_one(old: str) -> None:
    """`from handcraft import gpt2` is told the same as `import handcraft.gpt2`."""
    with Refused(ImportError, f"handcraft.{old} is now handcraft.{MOVED[old]}"):
        exec(f"from handcraft import {old}")


@pytest.mark.parametrize("module", ["", ".recording", ".case"])
def test_an_old_package_names_its_modules_too(module: str) -> None:
    """Python asks for a package before its modules, so the package says the names of both."""
    with Refused(
        ImportError,
        "handcraft.proof.certificate is now handcraft.proof.prover; of its modules,"
        " aligned is transducer_case, averages is softmax, emissions is positions,"
        " pairs is pairwise, recording is recorder, rounding is zonotope, search is"
        " graph, trackers is selection_machines",
    ):
        importlib.import_module(f"handcraft.proof.certificate{module}")


def test_the_modules_of_an_old_package_are_in_the_new_one() -> None:
    """What the message says of the modules of a package is true: they are in the new package."""
    for package in PACKAGES:
        inner = [
            new for old, new in MOVED.items() if old.startswith(f"{package}.")
        ]
        assert all(new.startswith(f"{MOVED[package]}.") for new in inner)


@pytest.mark.parametrize("package", NEW_HOMES)
def test_an_old_name_in_a_package_says_the_new_one(package: str) -> None:
    """Where an old module's name is a package now, its public names say where they are, and are
    there.
    """
    for module, names in NEW_HOMES[package].items():
        home = f"{package}.{module}"
        for name in names.split():
            found = f"{package}.{name} is now {home}.{name}"
            with Refused(ImportError, found):
                exec(f"from {package} import {name}")
            assert hasattr(importlib.import_module(home), name)


@pytest.mark.parametrize("package", NEW_HOMES)
def test_a_name_that_a_package_never_had_is_an_ordinary_error(
    package: str,
) -> None:
    """`hasattr` and the import of a wrong name behave as with any other package."""
    assert not hasattr(importlib.import_module(package), "nothing")
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        exec(f"from {package} import nothing")


@pytest.mark.parametrize(
    "name",
    [
        "handcraft.nothing",
        "handcraft.core.nothing",
        "handcraft.core.selections",
        "gpt2",
        "selections",
        "proof.certificate",
    ],
)
def test_nothing_else_is_caught(name: str) -> None:
    """A module that never was is Python's own error."""
    with pytest.raises(ModuleNotFoundError, match="No module named"):
        importlib.import_module(name)


@pytest.mark.parametrize(
    "line",
    slow_from(
        1,
        [
            "from handcraft.selections import *",
            "import handcraft.selections",
            "import handcraft.selections as words",
            "from handcraft.selections import latest, own",
            "from handcraft import selections",
        ],
    ),
)
def test_selections_still_works(tmp_path: Path, line: str) -> None:
    """Every way to import it works, with one warning at the line that does."""
    (tmp_path / "old.py").write_text(
        f"import handcraft\n\n{line}\nimport handcraft.selections as again\n"
        "from handcraft.sequence import words as new\n"
        "print(again is new, handcraft.selections is new, new.__name__,"
        " new.__spec__.name)\n"
    )
    done = process(["-W", "always", "old.py"], tmp_path)
    assert (done.code, done.out) == (
        0,
        "True True handcraft.sequence.words handcraft.sequence.words\n",
    )
    assert done.err == f"{tmp_path / 'old.py'}:3: {WARNING}\n  {line}\n"


@pytest.mark.slow
def test_a_program_may_use_the_old_name_of_selections(tmp_path: Path) -> None:
    """A program file of an older handcraft runs; who asks for warnings is told its line."""
    (tmp_path / "old.py").write_text(
        "from handcraft import *\nfrom handcraft.selections import own\n"
        "program = Program(embedding=(position(3), token('ab')),"
        " claim=answers('a|b', own(lambda x: x)) if False else None)\n"
    )
    done = process(
        [
            "-W",
            "always::DeprecationWarning",
            "-m",
            "handcraft",
            "build",
            "old.py",
        ],
        tmp_path,
    )
    assert done.code == 0
    assert [x for x in done.err.splitlines() if "Warning" in x] == [
        f"old.py:2: {WARNING}"
    ]


def test_it_is_asked_last_and_once() -> None:
    """A right name never comes to the finder, however often it is installed."""
    before = list(sys.meta_path)
    install()
    assert sys.meta_path == before
    assert [x.__name__ for x in before if "handcraft" in str(x)] == ["_Finder"]
