"""Copies a word: ^abc= is answered with abc=.

The first head finds the =; the second reads the letter that stands as far behind ^ as the answer
has come. `copy(longest)` builds other lengths. Source: the index lookup of the Transformer Cookbook
(Yang et al., 2026).
"""

from string import ascii_lowercase as LETTERS

from handcraft import Program, answers, scratch, token
from handcraft.recipes import addresses, attend_to, attend_where
from handcraft.sequence.words import end, here, token_at


def copy(longest: int) -> Program:
    """The program for words of up to so many letters."""
    at, t = addresses(2 * (longest + 1)), token("^=" + LETTERS)
    equals = scratch("equals")  # where the = stands

    find = attend_where({t["="]: 1}, value={equals: at["p"]}, at=at, prefer="first")
    read = attend_to(at, at["p"] - equals + 1, value=t, adds=50 * t)

    return Program(
        name="copy",
        embedding=(at, t, equals),
        layers=(find, read),
        claim=answers(rf"\^[a-z]{{0,{longest}}}=", token_at(here - end + 1), length=end, stop="="),
    )


program = copy(19)
