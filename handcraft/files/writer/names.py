"""Gives slots and rules their variables, and lanes their notation.

A variable is the name of its slot or rule where Python and the file allow it: `p` and `t` for a
one-hot position and the token, as programs/ have them, and a name with a word or a number after it
where it would hide another.

Rules of this file: no variable is a keyword, a name of Python's own, a word that the file imports,
or given twice.
"""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from handcraft.files.writer.literals import in_python, is_whole
from handcraft.language.affine import Lane
from handcraft.language.slot_tables import ONE_HOT
from handcraft.language.slots import Slot
from handcraft.program.program import Program

_TAKEN = frozenset(
    (*dir(builtins), *keyword.kwlist, *keyword.softkwlist, "program")
)
_LETTERS = "ivnkjcxyzabdefghlmopqrstuw"  # of loops


@dataclass
class Variables:
    """The variables of a file.

    slots  the variable of each slot, by its name; those of lanes inside heads by `@` and theirs
    known  the slots themselves
    used   every name that is taken
    sums   the parts of sums that are written already, by their terms
    """

    slots: dict[str, str] = field(default_factory=dict)
    known: dict[str, Slot] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    sums: dict[Any, list[tuple[bool, str]]] = field(default_factory=dict)

    @classmethod
    def of(cls, program: Program, words: Iterable[str]) -> Variables:
        """The variables of the slots of a program; `words` are the names that the file imports."""
        names = cls(used={*_TAKEN, *words})
        for slot in program.embedding:
            names._add(slot.name, slot)
        for local in _local_slots(program):
            names._add(f"@{local.name}", local)
        return names

    def _add(self, key: str, slot: Slot) -> None:
        self.known[key] = slot
        self.slots[key] = self.new(_wanted(slot), "slot")

    def new(self, wanted: str, kind: str = "") -> str:
        """A variable that nobody has: the wanted one, or one that begins with it."""
        snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", wanted).lower()
        plain = re.sub(r"\W", "_", snake, flags=re.ASCII).strip("_")
        plain = plain if plain.isidentifier() else f"{kind}_{plain}".strip("_")
        plain = plain or "rule"
        if f"{plain}" in self.used and kind:
            plain = f"{plain}_{kind}"
        numbers = (f"{plain}{i}" for i in range(2, len(self.used) + 3))
        name = next(x for x in (plain, *numbers) if x not in self.used)
        self.used.add(name)
        return name

    def free(self, letters: str = _LETTERS) -> Iterator[str]:
        """Variables of loops, which hide no other."""
        yield from (x for x in letters if x not in self.used)
        yield from (
            name for i in range(10**6) if (name := f"x{i}") not in self.used
        )

    def lane(self, lane: Lane) -> str:
        """The notation of a lane: `t["a"]`, `p[3]`, `v`."""
        variable = self.slots.get(self.key(lane))
        if variable is None:
            return (
                f"Lane(slot={in_python(lane.slot)}, label="
                f"{None if lane.label is None else in_python(lane.label)},"
                f" local={lane.local})"
            )
        if lane.label is None:
            return variable
        one_hot = self.known[self.key(lane)].positions == ONE_HOT
        whole = one_hot and is_whole(lane.label)
        label = lane.label if whole else in_python(lane.label)
        return f"{variable}[{label}]"

    @staticmethod
    def key(lane: Lane) -> str:
        """The key of the slot of a lane."""
        return f"@{lane.slot}" if lane.local else lane.slot

    def slot_of(self, lanes: Sequence[Lane]) -> tuple[str, Slot] | None:
        """The variable and the slot whose lanes these are, all and in order; else None."""
        key = self.key(lanes[0])
        slot = self.known.get(key)
        if slot is None or slot.lanes != tuple(lanes):
            return None
        return self.slots[key], slot


def _wanted(slot: Slot) -> str:
    """The variable that an author would choose for a slot."""
    if slot.name == "position":
        return "p" if slot.positions == ONE_HOT else "at"
    return "t" if slot.name == "token" else slot.name


def _local_slots(program: Program) -> Iterator[Slot]:
    """A slot for the lanes inside heads that have the same name."""
    labels: dict[str, dict[str | None, None]] = {}
    for block in program.layers:
        for head in block.heads:
            for lane in (*head.query.targets, *head.value.targets):
                if lane.local:
                    labels.setdefault(lane.slot, {})[lane.label] = None
    for name, found in labels.items():
        texts = [label for label in found if label is not None]
        if name.isidentifier() and len(texts) in (0, len(found)):
            yield Slot(name=name, labels=tuple(texts) or None, local=True)
