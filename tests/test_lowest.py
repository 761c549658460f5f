"""The oldest versions that pyproject.toml allows, which `make lowest` installs and tests."""

from __future__ import annotations

import tomllib
from importlib import metadata

import pytest
from lowest import PYPROJECT, lowest, wrong

LINES = [
    "numpy>=2.0",
    "numpy>=2.1; python_version >= '3.13'",
    "numpy>=2.10; python_version >= '3.14'",
    "rich>=13.8",
]


@pytest.mark.parametrize(
    ("python", "numpy"),
    [((3, 9), "2.0"), ((3, 12), "2.0"), ((3, 13), "2.1"), ((3, 14), "2.10")],
)
def test_each_python_has_its_bound(python: tuple[int, int], numpy: str) -> None:
    """Of several lines for one package the highest counts that is for this Python."""
    assert lowest(LINES, python) == {"numpy": numpy, "rich": "13.8"}


@pytest.mark.parametrize(
    "line", ["numpy", "numpy<3", "numpy==2.0", "numpy>=2,<3", "numpy>=2; extra"]
)
def test_a_dependency_without_a_bound_is_an_error(line: str) -> None:
    """What cannot be pinned would be tested at its newest version, and nobody would notice."""
    with pytest.raises(SystemExit) as done:
        lowest(["rich>=13.8", line])
    assert done.value.code == (
        f"{line!r} has no lower bound of the form NAME>=VERSION"
    )


def test_all_dependencies_have_a_bound() -> None:
    """The six of pyproject.toml, none above what is installed here."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    names = ["numpy", "pydantic", "rich", "hypothesis", "typer", "safetensors"]
    assert list(lowest(project["dependencies"])) == names


def test_another_version_is_named() -> None:
    """Zeros at the end count for nothing; a package that is missing is named, too."""
    there = metadata.version("pytest")
    assert list(wrong({"pytest": f"{there}.0"})) == []
    assert list(wrong({"pytest": "1.0", "no-such-package": "1"})) == [
        f"pytest: 1.0 is the lowest allowed, installed is {there}",
        "no-such-package: 1 is the lowest allowed, installed is none",
    ]
