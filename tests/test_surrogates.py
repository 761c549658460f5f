"""Half of a surrogate pair is no character: UTF-8 cannot write it, so no name may hold one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Refused, bundled_model

from handcraft import Model, Program, local, position, scratch, slot, token
from handcraft.core.errors import ProgramError, PromptError, WeightsError
from handcraft.core.vocabulary import Vocabulary
from handcraft.core.writing import write_atomically

HALF = "\ud800"
SAID = "holds half of a surrogate pair, which no file can hold; write whole characters"


@pytest.mark.parametrize("half", [0xD800, 0xDBFF, 0xDC00, 0xDFFF])
def test_no_half_can_be_written(half: int) -> None:
    """Python's own writer of UTF-8 refuses each of them, and so does a token slot."""
    with pytest.raises(UnicodeEncodeError):
        chr(half).encode()
    with pytest.raises(ProgramError) as caught:
        token(["a", chr(half)])
    assert str(caught.value).startswith(
        f"token: in the slot token, {chr(half)!a} {SAID} ("
    )


@pytest.mark.parametrize("whole", ["\ud7ff", "\ue000", "\U0001f600", "é"])
def test_whole_characters_are_taken(whole: str, tmp_path: Path) -> None:
    """What stands beside the halves, and what a pair of them means, is written and read again."""
    model = Program(
        name="whole", embedding=(position(2), token(["a", whole]))
    ).build()
    model.save(tmp_path)
    assert Model.load(tmp_path).vocabulary.tokens == ("a", whole)


@pytest.mark.parametrize(
    ("made", "name", "make"),
    [
        ("token", "token", lambda: token(["a", f"x{HALF}"])),
        ("token", "token", lambda: token([f"x{HALF}"], v=lambda _: 1.0)),
        ("token", "token", lambda: token("ab", **{f"x{HALF}": lambda _: 1.0})),
        (
            "position",
            "position",
            lambda: position(2, **{f"x{HALF}": lambda _: 1.0}),
        ),
        ("slot", "s", lambda: slot("s", token={"a": 1, f"x{HALF}": 2})),
        ("slot", "s", lambda: slot("s", position=[[1]], labels=[f"x{HALF}"])),
        ("scratch", "v", lambda: scratch("v", ["a", f"x{HALF}"])),
        ("local", "v", lambda: local("v", [f"x{HALF}"])),
    ],
)
def test_a_name_in_a_slot(
    made: str, name: str, make: Callable[[], object]
) -> None:
    """Tokens, labels and named lanes alike are refused where they are written, in one sentence."""
    with pytest.raises(ProgramError) as caught:
        make()
    assert str(caught.value).startswith(
        rf"{made}: in the slot {name}, 'x\ud800' {SAID} ("
    )


def test_a_token_of_a_vocabulary() -> None:
    """Whether the program declares it or a model has it without a program."""
    message = rf"the token '\ud800' {SAID}"
    with Refused(ProgramError, message):
        Vocabulary(("a", HALF))
    one = slot("one", token={"a": 1})
    with pytest.raises(ProgramError) as caught:
        Program(
            name="half",
            embedding=(position(2), one),
            vocabulary=("a", HALF),
        )
    assert str(caught.value).startswith(f"half: {message}")


def test_a_prompt() -> None:
    """It matches no token, and is shown as what it is."""
    with Refused(
        PromptError,
        r"no token matches '\ud800' at character 1 of the text; the vocabulary is 'a', 'b'",
    ):
        bundled_model("aab").generate(f"a{HALF}")


@pytest.mark.parametrize("program", [True, False])
def test_a_token_in_a_file(tmp_path: Path, program: bool) -> None:
    r"""JSON can say "\ud800": the file that does so is refused."""
    bundled_model("aab").save(tmp_path)
    path = tmp_path / "program.json"
    text = path.read_text()
    if program:
        text = text.replace('"a"', r'"\ud800"')
        message = rf"Slot: in the slot token, '\ud800' {SAID}"
    else:
        fields = json.loads(text)
        fields |= {"vocab": [HALF, "b"], "program": None}
        fields["provenance"] = {"rules": [], "cells": {}}
        text = json.dumps(fields)
        message = rf"the token '\ud800' {SAID}"
    path.write_text(text)
    with pytest.raises(WeightsError) as caught:
        Model.load(tmp_path)
    assert message in str(caught.value)


def test_a_path() -> None:
    """What the system has no bytes for is not the name of a file."""
    with Refused(
        WeightsError, r"\ud800/program.json is not the name of a file"
    ):
        Model.load(HALF)
    with pytest.raises(OSError, match="it is not the name of a file"):
        write_atomically(Path(HALF), b"")


def test_a_folder_whose_name_is_no_utf8(tmp_path: Path) -> None:
    """A program file may lie where a name has bytes that are no UTF-8: its lines are kept with it,
    and what is built from it is read again.
    """
    folder = tmp_path / "d\udcff"
    try:
        folder.mkdir()
    except (OSError, UnicodeError):
        pytest.skip("this file system has no such names")
    path = folder / "mine.py"
    path.write_text(
        "from handcraft import *\nprogram = Program(embedding=(position(3),"
        " token('ab')))\n"
    )
    model = Model.open(str(path))
    model.save(folder / "built")
    assert Model.load(folder / "built").program == model.program
