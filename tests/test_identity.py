"""Which task a checkpoint is of: whatever a claim or the weights read is told apart."""

from __future__ import annotations

import re
import threading
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from operator import itemgetter
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from enumerated import latest, verify

from handcraft import MLP, Model, Program, position, residual, scratch, token
from handcraft.core.vocabulary import Vocabulary
from handcraft.proof.enumerate.identity import identity
from handcraft.proof.enumerate.units import Units


def of(model: Model) -> str:
    """Which task the verification of a model is."""
    claim = model.program.claim  # type: ignore[union-attr]
    return identity(model, claim, Units.of(model))  # type: ignore[arg-type]


def test_functions_are_told_apart_by_what_they_close_over() -> None:
    """The same lambda with another letter inside is another claim; the same with the same
    letter is not.
    """

    def made(letter: str) -> Model:
        return latest(3, lambda context: letter if context == "a" else None)

    assert of(made("a")) == of(made("a")) != of(made("b"))


class Says:
    """A claim that is an object: it says the letter it holds."""

    def __init__(self, letter: str) -> None:
        self.letter = letter

    def __call__(self, _: str) -> str:
        return self.letter

    def method(self, _: str) -> str:
        """The same as a method."""
        return self.letter


def by_default(letter: str) -> Any:
    """A function that reads a default value."""

    def claim(_: str, says: str = letter) -> str:
        return says

    return claim


def by_another(letter: str) -> Any:
    """A function that calls another one, which knows the letter."""

    def inner() -> str:
        return letter

    return lambda _: inner()


def by_array(letter: str) -> Any:
    """A function that reads an array."""
    table = np.array([letter])
    return lambda _: str(table[0])


def by_global(letter: str) -> Any:
    """A function of a module in which a name holds the letter."""
    names: dict[str, Any] = {"LETTER": letter}
    exec("def claim(context):\n    return LETTER", names)
    return names["claim"]


@pytest.mark.parametrize(
    "made",
    [
        Says,
        lambda x: Says(x).method,
        by_default,
        by_another,
        by_array,
        by_global,
        lambda x: partial(lambda y, _: y, x),
    ],
    ids=["object", "method", "default", "inner", "array", "global", "partial"],
)
def test_functions_are_told_apart_by_all_that_they_read(made: Any) -> None:
    """An object that is called, a method, a default, a function within, an array, a global
    name, a partial.
    """
    assert (
        of(latest(3, made("a")))
        == of(latest(3, made("a")))
        != of(latest(3, made("b")))
    )


def by_class(letter: str) -> Any:
    """A function that reads a member of a class."""
    kind = type("Kind", (), {"letter": letter})
    return lambda _: kind.letter


def by_slots(letter: str) -> Any:
    """A function that reads an object without a dictionary."""
    kept = Slotted(letter)
    return lambda _: kept.letter


@dataclass(slots=True)
class Slotted:
    """An object that keeps its letter in a slot."""

    letter: str


def closed(kept: Callable[[str], Any]) -> Callable[[str], Any]:
    """A function that closes over something which knows the letter."""

    def made(letter: str) -> Any:
        inner = kept(letter)
        return lambda _: str(inner)

    return made


def table_of(letter: str) -> dict[str, str]:
    """Context -> letter."""
    return dict.fromkeys(("a", "b"), letter)


@pytest.mark.parametrize(
    "made",
    [
        lambda x: table_of(x).get,
        lambda x: itemgetter(slice(0, "ab".index(x))),
        by_class,
        by_slots,
        closed(lambda x: range("ab".index(x))),
        closed(lambda x: Fraction("ab".index(x))),
        closed(lambda x: bytearray(x.encode())),
        closed(lambda x: defaultdict(partial(str, x))),
        closed(re.compile),
        closed(deque),
        closed(lambda x: MappingProxyType({x: x})),
    ],
    ids=[
        "get",
        "itemgetter",
        "class",
        "slots",
        "range",
        "fraction",
        "bytearray",
        "defaultdict",
        "pattern",
        "deque",
        "proxy",
    ],
)
def test_what_stands_in_no_dictionary_is_told(made: Any) -> None:
    """Methods of C with what they are bound to, slots, classes, and whatever else pickle would
    keep.
    """
    assert (
        of(latest(3, made("a")))
        == of(latest(3, made("a")))
        != of(latest(3, made("b")))
    )


def test_a_users_module_may_be_named_like_one_of_python() -> None:
    """Its classes are told by their members: only what is installed is told by its name."""

    def made(letter: str) -> Any:
        kind = type(
            "Kind", (), {"letter": letter, "__module__": "calendar.of.mine"}
        )
        return lambda _: kind.letter  # type: ignore[attr-defined]

    assert (
        of(latest(3, made("a")))
        == of(latest(3, made("a")))
        != of(latest(3, made("b")))
    )


@pytest.mark.parametrize(
    "kept",
    [threading.Lock(), (letter for letter in "ab"), object.__new__],
    ids=["lock", "generator", "new"],
)
def test_what_nobody_can_tell_is_never_the_same(kept: Any) -> None:
    """A claim that reads it cannot go on from a checkpoint; what is told by its name can."""
    claim = closed(lambda _: kept)("")
    assert (of(latest(3, claim)) == of(latest(3, claim))) == (
        kept is object.__new__
    )


def test_two_claims_in_one_process_are_two(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second claim is asked, even where a digest cannot tell it from the first."""
    monkeypatch.setattr(
        "handcraft.proof.enumerate.method.identity", lambda *_: "the same"
    )
    right, wrong = (
        dict.fromkeys(("a", "b", "aa", "ab", "ba", "bb"), "a") | {"ab": last}
        for last in "ab"
    )
    p, t = position(2), token("ab")
    found = [
        verify(
            Program(
                name="bound",
                embedding=(p, t),
                layers=(MLP([], adds={t["a"]: 3.0}),),
                claim=table.get,
            ).build()
        ).verdict
        for table in (right, wrong)
    ]
    assert found == ["checked", "refuted"]


def test_a_lane_is_told_by_its_column() -> None:
    """Two programs of equal weights that give the same name to different lanes are two tasks."""

    def made(*names: str) -> Model:
        lanes = [scratch(name) for name in names]
        return Program(
            name="lanes",
            embedding=(position(3), token("ab"), *lanes),
            claim=residual("x", lambda _: 0.0),
        ).build()

    assert of(made("x", "y")) == of(made("x", "y")) != of(made("y", "x"))


@pytest.mark.parametrize(
    "change", [{"activation": "relu"}, {"causal": False}, {"vocabulary": "ba"}]
)
def test_what_runs_the_weights_is_told(change: dict[str, Any]) -> None:
    """Another activation, another mask, the same tokens in another order, with the very same
    weights.
    """
    model = latest(3)
    vocabulary = (
        {"vocabulary": Vocabulary(tuple(change["vocabulary"]))}
        if "vocabulary" in change
        else change
    )
    assert of(model) != of(model.replace(**vocabulary))


def test_another_version_is_another_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What counted differently cannot go on."""
    before = of(latest(3))
    monkeypatch.setattr(
        "handcraft.proof.enumerate.identity._counting", lambda: "another"
    )
    assert of(latest(3)) != before
