"""Certificates forged in the answers, and in what a transducer reads."""

from __future__ import annotations

from handcraft.claims.words import answers
from handcraft.model import Model
from handcraft.proof.checker import Certificate
from handcraft.proof.checker.certificate import Section
from handcraft.sequence.words import lookup, token_at
from leftout.forging import (
    Forge,
    blank,
    entered,
    section,
    slots,
    transplanted,
    with_claim,
)
from leftout.programs import WRONG

FORGED: dict[str, Forge] = {}
forged = entered(FORGED)


@forged("length_of_text")
def as_of_one(model: Model) -> Certificate:
    """The certificate of answers of one token."""
    return transplanted(
        model,
        lambda: with_claim(
            WRONG["length_of_text"],
            lambda: answers(
                "[ab]", lookup({"a": "a", "b": "a"}, token_at(0)), length=1
            ),
        ),
    )


@forged("length_of_text")
def as_of_none(model: Model) -> Certificate:
    """The end of the prompt is fixed, and nothing stands behind it: as if the prompt held no a."""
    return blank(model, [section(model, 0, end=0)])


@forged("second_token")
def first_token_only(model: Model) -> Certificate:
    """The certificate of answers of one token."""
    return transplanted(
        model,
        lambda: with_claim(
            WRONG["second_token"],
            lambda: answers(
                "[ab]", lookup({"a": "a", "b": "a"}, token_at(0)), length=1
            ),
        ),
    )


@forged("other_letters")
def small_alphabet(model: Model) -> Certificate:
    """Behind the prompt the sections go on with y alone, the answer with x."""
    one = section(model, 0, [0], end=0, slots=slots(model, 0, [0]))
    two = section(model, 1, [2], end=0, slots=slots(model, 1, [2]))
    return blank(model, [one, two], alphabet=[2])


@forged("unread")
def read_again(model: Model) -> Certificate:
    """The last position is read twice, the first one never."""
    eq = model.vocabulary.ids["="]
    own = Section(
        ((1, eq),), 1, (), (1, 1), slots(model, 1, [eq]), [[[0, 0]], [[]]]
    )
    return blank(model, [own], alphabet=[2])


@forged("swapped_answer")
def swapped_places(model: Model) -> Certificate:
    """The second token of the answer is read before the first one."""
    p, x, y = (model.vocabulary.ids[c] for c in "pxy")
    one = Section(((0, p),), 0, (), (0,), slots(model, 0, [p]), [[[]]])
    two = Section(
        ((1, x),), 0, (), (0, 1), slots(model, 1, [x]), [[[0, 0]], [[]]]
    )
    three = Section(
        ((2, x),),
        0,
        (),
        (0, 2, 1),
        slots(model, 2, [x]),
        [[[0, 0]], [[0, 0]], [[]]],
    )
    return blank(model, [one, two, three], alphabet=[x, y])
