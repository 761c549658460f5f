"""Programs from finite automata: step by step with a scratchpad, or in one pass of logarithmic
depth.

    scratchpad  ^w= is answered with the states q1 q2 ... qn: the states are tokens, written
                down as they come. Two heads find the = and fetch the next symbol; one neuron
                for each (state, symbol) writes the next state
    one pass    ^w is answered with the last state: each position holds a map from states to
                states, first of its symbol, then, layer by layer, of twice as many symbols;
                |Q|^3 neurons compose two maps

Sources: Liu et al., "Transformers Learn Shortcuts to Automata", 2023 (the log-depth
composition); "The Transformer Cookbook", Yang et al., 2026.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from handcraft.claims.kinds import Answers, answers
from handcraft.core.errors import MissingExtraError, ProgramError, printable
from handcraft.core.frozen import caller
from handcraft.language.rules import MLP, Block, Neuron
from handcraft.language.slots import Slot, scratch, slot, token
from handcraft.program.program import Program
from handcraft.recipes.attention import addresses, attend_to, attend_where
from handcraft.recipes.neurons import conjunction
from handcraft.sequence.words import end, lookup, own, token_at
from handcraft.sequence.words import here as latest
from handcraft.sequence.words import state as state_after

Delta = Mapping[str, Mapping[str, str]]  # state -> symbol -> state
_GAIN = 50.0


def from_automaton(
    delta: Delta,
    start: str,
    *,
    n_ctx: int = 32,
    scratchpad: bool = True,
    name: str = "automaton",
) -> Program:
    """The program of a complete deterministic automaton {state: {symbol: next state}}.

    scratchpad  True: ^w= is answered with every state after the start, then =. False: ^w with
                the last state only
    n_ctx       the window; words are as long as it can hold with the answer

    Raises ProgramError for an automaton that is not complete, or names that are not distinct
    single-meaning tokens.
    """
    symbols = _checked(delta, start, name)
    if n_ctx < 2:
        raise ProgramError(
            f"a window of {n_ctx} holds no word; n_ctx must be at least 2",
            (name, "n_ctx"),
            caller(),
        )
    make = _step_by_step if scratchpad else _one_pass
    return make(delta, start, symbols, n_ctx, name)


def from_regex(
    pattern: str,
    alphabet: Sequence[str],
    *,
    n_ctx: int = 32,
    scratchpad: bool = False,
    name: str = "regex",
) -> Program:
    """The program of the smallest automaton of a regular expression: its states are named Y
    (accepted) and N.

    ^w is answered with a state: names that begin with Y accept. Needs the extra `regex`.
    """
    try:
        from automata.base.exceptions import AutomatonException, RegexException
        from automata.fa.dfa import DFA
        from automata.fa.nfa import NFA
    except ImportError:
        raise MissingExtraError(
            "from_regex needs the extra `regex`: pip install 'handcraft[regex]'"
        ) from None
    try:
        dfa = DFA.from_nfa(
            NFA.from_regex(pattern, input_symbols=set(alphabet)), minify=True
        ).to_complete()
    except (AutomatonException, RegexException) as error:
        raise ProgramError(
            f"'{printable(pattern)}': {printable(str(error))}",
            (name, "pattern"),
            caller(),
        ) from None
    order = sorted(
        dfa.states, key=lambda state: (state != dfa.initial_state, str(state))
    )
    names = {
        state: f"{'Y' if state in dfa.final_states else 'N'}{i}"
        for i, state in enumerate(order)
    }
    delta = {
        names[q]: {x: names[dfa.transitions[q][x]] for x in alphabet} for q in order
    }
    return from_automaton(
        delta, names[dfa.initial_state], n_ctx=n_ctx, scratchpad=scratchpad, name=name
    )


def _checked(delta: Delta, start: str, name: str) -> tuple[str, ...]:
    """The symbols, in the declared order."""
    if start not in delta:
        raise ProgramError(
            f"the start {start!r} is not one of the states {', '.join(delta)}",
            (name, "start"),
            caller(),
        )
    symbols = tuple(delta[start])
    for state, row in delta.items():
        if set(row) != set(symbols) or any(
            target not in delta for target in row.values()
        ):
            raise ProgramError(
                f"the state {state!r} must go to a state on each of"
                f" {', '.join(symbols)}",
                (name, "delta"),
                caller(),
            )
    if not symbols:
        raise ProgramError("the automaton has no symbols", (name, "delta"), caller())
    tokens = ["^", "=", *symbols, *delta]
    clash = [x for x in symbols if len(x) != 1] + [
        b
        for j, b in enumerate(tokens)
        if j > 1
        for i, a in enumerate(tokens)
        if i != j and b.startswith(a)
    ]
    if clash:
        message = (
            f"'{printable(clash[0])}' cannot be a name: symbols are single characters,"
            " and no name begins with another, ^ or ="
        )
        raise ProgramError(message, (name, "delta"), caller())
    return symbols


def _words(symbols: Sequence[str], most: int) -> str:
    return f"[{''.join(map(re.escape, symbols))}]{{0,{most}}}"


def _step_by_step(
    delta: Delta, start: str, symbols: Sequence[str], n_ctx: int, name: str
) -> Program:
    at, now = addresses(n_ctx), token(["^", "=", *symbols, *delta])
    equals, due = (
        scratch("equals"),
        scratch("due", ("=", *symbols)),
    )  # where the = stands; the symbol to read next
    find = attend_where({now["="]: 1}, value={equals: at["p"]}, at=at, prefer="first")
    fetch = attend_to(at, at["p"] - equals + 1, value={due: now})
    own = {
        state: now[state] if state != start else now[state] + now["="]
        for state in delta
    }  # = stands for the start
    neurons = [
        neuron
        for state, row in delta.items()
        for symbol, target in row.items()
        for neuron in conjunction(
            [own[state], due[symbol]],
            {now[target]: _GAIN},
            name=f"{state}_{ord(symbol)}",
        )
    ]
    stop = conjunction([due["="]], {now["="]: _GAIN}, name="stop")
    return Program(
        name=name,
        embedding=(at, now, equals, due),
        layers=(find, Block([fetch], MLP([*neurons, *stop]))),
        claim=_states_claim(delta, start, symbols, n_ctx),
    )


def _states_claim(
    delta: Delta, start: str, symbols: Sequence[str], n_ctx: int
) -> Answers:
    """From the latest state and the next symbol to the next state; = stands for the start, and
    ends the word.
    """
    table = {
        (state, symbol): to
        for state, row in delta.items()
        for symbol, to in row.items()
    }
    table |= {("=", symbol): to for symbol, to in delta[start].items()} | {
        (state, "="): "=" for state in (*delta, "=")
    }
    rule = lookup(table, own, token_at(latest - end + 1))
    return answers(
        rf"\^{_words(symbols, (n_ctx - 2) // 2)}=", rule, length=end, stop="="
    )


def _one_pass(
    delta: Delta, start: str, symbols: Sequence[str], n_ctx: int, name: str
) -> Program:
    states = list(delta)
    arrows = [f"{q}-{r}" for q in states for r in states]
    rows = {"^": dict(zip(states, states, strict=True))} | {
        x: {q: delta[q][x] for q in states} for x in symbols
    }
    at, now = addresses(n_ctx), token(["^", *symbols, *states])
    table = {
        x: [float(row[q] == r) for q in states for r in states]
        for x, row in rows.items()
    }
    maps = [
        slot("map1", labels=arrows, token=table)
    ]  # of one symbol; ^ is the identity
    fetched, blocks, span = [], [], 1
    while span < n_ctx:
        earlier = scratch(f"earlier{span}", arrows)
        longer = scratch(f"map{2 * span}", arrows) if 2 * span < n_ctx else None
        fetch = attend_to(
            at, at["p"] - span, value={earlier: maps[-1]}, name=f"back{span}"
        )
        blocks.append(
            Block([fetch], MLP(_compose(states, start, earlier, maps[-1], longer, now)))
        )
        fetched.append(earlier)
        maps += [longer] if longer else []
        span *= 2

    return Program(
        name=name,
        embedding=(at, now, *maps, *fetched),
        layers=tuple(blocks),
        claim=answers(
            rf"\^{_words(symbols, n_ctx - 1)}", state_after(delta, start), length=1
        ),
    )


def _compose(
    states: Sequence[str],
    start: str,
    first: Slot,
    then: Slot,
    into: Slot | None,
    now: Slot,
) -> list[Neuron]:
    """First one map, then the other: into a longer map, or in the last layer from the start
    into the answer.
    """
    return [
        neuron
        for q in (states if into else [start])
        for r in states
        for s in states
        for neuron in conjunction(
            [first[f"{q}-{r}"], then[f"{r}-{s}"]],
            {into[f"{q}-{s}"]: 1.0} if into else {now[s]: _GAIN},
        )
    ]
