"""Damage to a built directory, and how it is refused."""

from __future__ import annotations

import hashlib
import json
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from refusing import Case, refused


@dataclass(frozen=True)
class Built:
    """The files of a built aab, to be damaged."""

    directory: Path

    @property
    def json(self) -> Path:
        """program.json."""
        return self.directory / "program.json"

    @property
    def weights(self) -> Path:
        """model.safetensors."""
        return self.directory / "model.safetensors"

    def edit(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Change the fields of program.json."""
        fields = json.loads(self.json.read_text())
        change(fields)
        self.json.write_text(json.dumps(fields))

    def sign(self, data: bytes) -> None:
        """Other weights, under a SHA-256 that matches: a careful forger's work."""
        self.weights.write_bytes(data)
        self.edit(
            lambda fields: fields.update(
                sha256=hashlib.sha256(data).hexdigest()
            )
        )

    def arrays(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Change the arrays, and sign them."""
        from safetensors.numpy import load, save

        arrays = {
            name: array.copy()
            for name, array in load(self.weights.read_bytes()).items()
        }
        change(arrays)
        self.sign(save(arrays))

    def header(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Change the header of the weight file, and sign it."""
        data = self.weights.read_bytes()
        (size,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + size])
        change(header)
        text = json.dumps(header).encode()
        self.sign(struct.pack("<Q", len(text)) + text + data[8 + size :])


@dataclass(frozen=True)
class Damage:
    """A name, what is done to a built directory, and the message after the file's name."""

    name: str
    do: Callable[[Built], object]
    message: str | re.Pattern[str]


def fields(
    name: str, message: str | re.Pattern[str], /, **changes: Any
) -> Damage:
    """Fields of program.json that are replaced."""
    return Damage(
        name,
        lambda built: built.edit(lambda found: found.update(changes)),
        message,
    )


def bare(name: str, message: str, /, **changes: Any) -> Damage:
    """Fields of a program.json without rules that are replaced."""
    return fields(name, message, program=None, provenance={}, **changes)


def rules(
    name: str,
    change: Callable[[dict[str, Any]], object],
    message: str | re.Pattern[str],
) -> Damage:
    """The rules in program.json, changed."""
    return Damage(
        name,
        lambda built: built.edit(lambda found: change(found["program"])),
        message,
    )


def claim(name: str, message: re.Pattern[str], /, **value: Any) -> Damage:
    """The claim in program.json, replaced."""
    return rules(name, lambda found: found.update(claim=value), message)


def text(
    name: str, old: str, new: str, message: str | re.Pattern[str]
) -> Damage:
    """A piece of the text of program.json, replaced once."""
    return Damage(
        name,
        lambda built: built.json.write_text(
            built.json.read_text().replace(old, new, 1)
        ),
        message,
    )


JSON, WEIGHTS = "built/program.json", "built/model.safetensors"
REFUSED = re.compile(r"built/program\.json: .+")


def refused_directory(damage: Damage, built: Built) -> None:
    """A directory with this damage is refused, and the same for every command."""
    damage.do(built)
    for argv in (
        ["run", "built", "aa"],
        ["explain", "built"],
        ["trace", "built", "aab"],
        ["verify", "built"],
        ["diff", "built", "aab"],
    ):
        refused(Case(damage.name, None, damage.message, argv))
