"""Runs a finite automaton and writes down its states, one a symbol: ^1101= is answered with BDBD=.

The automaton reads a binary number, the highest bit first, and its states A to E are the remainder
by 5. The states are tokens, so the model keeps its memory in the text: two heads fetch the next
symbol, one neuron for each state and symbol writes the next state. Source: scratchpads; finite
automata in the Transformer Cookbook (Yang et al., 2026).
"""

from handcraft.frontends import from_automaton

STATES = "ABCDE"
delta = {state: {bit: STATES[(2 * i + int(bit)) % 5] for bit in "01"}
         for i, state in enumerate(STATES)}

program = from_automaton(delta, "A", n_ctx=32, name="dfa")
