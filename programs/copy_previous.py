"""Repeats the letter before the current one: after ..xy comes x.

One head on one-hot positions: the position before mine is where my query and its key meet. The
letters' identity goes through the head unchanged and beats the current letter's own logit. Source:
the previous-token head of Elhage et al., "A Mathematical Framework for Transformer Circuits", 2021.
"""

from string import ascii_lowercase as LETTERS

from handcraft import Head, Program, position, token

LARGE = 1024

p = position(64)
t = token(LETTERS)

previous = Head(query=LARGE * p.previous, value=t, adds=LARGE * t)

# The first letter has nothing before it: there the claim is silent.
program = Program(
    embedding=(p, t),
    layers=(previous,),
    claim={x + y: x for x in LETTERS for y in LETTERS},
)
