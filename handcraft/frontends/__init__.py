"""Builds programs from known formalisms: Markov chains, finite automata, tables. Each function
returns a readable Program, whose rules `explain` shows.

    markov.py     from_markov     a Markov chain, or the statistics of a sequence
                  from_ngrams     a character model of a text
    automata.py   from_automaton  a finite automaton, step by step or in one pass of logarithmic
                                  depth
                  from_regex      a regular expression (extra `regex`)
    tables.py     from_table      a finite function

Rules of this package: recipes in, Program out; every program comes with its claim.
"""

from handcraft.frontends.automata import from_automaton as from_automaton
from handcraft.frontends.automata import from_regex as from_regex
from handcraft.frontends.markov import from_markov as from_markov
from handcraft.frontends.markov import from_ngrams as from_ngrams
from handcraft.frontends.tables import from_table as from_table
