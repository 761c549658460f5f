"""Finds the programs that come with handcraft, without running or importing any."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent.parent  # the package


def bundled() -> dict[str, Path]:
    """The files of the programs that come with handcraft, by name.

    They are inside the package when installed, beside it in a checkout.
    """
    folder = next(
        (
            f
            for f in (_HERE / "programs", _HERE.parent / "programs")
            if f.is_dir()
        ),
        _HERE / "programs",
    )
    return {
        path.stem: path
        for path in sorted(folder.glob("*.py"))
        if not path.stem.startswith("_")
    }
