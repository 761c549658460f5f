"""Renderables of a comparison: the scores of two models, their chains, heads and neurons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from rich.console import Group, RenderableType
from rich.text import Text

from handcraft.core.errors import in_quotes, printable
from handcraft.results.tables import above, plain_table, quoted_token, safe
from handcraft.training.comparing.ablations import Ablated, Ablations
from handcraft.training.comparing.chains import ChainRow, StateOf
from handcraft.training.comparing.comparison import Comparison, ModelReport
from handcraft.training.comparing.patterns import (
    HeadName,
    by_distance,
    head_name,
)
from handcraft.training.comparing.scores import SameTokens

_MAX_STATES = 16  # rows of a chain: those in which the two differ most
_MAX_HEADS = 32  # of each model
_MAX_NEURONS = 8  # of each model: those without which it does worst
_NEXT = 4  # tokens after a context
_ENTRIES = 2  # of a circuit
_LETTERS = ("A", "B")


def comparison_table(
    found: Comparison, *, on_page: bool = False
) -> RenderableType:
    """All of a comparison; with a hint at its page, where that is not what is written."""
    hint = "-o FILE.html writes a page of this, with both at work"
    parts = [
        _summary(found),
        _chain(found),
        _heads(found),
        *_neurons(found),
        None if on_page else safe(hint, "dim"),
    ]
    return above(*(part for part in parts if part is not None))


# ---------------------------------------------------------------- scores


def _summary(found: Comparison) -> RenderableType:
    a, b = (one.model.name for one in found.both)
    held = (
        f", held to the claim of {found.origin}"
        if found.origin
        else ", without a claim on tokens"
    )
    table = plain_table()
    table.add_column("")
    for letter, name in zip(_LETTERS, (a, b), strict=True):
        table.add_column(safe(f"{letter}: {name}"), justify="right")
    for title, cells in _rows(found):
        table.add_row(safe(title), *map(safe, cells))
    lines = [safe(line) for line in _agreement(found)]
    return Group(safe(f"{a} beside {b}{held}", "bold"), table, *lines)


def _rows(found: Comparison) -> Iterator[tuple[str, list[str]]]:
    """The title of each row, and a cell for each model."""
    scores = [one.score for one in found.both if one.score is not None]
    if scores:
        unit = found.contexts.unit
        yield f"{unit}s right", [f"{s.right:,} of {s.asked:,}" for s in scores]
        yield "accuracy", [f"{s.accuracy:.4%}" for s in scores]
        yield "loss, nats a token", [f"{s.loss:.6f}" for s in scores]
    if scores and scores[0].within is not None:
        within = [f"{s.within:,} of {s.asked:,}" for s in scores]
        yield "within the tolerance", within
        yield "largest error", [f"{s.max_error:.3g}" for s in scores]
    for key, title in _SIZES.items():
        yield title, [f"{one.sizes[key]:,}" for one in found.both]


_SIZES = {
    "dense": "weights",
    "nonzero": "not zero",
    "distinct": "distinct",
    "n_layer": "layers",
    "n_head": "heads a layer",
    "n_embd": "width",
    "n_ctx": "window",
}


def _agreement(found: Comparison) -> Iterator[str]:
    contexts = found.contexts
    said = contexts.drawn or f"all {contexts.unit}s there are were asked"
    least = (
        f"; no model has a loss below {found.least_loss:.6f}"
        if found.least_loss
        else ""
    )
    yield f"{said}{least}"
    inside = "where the claim speaks" if found.origin else "in all"
    yield _same(found.same, inside, "")
    if found.outside is not None:
        how = f" ({found.outside.drawn})" if found.outside.drawn else ""
        yield _same(found.outside, "where the claim is silent", how)
    elif found.origin:
        yield "where the claim is silent: no context was found"


def _same(same: SameTokens, where: str, how: str) -> str:
    even = f", {same.even:,} more are even" if same.even else ""
    found = (
        f"{where}: the same token after {same.same:,} of"
        f" {same.contexts - same.even:,} contexts{even}{how}, probabilities"
        f" {same.distance:.3g} apart"
    )
    if same.example is None or same.predicted is None:
        return found
    shown = "".join(same.example) if _single(same) else " ".join(same.example)
    a, b = map(quoted_token, same.predicted)
    return f"{found}; after {in_quotes(shown)} A says {a} and B {b}"


def _single(same: SameTokens) -> bool:
    return all(len(token) == 1 for token in same.example or ())


# ---------------------------------------------------------------- chains


def _chain(found: Comparison) -> RenderableType:
    if isinstance(found.chains, str):
        return safe(f"no chains side by side: {found.chains}", "dim")
    rows = sorted(found.chains, key=lambda row: -row.distance)[:_MAX_STATES]
    shown: Sequence[ChainRow] = [row for row in found.chains if row in rows]
    table = plain_table()
    table.add_column("context")
    for letter in _LETTERS:
        table.add_column(f"{letter}: next")
        table.add_column("time", justify="right")
    table.add_column("apart", justify="right")
    for row in shown:
        single = all(len(token) == 1 for token in row.context)
        context = ("" if single else " ").join(row.context)
        states = [_next(row.a), _time(row.a), _next(row.b), _time(row.b)]
        table.add_row(safe(context), *map(safe, states), f"{row.distance:.3f}")
    left = len(found.chains) - len(shown)
    more = (
        [safe(f"{left} more contexts, no further apart", "dim")] if left else []
    )
    title = safe("The Markov chains: what follows each context", "bold")
    return Group(title, table, *more)


def _next(state: StateOf) -> str:
    """The likeliest tokens with their chances."""
    order = sorted(state.chances.items(), key=lambda item: -item[1])[:_NEXT]
    return ", ".join(
        f"{quoted_token(token)} {chance:.1%}" for token, chance in order
    )


def _time(state: StateOf) -> str:
    return "?" if state.share is None else f"{state.share:.1%}"


# ---------------------------------------------------------------- heads


def _heads(found: Comparison) -> RenderableType | None:
    order = _in_order(found)
    if not order:
        return None
    table = plain_table()
    for title in ("head", "attends", "looks at", "moves"):
        table.add_column(title, overflow="fold")
    table.add_column("without it", justify="right")
    for letter, report, head in order[: 2 * _MAX_HEADS]:
        table.add_row(
            f"{letter} {head_name(head)}",
            safe(_attends(report, head)),
            safe(_entries(report, head, "qk")),
            safe(_entries(report, head, "ov")),
            safe(_without(report.ablations, head_name(head))),
        )
    lines = [safe(line, "dim") for line in _remarks(found)]
    return Group(safe("The heads", "bold"), table, *lines)


def _in_order(found: Comparison) -> list[tuple[str, ModelReport, HeadName]]:
    """The heads of both models, those that are alike one below the other."""
    if found.matching is not None:
        return [
            one
            for a, b, _ in found.matching.pairs
            for one in (("A", found.a, a), ("B", found.b, b))
        ]
    return [
        (letter, report, head)
        for letter, report in zip(_LETTERS, found.both, strict=True)
        for head in list(report.seen.patterns)[:_MAX_HEADS]
    ]


def _attends(report: ModelReport, head: HeadName) -> str:
    """The distances that most of the attention goes."""
    shares = by_distance(report.seen.patterns[head])
    order = np.argsort(-shares, kind="stable")[:_ENTRIES].tolist()
    return ", ".join(
        f"{f'{back} back' if back else 'itself'} {shares[back]:.0%}"
        for back in order
        if shares[back] >= 0.005
    )


def _entries(report: ModelReport, head: HeadName, name: str) -> str:
    """The strongest entries of a circuit."""
    if report.circuits is None:
        return "too many tokens"
    strongest = report.circuits[head].strongest(name, _ENTRIES)
    entries = (
        f"{row} -> {column} {value:+.4g}" for row, column, value in strongest
    )
    return ", ".join(entries) or "nothing"


def _without(ablated: Ablations | None, part: str) -> str:
    """What becomes of a model without a head."""
    rows = ablated.heads if ablated else ()
    return next((_worth(one) for one in rows if one.part == part), "")


def _worth(one: Ablated) -> str:
    return f"{one.score.accuracy:.1%}, {one.score.loss:.4g} nats"


def _remarks(found: Comparison) -> Iterator[str]:
    yield (
        "attends: how far back all queries together look; looks at (QK, query -> key) and"
        " moves (OV, read -> logit): straight from the embedding and to the logits, @0 is"
        " the first position"
    )
    if found.matching is not None:
        how = "best" if found.matching.exact else "cheapest first"
        total = sum(distance for _, _, distance in found.matching.pairs)
        yield (
            f"heads are matched by their mean attention patterns ({how}), {total:.3g} apart"
            " together"
        )
    if max(len(report.seen.patterns) for report in found.both) > _MAX_HEADS:
        yield f"the first {_MAX_HEADS} of each model: --json has them all"
    for letter, report in zip(_LETTERS, found.both, strict=True):
        if (one := report.ablations) is not None and one.left_out:
            yield f"{letter}: {one.left_out} would be too much work to leave out one by one"
        if one is not None and one.drawn != found.contexts.drawn:
            yield f"{letter}: without a part, {one.drawn}"


# ---------------------------------------------------------------- neurons


def _neurons(found: Comparison) -> Iterator[RenderableType]:
    both = zip(_LETTERS, found.both, strict=True)
    rows = [
        (letter, one)
        for letter, report in both
        if report.ablations is not None
        for one in _worst(report.ablations.neurons)
    ]
    if not rows:
        return
    table = plain_table()
    table.add_column("neuron")
    table.add_column("without it", justify="right")
    for letter, one in rows:
        table.add_row(f"{letter} {printable(one.part)}", safe(_worth(one)))
    title = "The neurons without which a model does worst"
    yield Group(Text(title, "bold"), table)


def _worst(neurons: Sequence[Ablated]) -> list[Ablated]:
    return sorted(neurons, key=lambda one: -one.score.loss)[:_MAX_NEURONS]
