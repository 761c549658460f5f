"""Says whether the second word is the first reversed: ^abc#cba= is answered with Y.

The first head finds the #; the second fetches what mirrors my position in it; a neuron for each
pair of equal letters takes back the mark of a mismatch, with = the mirror of ^. The third head
counts the marks. Source: the mirror address of the Transformer Cookbook (Yang et al., 2026).
"""

from handcraft import Program, answers, scratch, token
from handcraft.recipes import (
    addresses, attend_to, attend_where, conjunction, running_sum, threshold,
)
from handcraft.sequence import count as count_of
from handcraft.sequence import equal, first, indices, max_, there, token_at, tokens, where

LETTERS = "abc"

# the claim: behind the # each token is the same as its mirror, and = mirrors ^, as if more of ^
# stood before the first word
half = first({0: "#"}, before=indices + 1)
mirrored = token_at(max_(2 * half - indices, 0))
same = there(where(equal(tokens, "="), "^", tokens)) == there(mirrored)
unlike = count_of(~same & (there(indices) > 0))


def palindrome(longest: int) -> Program:
    """The program for words of up to so many letters."""
    at, t = addresses(2 * longest + 4), token("^#=YN" + LETTERS)
    middle, after = scratch("middle after")  # where the # stands; 1 from it on
    mirror = scratch("mirror", "^#" + LETTERS)
    wrong, marks = scratch("wrong marks")

    find = attend_where({t["#"]: 1}, value={middle: at["p"]}, at=at, prefer="first", name="find")
    begin = running_sum(t["^"], {after: t["#"]}, name="begin")
    fetch = attend_to(at, 2 * middle - at["p"], value={mirror: t})
    pairs = [("=", "^"), ("#", "#"), *((x, x) for x in LETTERS)]
    match = [conjunction([after, t[x], mirror[y]], {wrong: -1}) for x, y in pairs]
    mark = conjunction([after], {wrong: 1})
    count = running_sum(t["^"], {marks: wrong})
    verdict = threshold(marks, {t["N"]: 50, t["Y"]: -50}, above=0.5)

    word = rf"[abc]{{0,{longest}}}"
    return Program(
        name="palindrome",
        embedding=(at, t, middle, after, mirror, wrong, marks),
        layers=((find, begin), (fetch, match, mark), (count, verdict, {t["Y"]: 25})),
        claim=answers(rf"\^{word}#{word}=", where(unlike, "N", "Y"), length=1),
    )


program = palindrome(14)
