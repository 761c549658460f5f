"""The rule of a claim as a node: tables of endings, tables of answers and transducers included.

    rule_of(core, claim, asked, vocabulary)   the node of the next token, in the claim's positions

Rules of this file: a rule that a claim states as data is turned into the same expression that an
author could have written; what cannot be is a Refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from handcraft.claims.answers import Table
from handcraft.claims.kinds import After, Claim
from handcraft.claims.prompt_claim import Answers
from handcraft.claims.right_tokens import tokens_of
from handcraft.claims.transducer import Transducer
from handcraft.core.vocabulary import Vocabulary
from handcraft.lowering.prompts.asked import Demand
from handcraft.lowering.reading.automata import Cycle, Reset, machine_of
from handcraft.lowering.reading.core import Core
from handcraft.lowering.reading.nodes import Node
from handcraft.lowering.refusals import Refused
from handcraft.sequence.expression import Expression
from handcraft.sequence.values import Value


def rule_of(
    core: Core, claim: Claim, asked: Demand, vocabulary: Vocabulary
) -> Node:
    """The node of the token that follows."""
    if isinstance(claim, After):
        return _of_endings(core, claim, vocabulary)
    if claim.measures == "lane" or claim.whole_text:
        raise Refused(
            core.make("claim", data=claim.kind),
            "speaks of a lane"
            if claim.measures == "lane"
            else "speaks of whole texts",
            "a claim on the next token; tag(e, tokens=, n=) answers at every position",
        )
    rule = claim.rule
    if isinstance(rule, Expression):
        return core.of(rule)
    if isinstance(claim, Answers) and isinstance(rule, Table):
        return _of_table(core, claim, rule, asked, vocabulary)
    if isinstance(rule, Transducer):
        return _of_transducer(core, rule, asked)
    raise Refused(
        core.make("claim", data=claim.kind),
        "is decided by a Python function, of which only its values are known",
        "an expression of handcraft.sequence",
    )


def _token_at(core: Core, place: Node) -> Node:
    return core.at(place, core.token, None)


def _back(core: Core, i: int) -> Node:
    """The token i positions before."""
    place = core.make("subtract", core.index, core.constant(i))
    return _token_at(core, place)


def _of_endings(core: Core, claim: After, vocabulary: Vocabulary) -> Node:
    """The longest matching ending: a lookup for each length, the longest first."""
    by_length: dict[int, dict[tuple[str, ...], str]] = {}
    for ending, right in claim.endings(vocabulary).items():
        rows = by_length.setdefault(len(ending), {})
        rows[ending] = min(tokens_of(right))
    found: Node | None = None
    for length in sorted(by_length):
        rows = by_length[length]
        read = [_back(core, length - 1 - i) for i in range(length)]
        row = core.make("lookup", *read, data=tuple(rows.items()))
        if not length:
            row = core.constant(rows[()])
        found = row if found is None else core.make("otherwise", row, found)
    return core.constant(None) if found is None else found


def _of_table(
    core: Core,
    claim: Answers,
    rule: Table,
    asked: Demand,
    vocabulary: Vocabulary,
) -> Node:
    """A lookup of the tokens of the prompt, and of the place in the answer."""
    prompts = [vocabulary.split(prompt) for prompt, _ in rule.table]
    lengths = {len(prompt) for prompt in prompts}
    if len(asked.ends) > 1 or len(lengths) > 1:
        raise Refused(
            core.make("claim", data=claim.kind),
            "is a table of prompts of several lengths",
            "prompts of one length, or an expression",
        )
    differ = [
        i
        for i, column in enumerate(zip(*prompts, strict=True))
        if len(set(column)) > 1
    ]
    read = [_token_at(core, core.constant(i)) for i in differ]
    rows: dict[tuple[Any, ...], str] = {}
    for prompt, (_, answer) in zip(prompts, rule.table, strict=True):
        tokens = [*vocabulary.split(answer)] if answer else []
        if claim.stop is not None and tokens[-1:] != [claim.stop]:
            tokens.append(claim.stop)
        for k, token in enumerate(tokens):
            key = (len(prompt) - 1 + k, *(prompt[i] for i in differ))
            rows[key] = token
    return core.make("lookup", core.index, *read, data=tuple(rows.items()))


# ---------------------------------------------------------------- transducers


def _of_transducer(core: Core, rule: Transducer, asked: Demand) -> Node:
    """The row of the state before a step and of the tokens that it reads."""
    rows = rule.rows
    symbols = tuple(dict.fromkeys(key[1:] for key in rows))
    machine = machine_of(
        rule.start,
        lambda state, read: rows.get((state, *read), ("", state))[1],
        symbols,
    )
    here = core.make("transducer", data=f"of {len(rows)} rows")
    if len(asked.ends) > 1:
        raise Refused(
            here,
            "writes behind prompts of several lengths",
            "prompts of one length",
        )
    end = core.constant(min(asked.ends))
    step = core.make("subtract", core.index, end)
    if isinstance(machine, Reset):
        state = _latest_state(core, rule, machine, step, end)
    elif isinstance(machine, Cycle):
        state = _turned_state(core, rule, machine, step, end)
    else:
        raise Refused(
            here,
            "has a state that is neither that of the latest symbol that decides nor a sum"
            " modulo the number of states",
            "a table in which each symbol keeps the state, or leads to one whatever it was",
        )
    read = _inputs(core, rule, step)
    written = tuple((key, token) for key, (token, _) in rows.items())
    return core.make("lookup", state, *read, data=written)


def _inputs(core: Core, rule: Transducer, step: Node) -> list[Node]:
    """The tokens at the positions of a step."""
    end = core.make("end")
    return [
        _token_at(core, _placed(core, core.of(place), step, end))
        for place in rule.inputs
    ]


def _placed(core: Core, node: Node, step: Node, end: Node) -> Node:
    if node.op == "step":
        return step
    args = [_placed(core, arg, step, end) for arg in node.args]
    return core.make(node.op, *args, data=node.data) if args else node


def _before(
    core: Core, rule: Transducer, step: Node, end: Node, rows: Any, start: Value
) -> Node:
    """The value that the symbol of the step before has in a table; `start` up to the first step."""
    last = core.make("subtract", step, core.constant(1))
    said = core.make("lookup", *_inputs(core, rule, last), data=rows)
    begun = core.make("below", end, core.index)
    return core.make("cases", begun, said, core.constant(start))


def _latest_state(
    core: Core, rule: Transducer, machine: Reset, step: Node, end: Node
) -> Node:
    """The state that the latest symbol leads to which does not keep it."""
    if not machine.leads:
        return core.constant(machine.start)
    rows = tuple(machine.leads.items())
    leads = _before(core, rule, step, end, rows, machine.start)
    there = core.there(leads)
    decides = core.make(
        "otherwise", core.make("equal", there, there), core.constant(0)
    )
    place = core.select("latest", decides)
    return core.at(place, leads, None)


def _turned_state(
    core: Core, rule: Transducer, machine: Cycle, step: Node, end: Node
) -> Node:
    """The state that all symbols turn it to."""
    rows = tuple(machine.turns.items())
    by = _before(core, rule, step, end, rows, 0)
    number = core.make("otherwise", by, core.constant(0))
    total = core.select("total", core.true, number)
    turned = core.make("modulo", total, core.constant(len(machine.states)))
    states: Sequence[Any] = [((i,), s) for i, s in enumerate(machine.states)]
    return core.make("lookup", turned, data=tuple(states))
