"""Runs a finite automaton in one pass: ^abba is answered with its state after the last symbol, Q.

Every position holds a map from states to states: of its symbol, then of the last 2, 4, 8, ...
symbols; five layers reach 32. The automaton's symbols are the permutations a = (P Q) and b = (P Q
R) of three states, and r, which resets to P: its maps do not commute. Source: Liu et al.,
"Transformers Learn Shortcuts to Automata", 2023.
"""

from handcraft import Program
from handcraft.frontends import from_automaton

delta = {
    "P": {"a": "Q", "b": "Q", "r": "P"},
    "Q": {"a": "P", "b": "R", "r": "P"},
    "R": {"a": "R", "b": "P", "r": "P"},
}


def automaton(n_ctx: int) -> Program:
    """The program for so many positions."""
    return from_automaton(delta, "P", n_ctx=n_ctx, scratchpad=False, name="automaton")


program = automaton(32)
