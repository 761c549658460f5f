"""Certificates forged in which contexts there are, what earlier positions hold, and in guesses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from handcraft.model import Model
from handcraft.proof.checker import Certificate
from handcraft.proof.checker.certificate import HeadQuery, Section
from handcraft.proof.checker.claim_expression import parts_of
from handcraft.proof.checker.network import Network
from leftout.forging import GAP, Forge, blank, entered, every, section, slots

FORGED: dict[str, Forge] = {}
forged = entered(FORGED)

# ------------------------------------------------------------ which contexts there are


@forged("says_a")
def dropped(model: Model) -> Certificate:
    """No section holds the contexts that end in b."""
    return blank(
        model, [section(model, level, [0]) for level in range(model.n_ctx)]
    )


@forged("says_a")
def counted_twice(model: Model) -> Certificate:
    """Those that end in a are there twice, those that end in b nowhere."""
    return blank(
        model,
        [
            section(model, level, [0])
            for level in range(model.n_ctx)
            for _ in range(2)
        ],
    )


@forged("says_a")
def ghost_guesses(model: Model) -> Certificate:
    """The same, told apart by a guess that no reading of such a claim reads."""
    return blank(
        model,
        [
            section(model, level, [0], guesses=((0, i),))
            for level in range(model.n_ctx)
            for i in (1, 2)
        ],
    )


@forged("says_a_by_parts")
def other_parts(model: Model) -> Certificate:
    """The contexts that end in a are there twice, once by what the claim's condition says and
    once by their last token.
    """
    parts = parts_of(model.program.claim.function)
    own = next(i for i, e in enumerate(parts) if e.op == "token_at")
    condition = next(i for i, e in enumerate(parts) if e.op == "equal")
    guesses = ((condition, 1),), ((own, "a"),)
    return blank(
        model,
        [
            section(model, level, guesses=guess)
            for level in range(model.n_ctx)
            for guess in guesses
        ],
    )


@forged("says_a_by_pairs_of_tokens")
def joined_memories(model: Model) -> Certificate:
    """What stands before the last token is forgotten: aa and ba are one state, and the claim of
    aa is taken for both.
    """
    return blank(model, every(model))


# ------------------------------------------------------------ what earlier positions hold


def _kept(
    model: Model, states: list[list[list[int]]], **fields: Any
) -> Certificate:
    own = [
        section(model, level, slots=slots(model, level, range(2), layers=[1]))
        for level in range(2)
    ]
    return blank(
        model,
        own,
        after=states,
        followed=fields.pop("followed", {(0, 0): (GAP, [[0], []])}),
        **fields,
    )


@forged("before_b")
def merged_states(model: Model) -> Certificate:
    """One state of earlier positions after a and after b, though the next one reads which it
    was.
    """
    return _kept(model, [[[0, 0]], [[0, 0]]])


@forged("first_b")
def ragged_states(model: Model) -> Certificate:
    """The rows of states are not as long as there are tokens: ba leads where what is known of
    ab is kept.
    """
    own = section(model, 2, [2], slots=slots(model, 2, [2], layers=[1]))
    states = [[[0, 1]], [[0], [1, 2, 3]], [[0]] * 4]
    return blank(
        model,
        [own],
        tokens=[[0, 1], [0, 1], [2]],
        after=states,
        followed={(0, 0): (GAP, [[0], [0], []])},
    )


@forged("asks_by_state")
def half_asked(model: Model) -> Certificate:
    """The section asks what is asked after a; contexts after b are one state with them, and are
    not judged.
    """
    column = model.program.layout.column  # type: ignore[union-attr]
    lane = next(i for key, i in column.items() if str(key) == "w")
    head = Network(model).heads[1][0]
    (one,) = slots(model, 0, [0], layers=[1])
    weights = head.q[0][lane]  # type: ignore[index]
    asked = [c + float(w) for c, w in zip(one.query[0], weights, strict=True)]
    by_b = replace(one, query=(asked, [0.0] * len(asked)))
    first = [
        section(model, 0, [0], slots=(one,)),
        section(model, 0, [1], slots=(by_b,)),
    ]
    second = section(model, 1, slots=slots(model, 1, [0], layers=[1]))
    return blank(
        model,
        [*first, second],
        after=[[[0, 1]], [[0, 0], [0, 0]]],
        followed={(0, 0): (GAP, [[0], []])},
    )


@forged("many_states")
def too_many_to_tell_apart(model: Model) -> Certificate:
    """No query is given, and so many states of earlier positions lead to one ending that they
    are taken together.
    """
    n = len(model.vocabulary)
    own = [
        section(
            model, level, slots=(HeadQuery((1, 0), None, GAP, (-1e9, -1e9)),)
        )
        for level in range(2)
    ]
    return blank(
        model,
        own,
        after=[[list(range(n))], [[0] * n] * n],
        followed={(0, 0): (GAP, [[0], []])},
    )


@forged("asks_by_content")
def followed_by_constant(model: Model) -> Certificate:
    """A head that asks by the token is followed as if it always asked the same."""
    return _kept(model, [[[0, 0]], [[0, 0]]], followed={(0, 0): (GAP, None)})


@forged("order_of_states")
def order_backwards(model: Model) -> Certificate:
    """The last position is read first, when no state is known: that of a is taken."""
    n, eq = len(model.vocabulary), model.vocabulary.ids["="]
    own = Section(
        ((1, eq),),
        1,
        (),
        (1, 0),
        slots(model, 1, [eq], layers=[1]),
        [[[0, 0]], [[]]],
    )
    return blank(
        model,
        [own],
        alphabet=[3, 4],
        after=[[[0, 1, 0, 0, 0]], [[0] * n, [0] * n]],
        followed={(0, 0): (GAP, [[0], []])},
    )


@forged("swapped_heads")
def swapped_slots(model: Model) -> Certificate:
    """Each of two heads is given the name of the other."""
    pairs = [(own, *own.slots) for own in every(model)]
    return blank(
        model,
        [
            replace(s, slots=(replace(a, name=b.name), replace(b, name=a.name)))
            for s, a, b in pairs
        ],
    )


@forged("other_counts")
def joined_counts(model: Model) -> Certificate:
    """One state for all, whether one key was seen or two."""
    eq = model.vocabulary.ids["="]
    whole = section(model, 2, [eq])
    floors = tuple(
        replace(slot, floor=(-1e9,) * 3, gap=20.0) for slot in whole.slots
    )
    return blank(
        model, [replace(whole, slots=floors, graph=[[[0, 0]], [[0, 0]]])]
    )


# ------------------------------------------------------------ guesses


def _guessing(model: Model, *guesses: Any) -> Certificate:
    """A section for each of these, with a state for each first token."""
    longer = [
        section(model, 1, guesses=g, graph=[[[1, 0, 2, 1]]]) for g in guesses
    ]
    return blank(
        model,
        [*(section(model, 0, guesses=g, graph=[]) for g in guesses), *longer],
    )


@forged("guessed")
def guessed_twice(model: Model) -> Certificate:
    """One part is guessed twice, and the last guess is taken: a, in either section."""
    return _guessing(model, ((0, "b"), (0, "a")), ((0, "a"), (0, "a")))


@forged("guessed")
def guessed_unlike(model: Model) -> Certificate:
    """Some sections guess one part, some two, and the contexts that begin with a are counted
    twice.
    """
    return _guessing(model, ((0, "a"),), ((0, "a"), (1, "a")))
