"""Follows two pointers: abbc?a is answered with c, for a points to b and b to c.

Pairs stand one after the other; where a pointer is missing, the answer is ?. The first head puts
the first letter of each pair beside its second; two more heads, in turn, look up the latest pair
that begins with the letter in hand, and come to the ? where there is none. Source: pointer chasing,
Sanford et al., "Transformers, parallel computation, and logarithmic depth", 2024.
"""

from string import ascii_lowercase as LETTERS

from handcraft import Program, answers, scratch, token
from handcraft.recipes import addresses, attend_to, attend_where, conjunction
from handcraft.sequence.words import end, latest, otherwise, own, token_at

# What the latest pair points to that begins with the letter; ? where there is none.
target = otherwise(token_at(latest({-1: own}, before=end, every=(1, 2))), "?")
again = otherwise(token_at(latest({-1: target}, before=end, every=(1, 2))), "?")


def two_hop(alphabets: tuple[int, ...], pairs: int) -> Program:
    """The program for prompts of up to so many pairs, of the first letters of the alphabet: each
    prompt of so many of them.
    """
    letters = LETTERS[: max(alphabets)]
    at = addresses(2 * pairs + 4, second=lambda i: i % 2)  # 1 on the second letter of a pair
    t = token("?" + letters)
    before, first = scratch("before first", letters)
    hop = scratch("hop", "?" + letters)

    previous = attend_to(at, at["p"] - 1, value={before: t})
    pair = [conjunction([before[x], at["second"]], {first[x]: 1}) for x in letters]
    once = attend_where({first: t}, value={hop: t}, at=at, prefer="latest", default=t["?"])
    twice = attend_where({first: hop}, value=t, adds=50 * t, at=at, prefer="latest",
                         default=t["?"])

    some = (f"[a-{letters[many - 1]}]" for many in alphabets)
    prompts = "|".join(rf"({one}{{2}}){{1,{pairs}}}\?{one}" for one in some)
    return Program(
        name="two_hop",
        embedding=(at, t, before, first, hop),
        layers=((previous, pair), once, twice),
        claim=answers(prompts, again, length=1),
    )


program = two_hop((3, 8, 26), 14)
