"""Builds programs from finite automata, in one of two ways.

    scratchpad  ^w= is answered with the states q1 q2 ... qn, one token for each symbol. Two heads
                find the = and fetch the next symbol; one neuron for each (state, symbol) writes
                the next state
    one pass    ^w is answered with the last state. Each position holds a map from states to
                states, first of its own symbol, then, layer by layer, of twice as many symbols;
                |Q|^3 neurons compose two maps, so the depth is logarithmic

Sources: Liu et al., "Transformers Learn Shortcuts to Automata", 2023 (the log-depth
composition); "The Transformer Cookbook", Yang et al., 2026.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from handcraft.claims.prompt_claim import Answers
from handcraft.claims.words import answers
from handcraft.core.arguments import asked_call
from handcraft.core.errors import MissingExtraError, ProgramError, printable
from handcraft.core.source import caller
from handcraft.language.rules import MLP, Block, Neuron
from handcraft.language.slots import Slot
from handcraft.language.words import scratch, slot, token
from handcraft.program.program import Program
from handcraft.recipes.addressing import addresses
from handcraft.recipes.attention import attend_to, attend_where
from handcraft.recipes.neurons import conjunction
from handcraft.sequence.words import end, lookup, own, token_at
from handcraft.sequence.words import here as latest
from handcraft.sequence.words import state as state_after

Delta = Mapping[str, Mapping[str, str]]  # state -> symbol -> state
_GAIN = 50.0


@asked_call("from_automaton")
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

    Raises ProgramError for a window below 2, for an automaton that is not complete, and for names
    that are not distinct tokens.
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


@asked_call("from_regex")
def from_regex(
    pattern: str,
    alphabet: Sequence[str],
    *,
    n_ctx: int = 32,
    scratchpad: bool = False,
    name: str = "regex",
) -> Program:
    """The program of the smallest automaton of a regular expression, which answers ^w with a
    state: states named Y... accept, those named N... do not.

    Needs the extra `regex`. Raises MissingExtraError without it, ProgramError for a pattern that
    is not a regular expression over the alphabet.
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
        nfa = NFA.from_regex(pattern, input_symbols=set(alphabet))
        dfa = DFA.from_nfa(nfa, minify=True).to_complete()
    except (AutomatonException, RegexException) as error:
        message = f"'{printable(pattern)}': {printable(str(error))}"
        raise ProgramError(message, (name, "pattern"), caller()) from None
    delta, start = _named(dfa, alphabet)
    return from_automaton(
        delta, start, n_ctx=n_ctx, scratchpad=scratchpad, name=name
    )


def _named(dfa: Any, alphabet: Sequence[str]) -> tuple[Delta, str]:
    """The transitions and the start of an automaton whose states get names Y0, N1, ..."""
    start = dfa.initial_state
    order = sorted(dfa.states, key=lambda state: (state != start, str(state)))
    names = {}
    for i, state in enumerate(order):
        names[state] = f"{'Y' if state in dfa.final_states else 'N'}{i}"
    delta = {
        names[q]: {x: names[dfa.transitions[q][x]] for x in alphabet}
        for q in order
    }
    return delta, names[start]


def _checked(delta: Delta, start: str, name: str) -> tuple[str, ...]:
    """The symbols in their declared order. Raises ProgramError for an automaton that is not
    complete.
    """
    if start not in delta:
        raise ProgramError(
            f"the start {start!r} is not one of the states {', '.join(delta)}",
            (name, "start"),
            caller(),
        )
    symbols = tuple(delta[start])
    for state, row in delta.items():
        complete = set(row) == set(symbols)
        if not complete or any(target not in delta for target in row.values()):
            raise ProgramError(
                f"the state {state!r} must go to a state on each of"
                f" {', '.join(symbols)}",
                (name, "delta"),
                caller(),
            )
    if not symbols:
        raise ProgramError(
            "the automaton has no symbols", (name, "delta"), caller()
        )
    if clash := _clashes(symbols, tuple(delta)):
        message = (
            f"'{printable(clash[0])}' cannot be a name: symbols are single characters,"
            " and no name begins with another, ^ or ="
        )
        raise ProgramError(message, (name, "delta"), caller())
    return symbols


