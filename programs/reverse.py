"""Reverses a word: ^abc= is answered with cba^.

The first head finds the =; the second reads the letter that mirrors the answer's position in it,
and comes to ^ in the end. Source: the index lookup of the Transformer Cookbook (Yang et al., 2026).
"""

from string import ascii_lowercase as LETTERS

from handcraft import Program, answers, scratch, token
from handcraft.recipes import addresses, attend_to, attend_where
from handcraft.sequence.words import end, here, token_at

at, t = addresses(40), token("^=" + LETTERS)
equals = scratch("equals")  # where the = stands

find = attend_where({t["="]: 1}, value={equals: at["p"]}, at=at, prefer="first")
read = attend_to(at, 2 * equals - at["p"] - 1, value=t, adds=50 * t)

program = Program(
    embedding=(at, t, equals),
    layers=(find, read),
    claim=answers(r"\^[a-z]{0,19}=", token_at(2 * end - here - 1), length=end, stop="^"),
)
