"""Certificates forged by hand: each is accepted where one certain check of the checker is missing.

`FORGED[name](model)` is a certificate for the program of that name. Rules of this file: a
certificate states nothing of its own but where its numbers are in question; what the checker
would find is filled in by who asks it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from handcraft import Program
from handcraft.claims.kinds import answers
from handcraft.model import Model
from handcraft.proof.assumptions import ASSUMPTIONS
from handcraft.proof.checker import Certificate
from handcraft.proof.checker.certificate import (
    HeadQuery,
    Section,
    claim_hash,
    weights_hash,
)
from handcraft.proof.checker.claim_expression import parts_of
from handcraft.proof.checker.network import Network
from handcraft.sequence.words import lookup, token_at
from leftout.programs import WRONG
from leftout.sides import drafted, stated, unruled

GAP = 80.0
Graph = list[list[list[int]]]


def blank(model: Model, sections: Sequence[Section], **fields: Any) -> Certificate:
    """A certificate for a model: every token at every position, one state of earlier ones;
    group 0 holds all tokens.
    """
    tokens = list(range(len(model.vocabulary)))
    n = fields.pop("n", model.n_ctx)
    whole: dict[str, Any] = {
        "program": model.name,
        "weights": weights_hash(model),
        "claim": claim_hash(model),
        "dtype": model.dtype,
        "n_ctx": model.n_ctx,
        "contexts": 0,
        "checked": 0,
        "margin": None,
        "margin_at": [],
        "error": 0.0,
        "assumptions": list(ASSUMPTIONS),
        "seconds": 0.0,
        "alphabet": [],
        "groups": [tokens, *([t] for t in tokens)],
        "tokens": [tokens] * n,
        "after": [[[0] * len(tokens)]] * n,
        "followed": {},
        "sections": list(sections),
    }
    return Certificate(**(whole | fields))


def slots(
    model: Model,
    level: int,
    ids: Sequence[int],
    layers: Sequence[int] | None = None,
    known: Any = None,
) -> tuple[HeadQuery, ...]:
    """What each head of these layers (all of them) asks at a position after these tokens, by
    the stream's embedding alone.
    """
    network = Network(model)
    x = network.embed(np.array(ids), np.full(len(ids), level))
    found = []
    for head in (
        head
        for row in network.heads
        for head in row
        if layers is None or head.layer in layers
    ):
        q = network.floats.linear(x.plain(), *head.q).plain()
        low, high = (q.c - q.r).min(axis=0), (q.c + q.r).max(axis=0)
        c, r = (low + high) / 2, (high - low) / 2
        box = (c.tolist(), r.tolist()) if known is None else known
        found.append(
            HeadQuery((head.layer, head.number), box, GAP, (-1e9,) * (level + 1))
        )
    return tuple(found)


def section(
    model: Model,
    level: int,
    ids: Sequence[int] | None = None,
    graph: Graph | None = None,
    **fields: Any,
) -> Section:
    """The contexts that end at a position with one of these tokens, all as one state, whatever
    the claim remembers.
    """
    ids = list(range(len(model.vocabulary))) if ids is None else list(ids)
    whole: dict[str, Any] = {
        "finals": tuple((level, t) for t in ids),
        "end": None,
        "guesses": (),
        "order": None,
        "slots": fields.pop("slots", None) or slots(model, level, ids),
        "graph": [[[0, 0]]] * level if graph is None else graph,
    }
    return Section(**(whole | fields))


def every(model: Model, **fields: Any) -> list[Section]:
    """A section for each length."""
    return [section(model, level, **fields) for level in range(model.n_ctx)]


def transplanted(model: Model, right: Callable[[], Program]) -> Certificate:
    """The certificate of another program, offered as this one's."""
    with unruled():
        own = drafted(Model.of(right(), model.dtype))
    return replace(
        own,
        alphabet=[0],
        program=model.name,
        weights=weights_hash(model),
        claim=claim_hash(model),
        n_ctx=model.n_ctx,
    )


FORGED: dict[str, Callable[[Model], Certificate]] = {}


def forged(
    program: str,
) -> Callable[[Callable[[Model], Certificate]], Callable[[Model], Certificate]]:
    """Enters a certificate as PROGRAM/FUNCTION."""

    def enter(make: Callable[[Model], Certificate]) -> Callable[[Model], Certificate]:
        FORGED[f"{program}/{make.__name__}"] = make
        return make

    return enter


# ------------------------------------------------------------ which contexts there are


@forged("says_a")
def dropped(model: Model) -> Certificate:
    """No section holds the contexts that end in b."""
    return blank(model, [section(model, level, [0]) for level in range(model.n_ctx)])


