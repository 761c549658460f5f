"""Renderables of a chain of states: its table, its classes, and the answer to `--avoid`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from handcraft.analysis.reachability import Avoided
from handcraft.analysis.states import Chain
from handcraft.results.tables import MAX_RULES, plain_table, quoted_token, safe

_MAX_STATES = 64  # rows of a table of states
MAX_NEXT = 6  # tokens that may follow a state


def states_table(chain: Chain, avoided: Avoided | None) -> RenderableType:
    """The chain over contexts, and whether the text to avoid is reached."""
    parts: list[RenderableType] = []
    if chain.complete:
        parts += [*_summary(chain), Text(""), _states(chain)]
    if parts and avoided:
        parts.append(Text(""))
    if avoided:
        parts += _avoided(avoided)
    return Group(*parts)


def _summary(chain: Chain) -> Iterable[Text]:
    sizes = f"{len(chain.states)} states, {len(chain.edges)} edges"
    floor = f", probabilities above {chain.floor:g}" if chain.floor else ""
    title = f"{chain.model.name}: {sizes}, from {chain.origin}{floor}"
    yield safe(title, "bold")
    lasting = [found for found in chain.closed if not found.absorbing]
    for found in lasting[:MAX_RULES]:
        size = f"{len(found.states)} states that lead to each other"
        yield safe(f"  closed      {size}, period {found.period}")
    if len(lasting) > MAX_RULES:
        more = len(lasting) - MAX_RULES
        yield safe(f"  closed      ... and {more} more classes", "dim")
    yield safe(f"  absorbing   {len(chain.closed) - len(lasting)}")
    yield safe(f"  transient   {len(chain.transient)}")


def _states(chain: Chain) -> RenderableType:
    table = plain_table()
    table.add_column("context", overflow="fold")
    table.add_column("share of time", overflow="fold", justify="right")
    table.add_column("part", overflow="fold")
    table.add_column("next", overflow="fold")
    for i in range(min(_MAX_STATES, len(chain.states))):
        table.add_row(*_row(chain, i))
    more = len(chain.states) - _MAX_STATES
    if more <= 0:
        return table
    return Group(table, safe(f"... and {more} more; --json has all", "dim"))


def _row(chain: Chain, state: int) -> list[Text]:
    where, share = chain.place.get(state, (None, None))
    if where is None:
        part = safe("transient", "dim")
    elif chain.closed[where].absorbing:
        part = safe("absorbing")
    else:
        part = safe(f"closed {where + 1}")
    shown = "·" if share is None else f"{share:.3g}"
    return [
        safe(chain.label(state)),
        safe(shown),
        part,
        safe(_next(chain, state)),
    ]


def _next(chain: Chain, state: int) -> str:
    """The likeliest tokens that may follow, with their probabilities."""
    row = sorted(chain.rows[state].items(), key=lambda item: -item[1])
    tokens = [(chain.token(state, target), p) for target, p in row[:MAX_NEXT]]
    shown = ", ".join(
        f"{quoted_token(token)} {p:.3g}"
        for token, p in tokens
        if token is not None
    )
    return shown + (
        f" and {len(row) - MAX_NEXT} more" if len(row) > MAX_NEXT else ""
    )


def _avoided(found: Avoided) -> Iterator[RenderableType]:
    """The answer to --avoid, with the path where there is one."""
    chain = found.chain
    n = len(found.steps)
    if found.verdict == "never":
        starts = (
            "the start"
            if found.allowed == 1
            else f"the {found.allowed} starts without it"
        )
        steps = f"by tokens of probability above {chain.floor:g}"
        yield safe(
            f"no context with '{found.label}' can be reached from {starts} {steps}",
            "bold green",
        )
    elif found.verdict == "undecided":
        yield safe(
            f"whether '{found.label}' is reached is undecided: the search ended at the"
            f" limit of {chain.limit} states",
            "yellow",
        )
    else:
        yield safe(
            f"'{found.label}' is reached in {n} step{'s' if n > 1 else ''}",
            "bold red",
        )
        yield safe(f"  {chain.label(found.path[0])}")
        for state, token, p in found.steps:
            step = f"by {quoted_token(token or '')}, probability {p:.3g}"
            yield safe(f"  {chain.label(state)}  {step}")
