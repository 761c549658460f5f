"""Wrong by what is kept in files: checkpoints of another run, exports whose norms do not
vanish, texts that are avoided.

    resumed     a right and a wrong model with one checkpoint        said_resumed
    exported    a right model that its export cannot hold            said_exported
    avoided     a text that is reached, spelled with other tokens    said_avoided

Rules of this file: each `said_` answers in the words of verification: `checked` where the wrong
one is called right.
"""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import plain

from directed.rounding import LETTERS, power
from directed.wrong import Wrong
from handcraft import (
    MLP,
    Block,
    Head,
    Neuron,
    Program,
    local,
    position,
    residual,
    scratch,
    token,
)
from handcraft.analysis.reachability import avoid
from handcraft.analysis.states import explore
from handcraft.core.errors import HandcraftError
from handcraft.model import Model
from handcraft.proof import Spread, verify
from handcraft.proof.enumerate.checkpoint import Book
from handcraft.proof.enumerate.identity import identity
from handcraft.proof.enumerate.units import Units, Work
from handcraft.runtimes.exporting import export
from handcraft.sequence.words import lookup, own, token_at


@dataclass(frozen=True)
class Resumed(Wrong):
    """A wrong one, and the right one whose checkpoint it is given."""

    first: Wrong | None = None


def resumed(random: Random) -> Resumed:
    """A claim on a lane; the checkpoint is of a model of the same weights, another lane of
    which has that name.
    """
    tokens, n = random.sample(LETTERS, 2), random.randint(2, 4)
    a, b = tokens
    names = random.sample("uvwxyz", 2)
    size = power(random, -2, 4)
    m = local("m", "12")

    def one(order: list[str]) -> dict[str, Any]:
        p, t, lanes = (
            position(n),
            token(tokens),
            {name: scratch(name) for name in sorted(names)},
        )
        first, second = (lanes[name] for name in order)
        head = Head(
            query=1024 * p,
            key=p,
            value={m["1"]: size * t[a] - size * t[b], m["2"]: size * p[0]},
            adds={first: m["1"], second: m["1"] + 3 * m["2"]},
        )
        slots = [lanes[name] for name in order]
        return {"embedding": (p, t, *slots), "layers": (head,)}

    value: Any = int(size) if size >= 1 else None
    rule = (
        lookup({a: value, b: -value}, own)
        if value
        else lookup({a: 1, b: -1}, own)
    )
    if not value:
        size = 1.0
    claim = lambda: residual(names[0], rule)  # noqa: E731
    context = (random.choice(tokens),)
    claimed = float(value or 1) * (1 if context[0] == a else -1)
    right = Wrong(one(names), claim, context, claimed, lane=names[0])
    return Resumed(
        one(names[::-1]), claim, context, claimed, lane=names[0], first=right
    )


def said_resumed(wrong: Wrong) -> str:
    """What is said of it with the checkpoint of the other one, of which all but the last unit
    is counted.
    """
    assert isinstance(wrong, Resumed)
    assert wrong.first is not None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint"
        model = wrong.first.model()
        claim: Any = model.program.claim if model.program else None
        units = replace(
            Units.of(model), most=len(model.vocabulary) ** (model.n_ctx - 1)
        )
        work = Work(model, claim, units, False, identity(model, claim, units))
        with Book(work, path) as book:
            for index in book.missing()[:-1]:
                book.enter(index, work.count(index)[0])
        kept, Units.of = (
            Units.of,
            classmethod(
                lambda cls, other: replace(kept(other), most=units.most)
            ),
        )  # type: ignore[assignment, method-assign]
        try:
            return str(
                verify(
                    wrong.model(),
                    methods=("exhaustive",),
                    spread=Spread(checkpoint=path),
                ).verdict
            )
        except HandcraftError:
            return "error"
        finally:
            Units.of = kept  # type: ignore[method-assign]


# ------------------------------------------------------------ exports


def exported(random: Random) -> Wrong:
    """Right, and too large in rare contexts for norms that do nothing: after so many of one
    token in a row.
    """
    tokens, n = random.sample(LETTERS, 2), random.randint(14, 17)
    a, b = tokens
    p, t, c, w = position(n), token(tokens), scratch("c"), scratch("w")
    mean = Head(query=0 * p, key=0 * p, value={c: t[b]}, adds={c: c})
    far = power(random, 48, 64)
    rare = MLP(
        [Neuron(when=2.0**10 * p[n - 1] - 2.0**10 * 10 * c, adds={w: far})]
    )
    look = Head(query={c: 1024.0}, key={c: p[0]}, value=t, adds=64 * t)
    fields = {
        "embedding": (p, t, c, w),
        "layers": (Block([mean], rare), look),
        "activation": "relu",
    }
    return Wrong(fields, lambda: token_at(0), (b, *[a] * (n - 1)), b)


def exceeds(wrong: Wrong) -> bool:
    """Whether a lane of the stream is beyond what either norm holds, 2^28, after its context:
    by plain.py.
    """
    model = Model.of(Program(**wrong.fields, name="directed"))
    most = float(
        np.abs(
            plain.stream(model, model.vocabulary.encode(wrong.context))
        ).max()
    )
    return math.isfinite(most) and most > 2.0**28


def said_exported(wrong: Wrong) -> str:
    """Whether an export is written."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            export(wrong.model(), "gpt2", Path(folder) / "out")
        except HandcraftError:
            return "error"
        return "checked"


# ------------------------------------------------------------ texts to avoid


def avoided(random: Random) -> Wrong:
    """The ring of two letters, whose texts are spelled letter by letter; their pair is a token,
    too.
    """
    a, b = random.sample(LETTERS, 2)
    n = random.randint(2, 4)
    pair = random.choice([a + b, b + a, a + b + a])
    p, t = position(n + len(pair) - 2), token([a, b, pair])
    head = Head(
        query=1024 * p,
        key=p,
        value=t,
        adds={t[b]: 4096 * t[a], t[a]: 4096 * t[b] + 4096 * t[pair]},
    )
    return Wrong(
        {"embedding": (p, t), "layers": (head,)},
        lambda: token_at(0),
        (random.choice([a, b]),),
        pair,
    )


def passes(wrong: Wrong) -> bool:
    """Whether the text, in `claimed`, is said on the way: by plain.py, token by token."""
    model = Model.of(Program(**wrong.fields, name="directed"))
    ids = model.vocabulary.encode(wrong.context)
    for _ in range(model.n_ctx + 3):
        best = plain.first_of(plain.last(model, ids[-model.n_ctx :]))
        ids = [*ids, best] if best is not None else ids
    return wrong.claimed in model.vocabulary.decode(ids)


def said_avoided(wrong: Wrong) -> str:
    """What is said of the text: `checked` where it is never reached."""
    model = Model.of(Program(**wrong.fields, name="directed"))
    try:
        found = avoid(
            explore(model, ["".join(wrong.context)], floor=1e-9), wrong.claimed
        )
    except HandcraftError:
        return "error"
    return {"never": "checked", "reached": "refuted"}.get(
        found.verdict, "unknown"
    )