@forged("says_a")
def counted_twice(model: Model) -> Certificate:
    """Those that end in a are there twice, those that end in b nowhere."""
    return blank(
        model,
        [section(model, level, [0]) for level in range(model.n_ctx) for _ in range(2)],
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


def _kept(model: Model, states: list[list[list[int]]], **fields: Any) -> Certificate:
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
        section(model, level, slots=(HeadQuery((1, 0), None, GAP, (-1e9, -1e9)),))
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
        ((1, eq),), 1, (), (1, 0), slots(model, 1, [eq], layers=[1]), [[[0, 0]], [[]]]
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
    floors = tuple(replace(slot, floor=(-1e9,) * 3, gap=20.0) for slot in whole.slots)
    return blank(model, [replace(whole, slots=floors, graph=[[[0, 0]], [[0, 0]]])])


# ------------------------------------------------------------ guesses


def _guessing(model: Model, *guesses: Any) -> Certificate:
    """A section for each of these, with a state for each first token."""
    longer = [section(model, 1, guesses=g, graph=[[[1, 0, 2, 1]]]) for g in guesses]
    return blank(
        model, [*(section(model, 0, guesses=g, graph=[]) for g in guesses), *longer]
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


# ------------------------------------------------------------ answers


@forged("length_of_text")
def as_of_one(model: Model) -> Certificate:
    """The certificate of answers of one token."""
    return transplanted(
        model,
        lambda: _with_claim(
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
        lambda: _with_claim(
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
    own = Section(((1, eq),), 1, (), (1, 1), slots(model, 1, [eq]), [[[0, 0]], [[]]])
    return blank(model, [own], alphabet=[2])


@forged("swapped_answer")
def swapped_places(model: Model) -> Certificate:
    """The second token of the answer is read before the first one."""
    p, x, y = (model.vocabulary.ids[c] for c in "pxy")
    one = Section(((0, p),), 0, (), (0,), slots(model, 0, [p]), [[[]]])
    two = Section(((1, x),), 0, (), (0, 1), slots(model, 1, [x]), [[[0, 0]], [[]]])
    three = Section(
        ((2, x),), 0, (), (0, 2, 1), slots(model, 2, [x]), [[[0, 0]], [[0, 0]], [[]]]
    )
    return blank(model, [one, two, three], alphabet=[x, y])


# ------------------------------------------------------------ the greatest of many


def _pairs(
    model: Model, sections: Sequence[Section] | None = None, **fields: Any
) -> Certificate:
    last = (
        [model.n_ctx - 1]
        if hasattr(model.program.claim, "prompts")
        else range(model.n_ctx)
    )  # type: ignore[union-attr]
    own = (
        [replace(section(model, level), graph=None) for level in last]
        if sections is None
        else sections
    )
    return blank(model, own, **fields)


@forged("lane_of_votes")
def pairs_of_a_lane(model: Model) -> Certificate:
    """Pairs of logits, for a claim on a lane."""
    return _pairs(model)


@forged("votes_with_stop")
def pairs_and_a_stop(model: Model) -> Certificate:
    """Pairs of logits, for answers that must be the stop token."""
    return _pairs(
        model, [replace(section(model, level), graph=None) for level in range(2)]
    )


@forged("spoiled_first")
def pairs_of_the_longest(model: Model) -> Certificate:
    """No section holds the contexts of one token."""
    return _pairs(model, [replace(section(model, 1), graph=None)])


@forged("greatest_first_place")
def pairs_of_places(model: Model) -> Certificate:
    """Places are added up as if they were counts."""
    return _pairs(model)


@forged("unequal_counts")
def pairs_of_unlike_counts(model: Model) -> Certificate:
    """The counts do not count the same of each token."""
    return _pairs(model)


@forged("votes_of_tokens")
def pairs_of_tokens(model: Model) -> Certificate:
    """Tokens are compared."""
    return _pairs(model)


@forged("second_voter")
def pairs_of_one_head(model: Model) -> Certificate:
    """The second head is not asked."""
    return _pairs(
        model, [replace(own, graph=None, slots=own.slots[:1]) for own in every(model)]
    )


@forged("neuron_behind")
def pairs_without_neurons(model: Model) -> Certificate:
    """The neuron behind the last head is passed over."""
    return _pairs(model)


@forged("spoiled_last")
def ghost_pairs(model: Model) -> Certificate:
    """Contexts that end in a or b are there twice, told apart by a guess that nobody reads; the
    others nowhere.
    """
    own = [section(model, 0, [0, 1], guesses=((0, i),)) for i in (1, 2)]
    return _pairs(model, [replace(one, graph=None) for one in own])


@forged("spoiled_last")
def listed_twice(model: Model) -> Certificate:
    """Of the four tokens two are listed, each of them twice."""
    own = [replace(section(model, 0, [0, 1]), graph=None)]
    return _pairs(model, own, tokens=[[0, 1, 0, 1]])


# ------------------------------------------------------------ what is stated


def _honest(model: Model) -> Certificate:
    return stated(model, drafted(model))


@forged("right")
def more_contexts(model: Model) -> Certificate:
    """It states one context more than there are."""
    own = _honest(model)
    return replace(own, contexts=own.contexts + 1)


@forged("right")
def greater_margin(model: Model) -> Certificate:
    """It states twice the margin."""
    own = _honest(model)
    return replace(own, margin=2 * (own.margin or 0.0))


@forged("right")
def smaller_error(model: Model) -> Certificate:
    """It states half the error."""
    own = _honest(model)
    return replace(own, error=-1.0)


@forged("right")
def elsewhere(model: Model) -> Certificate:
    """It names another context for its bound."""
    return replace(_honest(model), margin_at=["b", "b", "b"])


def _with_claim(make: Callable[[], Program], claim: Callable[[], Any]) -> Program:
    program = make()
    with unruled():
        fields = {
            name: getattr(program, name) for name in type(program).model_fields
        } | {"claim": claim()}
        return Program(**fields)
