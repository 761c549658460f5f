"""Remembers a bit: w0 writes, i1 ignores, r asks for the last one: w1i0i0r gives 1.

The first head marks each bit that stands behind a w; the second reads the latest marked one.
Source: Liu et al., "Exposing Attention Glitches with Flip-Flop Language Modeling", 2023.
"""

from handcraft import Program, answers, scratch, token
from handcraft.recipes import addresses, attend_to, attend_where
from handcraft.sequence.words import latest, token_at

at, t = addresses(32), token("wir01")
written = scratch("written")  # 1 on a bit that stands behind a w

mark = attend_to(at, at["p"] - 1, value={written: t["w"]})
recall = attend_where({written: 1}, at=at, prefer="latest", value={t["0"]: t["0"], t["1"]: t["1"]},
                      adds={t["0"]: 50 * t["0"], t["1"]: 50 * t["1"]})


program = Program(
    embedding=(at, t, written),
    layers=(mark, recall),
    claim=answers("w[01]([wi][01]){0,14}r", token_at(latest({-1: "w"})), length=1),
)
