"""Judges brackets: T where those up to a position are balanced, P where more can do it, else F.

Source: the Dyck-1 task of Weiss et al., "Thinking Like Transformers" (RASP), 2021.
"""

from handcraft import tag
from handcraft.sequence import any_, below, cases, equal, lookup, there, tokens, total

depth = total(lookup({"(": 1, ")": -1}, tokens))
fell = any_(there(below(depth, 0)))
balanced = cases((fell, "F"), (equal(depth, 0), "T"), "P")
program = tag(balanced, tokens="()", n=10, causal=True)
