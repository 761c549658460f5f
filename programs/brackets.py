"""Closes brackets: ^({[= is answered with ]})$, for prompts at most nine brackets deep.

The first head adds up the depth; neurons square it. The second looks for the latest bracket that
opened to my depth, by the score 2 d_i d_j - d_j^2, and writes its partner; ^ counts as opened to
depth 0, and is answered by $. Source: Yao et al., "Self-Attention Networks Can Process Bounded
Hierarchical Languages", 2021.
"""

from handcraft import Head, Program, answers, scratch, token
from handcraft.recipes import addresses, running_sum, square
from handcraft.sequence import fetch, indices, latest, lookup, otherwise, there, tokens, total

PAIRS = {"(": ")", "{": "}", "[": "]"}
NEARER = 24  # a later bracket wins by this much for each position
LEVEL = 4096  # another depth loses by this much: more than NEARER times the positions

# the claim: the partner of the latest bracket that opened to my depth
step = lookup(dict.fromkeys(PAIRS, 1) | dict.fromkeys(PAIRS.values(), -1), tokens, default=0)
deep = total(step, there(indices) <= indices)
last = fetch(lookup(PAIRS, tokens), latest((there(step) == 1) & (there(deep) == deep)))


def groups(deepest: int) -> str:
    """A regular expression of any number of groups that are closed again, so many deep."""
    if deepest == 0:
        return ""
    inner = groups(deepest - 1)
    return rf"(\({inner}\)|\{{{inner}\}}|\[{inner}\])*"


def opened(deepest: int, closed: int) -> str:
    """One of up to so many open brackets, with groups that are so deep before each."""
    found = ""
    for level in range(deepest, -1, -1):
        more = rf"([({{\[]{found})?" if level < deepest else ""
        found = groups(min(closed, deepest - level)) + more
    return found


def brackets(deepest: int, closed: int, n_ctx: int) -> Program:
    """The program for prompts of that depth, with groups that are so deep, closed before."""
    at, t = addresses(n_ctx), token("^=$" + "".join(PAIRS) + "".join(PAIRS.values()))
    depth, squared = scratch("depth squared")
    opens = t.sum(PAIRS.keys())

    count = running_sum(t["^"], {depth: opens - t.sum(PAIRS.values())})
    partner = Head(
        query={depth: 2 * LEVEL * depth, squared: -LEVEL, at["p"]: NEARER, t["^"]: LEVEL},
        # ^ opens depth 0
        key={depth: depth, squared: squared, at["p"]: at["p"], t["^"]: t["^"] + opens},
        value=t,
        adds={t[PAIRS[b]]: 50 * t[b] for b in PAIRS} | {t["$"]: 50 * t["^"]},
        scores="exact",
    )
    # to one more than the deepest: a sum that is a little above it is squared as well
    square_it = square(depth, deepest + 1, {squared: 1})
    return Program(
        name="brackets",
        embedding=(at, t, depth, squared),
        layers=((count, square_it), partner),
        claim=answers(rf"\^{opened(deepest, closed)}=", otherwise(last, "$"), stop="$",
                      length=deep + 1, longest=n_ctx - deepest),
    )


program = brackets(9, 4, 60)
