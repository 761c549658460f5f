"""Writes a suite of compiled programs in Python: ground truth in bulk, with turned twins."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from handcraft.core.arguments import asked_call
from handcraft.core.errors import ProgramError, printable, unwritable
from handcraft.core.frozen import is_nest
from handcraft.language.affine import kind_of
from handcraft.proof.task import Progress
from handcraft.proof.verify import silent
from handcraft.results.notes import without_notes
from handcraft.results.shown import ShownResult
from handcraft.results.suites.card import card
from handcraft.results.suites.choosing import Candidate, Choice, Says, Settings
from handcraft.results.suites.folders import (
    CARD,
    INDEX,
    PROGRAMS,
    ROTATED,
    Folders,
    IndexRow,
)
from handcraft.results.suites.member import (
    Member,
    Miscompiled,
    examined,
    write_member,
    write_twin,
)

MOST_PROGRAMS = 10_000
_WINDOWS = range(2, 65)
_ALPHABETS = range(2, 33)
_BEGIN = "^"
_INDEXED = 100  # times that the index is written before the end


@dataclass(frozen=True, repr=False)
class Suite(ShownResult):
    """A suite that was written.

    out       its directory
    rows      what the index says of each program
    written   how many folders are new
    failed    expressions whose compiled model was wrong, and how; they are not in the suite
    """

    out: Path
    rows: Sequence[IndexRow]
    written: int
    failed: Sequence[IndexRow] = field(default=())

    @property
    def exit_code(self) -> int:
        """0, or 1 where the compiler was wrong."""
        return 1 if self.failed else 0

    @property
    def twins(self) -> int:
        """The number of programs that have a turned twin."""
        return sum(row["rotation"] is not None for row in self.rows)

    def drawn(self, width: int) -> Any:  # noqa: ARG002  # a path is not broken
        from handcraft.results.tables import unbroken

        return unbroken(str(self))

    def __str__(self) -> str:
        out = printable(str(self.out))
        wrong = [
            f"wrong: {row['expression']}, {row['says']}" for row in self.failed
        ]
        return "\n".join(
            [
                f"{len(self.rows)} programs, {self.twins} turned, all checked",
                *map(printable, wrong),
                f"wrote {out}/{INDEX}",
            ]
        )

    def to_json(self) -> dict[str, Any]:
        """The suite as plain data, as `handcraft suite --json`."""
        return {
            "out": str(self.out),
            "programs": [row["name"] for row in self.rows],
            "done": len(self.rows),
            "rotated": self.twins,
            "written": self.written,
            "failed": list(self.failed),
            "files": [str(self.out / name) for name in (INDEX, CARD)],
        }


@asked_call("handcraft.suite")
def suite(
    out: str | Path,
    *,
    count: int = 100,
    seed: int = 0,
    rotate: bool = False,
    tokens: str | Iterable[str] | None = None,
    n: int | None = None,
    progress: Progress = silent,
) -> Suite:
    """Write many different compiled programs into a directory, each with all that is known of it.

    count   how many programs
    seed    the same seed gives the same files
    rotate  write of each a twin whose residual stream is turned by a random orthogonal matrix
    tokens  the alphabet of every program; by default each draws a small one
    n       the most tokens of a text; by default each draws 4 to 8

    A run that was stopped is gone on with by the same call, to the same files; so is one of fewer
    programs, or without twins. Raises ProgramError for arguments that cannot be, for a directory
    with something else in it, and where no further program is found.
    """
    settings = Settings(
        _whole("seed", seed, range(2**63)),
        _alphabet(tokens),
        None if n is None else _whole("n", n, _WINDOWS),
    )
    many = _whole("count", count, range(1, MOST_PROGRAMS + 1))
    if not isinstance(rotate, bool):
        raise ProgramError(
            f"rotate= takes True or False, found {kind_of(rotate)}"
        )
    if not isinstance(out, str | os.PathLike):
        raise ProgramError(
            f"out is the path of a directory, found {kind_of(out)}"
        )
    making = _Making(Path(out), settings, many, rotate, progress)
    with without_notes(), making.folders.opened(many, card(settings)):
        return making.run()


class _Making:
    """One run that writes a suite, or goes on with one."""

    def __init__(
        self,
        out: Path,
        settings: Settings,
        count: int,
        rotate: bool,
        progress: Progress,
    ) -> None:
        from handcraft import __version__

        self.out, self.settings, self.count = out, settings, count
        self.rotate, self.progress = rotate, progress
        self.choice = Choice(settings)
        self.written = 0
        tokens = settings.tokens
        self.folders = Folders(
            out,
            {
                "handcraft": __version__,
                "seed": settings.seed,
                "tokens": None if tokens is None else list(tokens),
                "n": settings.n,
            },
        )

    def run(self) -> Suite:
        """The suite, whose index is written after each program."""
        known = self.folders.rows(PROGRAMS).values()
        self.known = {row["place"]: row for row in known}
        self.turned = self.folders.rows(ROTATED)
        self._fits()
        rows: list[IndexRow] = []
        self.progress(0, self.count)
        often = max(1, self.count // _INDEXED)
        for place in range(self.count):
            before = self.written
            rows.append(self._placed(place))
            if self.written > before and place % often == 0:
                self.folders.write_index(self.count, rows)
            self.progress(place + 1, self.count)
        self.folders.write_index(self.count, rows)
        failed = [wrong for row in rows for wrong in row.get("failed", ())]
        return Suite(self.out, rows, self.written, failed)

    def _fits(self) -> None:
        """Raise ProgramError where there is more in the directory than was asked for."""
        shown = printable(str(self.out))
        many = 1 + max(self.known, default=-1)
        if many > self.count:
            raise ProgramError(
                f"{shown} has {many} programs already, more than the"
                f" {self.count} that were asked for; name another directory"
            )
        if self.turned and not self.rotate:
            raise ProgramError(
                f"{shown} has turned twins; go on with --rotate (rotate=True), or name"
                " another directory"
            )

    def _placed(self, place: int) -> IndexRow:
        """The row of the program at a place, which is written unless it is there."""
        there = self.known.get(place)
        candidate, says, member, failed = self._found(place, there)
        self.choice.take(candidate, says)
        name = candidate.name
        if there is None:
            made = _needed(member)
            there = self._write(
                PROGRAMS,
                name,
                lambda folder: write_member(made, folder) | {"failed": failed},
            )
        twin = self.turned.get(name)
        if self.rotate and twin is None:
            turned = _needed(member or examined(candidate, self.settings.seed))
            twin = self._write(
                ROTATED, name, lambda folder: write_twin(turned, folder)
            )
        return there | {"rotation": twin}

    def _write(self, part: str, name: str, fill: Any) -> IndexRow:
        self.written += 1
        return self.folders.write(part, name, fill)

    def _found(
        self, place: int, there: IndexRow | None
    ) -> tuple[Candidate, Says, Member | None, list[IndexRow]]:
        """The candidate of a place: the one whose folder is there, else the first that is right;
        with it those that were wrong.
        """
        failed: list[IndexRow] = []
        for candidate, says in self.choice.candidates(place):
            if there is not None:
                if _is_of(there, candidate):
                    return candidate, says, None, failed
                continue
            found = examined(candidate, self.settings.seed)
            if isinstance(found, Member):
                return candidate, says, found, failed
            if found is not None:
                failed.append(
                    {"expression": found.expression, "says": found.says}
                )
        raise self._none_left(place, there)

    def _none_left(self, place: int, there: IndexRow | None) -> ProgramError:
        shown = printable(str(self.out))
        if there is not None:
            name = printable(str(there.get("name")))
            return ProgramError(
                f"{shown}/{PROGRAMS}/{name} is not what its seed gives; name another"
                " directory"
            )
        return ProgramError(
            f"no program was found that differs from the {place} that are in"
            f" {shown}; more tokens or a longer text give more"
        )


def _is_of(row: IndexRow, candidate: Candidate) -> bool:
    wanted = {
        "expression": candidate.text,
        "alphabet": list(candidate.alphabet),
        "n": candidate.n,
        "causal": candidate.causal,
    }
    return all(row.get(key) == x for key, x in wanted.items())


def _needed(found: Member | Miscompiled | None) -> Member:
    """The member itself. Raises ProgramError where it is none, though it was one before."""
    if isinstance(found, Member):
        return found
    raise ProgramError("a program of the suite is not made as it was before")


def _whole(name: str, given: object, allowed: range) -> int:
    """A whole number within bounds. Raises ProgramError for anything else."""
    if (
        isinstance(given, bool)
        or not isinstance(given, int)
        or given not in allowed
    ):
        raise ProgramError(
            f"{name} takes a whole number from {allowed[0]} to {allowed[-1]:,}, found"
            f" {printable(repr(given))[:60]}",
            ("suite",),
        )
    return given


def _alphabet(given: str | Iterable[str] | None) -> tuple[str, ...] | None:
    """The tokens of an alphabet. Raises ProgramError for what is none."""
    if given is None:
        return None
    texts = isinstance(given, str) or is_nest(given)
    found: tuple[Any, ...] = tuple(given) if texts else ()
    problem = None
    if not found or not all(isinstance(t, str) and t for t in found):
        problem = f"the tokens of a text, such as 'ab', found {kind_of(given)}"
    elif len(set(found)) < len(found):
        twice = next(t for t in found if found.count(t) > 1)
        problem = f"tokens that differ; {printable(repr(twice))} stands twice"
    elif _BEGIN in found:
        problem = f"no {_BEGIN!r}, which stands before each text"
    elif len(found) not in _ALPHABETS:
        problem = (
            f"{_ALPHABETS[0]} to {_ALPHABETS[-1]} tokens, found {len(found)}"
        )
    else:
        problem = unwritable(found)
    if problem is not None:
        raise ProgramError(f"tokens takes {problem}", ("suite",))
    return found