def _clashes(symbols: tuple[str, ...], states: tuple[str, ...]) -> list[str]:
    """The symbols that are not one character, and the names that begin with another."""
    names = [*symbols, *states]
    found = [symbol for symbol in symbols if len(symbol) != 1]
    for i, name in enumerate(names):
        others = ["^", "=", *names[:i], *names[i + 1 :]]
        found += [name for other in others if name.startswith(other)]
    return found


def _words(symbols: Sequence[str], most: int) -> str:
    return f"[{''.join(map(re.escape, symbols))}]{{0,{most}}}"


def _step_by_step(
    delta: Delta, start: str, symbols: Sequence[str], n_ctx: int, name: str
) -> Program:
    at = addresses(n_ctx)
    now = token(["^", "=", *symbols, *delta])
    equals = scratch("equals")  # the position of the =
    due = scratch("due", ("=", *symbols))  # the symbol to read next
    find = attend_where(
        {now["="]: 1}, value={equals: at["p"]}, at=at, prefer="first"
    )
    fetch = attend_to(at, at["p"] - equals + 1, value={due: now})
    neurons: list[Neuron] = []
    for state, row in delta.items():
        # = stands for the start
        own = now[state] + now["="] if state == start else now[state]
        for symbol, target in row.items():
            flags = [own, due[symbol]]
            adds = {now[target]: _GAIN}
            neurons += conjunction(flags, adds, name=f"{state}_{ord(symbol)}")
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
    """The claim that maps the latest state and the next symbol to the next state; = stands for the
    start, and ends the word.
    """
    table = {
        (state, symbol): to
        for state, row in delta.items()
        for symbol, to in row.items()
    }
    table |= {("=", symbol): to for symbol, to in delta[start].items()}
    table |= {(state, "="): "=" for state in (*delta, "=")}
    rule = lookup(table, own, token_at(latest - end + 1))
    prompts = rf"\^{_words(symbols, (n_ctx - 2) // 2)}="
    return answers(prompts, rule, length=end, stop="=")


def _one_pass(
    delta: Delta, start: str, symbols: Sequence[str], n_ctx: int, name: str
) -> Program:
    states = list(delta)
    at = addresses(n_ctx)
    now = token(["^", *symbols, *states])
    arrows = [f"{q}-{r}" for q in states for r in states]
    maps = [_symbol_maps(delta, symbols, arrows)]  # of 1, 2, 4, ... symbols
    fetched = []
    blocks = []
    span = 1
    while span < n_ctx:
        latest_map = maps[-1]
        source = at["p"] - span
        earlier = scratch(f"earlier{span}", arrows)
        longer = scratch(f"map{2 * span}", arrows) if 2 * span < n_ctx else None
        fetch = attend_to(
            at, source, value={earlier: latest_map}, name=f"back{span}"
        )
        neurons = _compose(states, start, earlier, latest_map, longer, now)
        blocks.append(Block([fetch], MLP(neurons)))
        fetched.append(earlier)
        maps += [] if longer is None else [longer]
        span *= 2
    prompts = rf"\^{_words(symbols, n_ctx - 1)}"
    return Program(
        name=name,
        embedding=(at, now, *maps, *fetched),
        layers=tuple(blocks),
        claim=answers(prompts, state_after(delta, start), length=1),
    )


def _symbol_maps(
    delta: Delta, symbols: Sequence[str], arrows: Sequence[str]
) -> Slot:
    """A slot that holds the map of each symbol, one lane for each arrow; ^ is the identity."""
    states = list(delta)
    rows = {"^": dict(zip(states, states, strict=True))}
    rows |= {
        symbol: {q: delta[q][symbol] for q in states} for symbol in symbols
    }
    table = {
        symbol: [float(row[q] == r) for q in states for r in states]
        for symbol, row in rows.items()
    }
    return slot("map1", labels=arrows, token=table)


def _compose(
    states: Sequence[str],
    start: str,
    first: Slot,
    then: Slot,
    into: Slot | None,
    now: Slot,
) -> list[Neuron]:
    """Neurons that apply one map and then the other: into a longer map, or in the last layer from
    the start into the answer.
    """
    neurons: list[Neuron] = []
    for q, r, s in product([start] if into is None else states, states, states):
        last = {now[s]: _GAIN}
        adds = last if into is None else {into[f"{q}-{s}"]: 1.0}
        neurons += conjunction([first[f"{q}-{r}"], then[f"{r}-{s}"]], adds)
    return neurons
