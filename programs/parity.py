"""Says whether a word has an odd number of ones: ^1011= is answered with 1.

The first head counts the ones against ^; the second attends to the position of that number, where
the position table knows its parity. A count never exceeds the position, so the place is always
visible. Source: Chiang and Cholak, "Overcoming a Theoretical Limitation of Self-Attention", 2022,
made causal.
"""

from handcraft import Program, answers, scratch, token
from handcraft.recipes import addresses, attend_to, running_sum
from handcraft.sequence.words import count, lookup

at, t = addresses(64, odd=lambda i: i % 2), token("^=01")
ones = scratch("ones")

add = running_sum(t["^"], {ones: t["1"]})
look = attend_to(at, ones, range=(0, at["p"]), value={t["1"]: at["odd"]},
                 adds={t["1"]: 50 * t["1"], t["0"]: 50 - 50 * t["1"]})

program = Program(
    embedding=(at, t, ones),
    layers=(add, look),
    claim=answers(r"\^[01]{0,62}=", lookup({0: "0", 1: "1"}, count({0: "1"}) % 2), length=1),
)
