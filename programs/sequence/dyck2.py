"""Judges two kinds of brackets: T where balanced up to a position, P where more can do it, else F.

A closing bracket fits if the latest bracket that opened its level is of its kind. Source: the
Dyck-2 task of Weiss et al., "Thinking Like Transformers" (RASP), 2021.
"""

from handcraft import tag
from handcraft.sequence import (
    below, cases, equal, fetch, latest, lookup, max_, there, tokens, total,
)

opens = lookup({"(": 1, "{": 1}, tokens, default=0)
depth = total(2 * opens - 1)
level = max_(depth - opens, 0)
opened = latest(there(opens) & (there(level) == level))
partner = lookup({")": "(", "}": "{"}, tokens, default="")
fits = cases((opens, 1), (below(depth, 0), 0), (equal(fetch(tokens, opened), partner), 1), 0)
dyck2 = cases((below(0, total(1 - fits)), "F"), (equal(depth, 0), "T"), "P")
program = tag(dyck2, tokens="(){}", n=6, causal=True)
