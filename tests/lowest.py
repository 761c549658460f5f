"""Prints the oldest versions that pyproject.toml allows, one pin a line, or checks that they are
what is installed.

    python tests/lowest.py           numpy==2.0 ...: constraints for pip
    python tests/lowest.py --check   fails where another version is installed, or none

Of several lines for one package the highest bound counts whose marker holds for this Python.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"
BOUND = re.compile(
    r"(?P<name>[a-z-]+)>=(?P<version>[0-9.]+)"
    r"(; python_version >= '(?P<python>3\.[0-9]+)')?"
)


def numbers(version: str) -> tuple[int, ...]:
    """The numbers of a version without the zeros at its end: 2.0 is 2.0.0."""
    found = [int(part) for part in version.split(".")]
    while found and found[-1] == 0:
        found.pop()
    return tuple(found)


def lowest(
    dependencies: Iterable[str], python: tuple[int, ...] = sys.version_info[:2]
) -> dict[str, str]:
    """The lowest version of each package. Exits where a dependency has no bound that is read
    here.
    """
    found: dict[str, str] = {}
    for line in dependencies:
        bound = BOUND.fullmatch(line)
        if bound is None:
            sys.exit(f"{line!r} has no lower bound of the form NAME>=VERSION")
        if bound["python"] and numbers(bound["python"]) > python:
            continue
        before = found.get(bound["name"], "0")
        found[bound["name"]] = max(before, bound["version"], key=numbers)
    return found


def wrong(pins: dict[str, str]) -> Iterator[str]:
    """What is installed and is not what was pinned."""
    for name, version in pins.items():
        try:
            there = metadata.version(name)
        except metadata.PackageNotFoundError:
            there = "none"
        if there == "none" or numbers(there) != numbers(version):
            yield f"{name}: {version} is the lowest allowed, installed is {there}"


def main() -> None:
    """Print the pins, or check them."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    pins = lowest(project["dependencies"])
    if sys.argv[1:] == ["--check"]:
        sys.exit("\n".join(wrong(pins)) or 0)
    print("\n".join(f"{name}=={version}" for name, version in pins.items()))


if __name__ == "__main__":
    main()
