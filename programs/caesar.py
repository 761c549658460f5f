"""Shifts a word by a key letter: ^babc= is answered with bcd=, for the key b shifts by one.

Letters are numbers 0 to 9. One layer broadcasts the key and finds the =; the next fetches the
letter that is due and adds the key; neurons take the sum modulo 10, and a parabola over the letters
reads it out. Source: index lookup and modulo by steps, the Transformer Cookbook (Yang et al.,
2026).
"""

from handcraft import Program, answers, scratch, token
from handcraft.recipes import addresses, attend_to, attend_where, conjunction, modulo, parabola
from handcraft.sequence.words import end, here, lookup, token_at

LETTERS = "abcdefghij"
NUMBER = {letter: i for i, letter in enumerate(LETTERS)}

at, t = addresses(32), token("^=" + LETTERS)
equals, key, due, done, shifted = scratch("equals key due done shifted")
number = t.sum(NUMBER)

find = attend_where({t["="]: 1}, value={equals: at["p"]}, at=at, prefer="first", name="find")
broadcast = attend_to(at, 1, range=(1, 1), value={key: number}, name="broadcast")
fetch = attend_to(at, at["p"] - equals + 2, value={due: number, done: t["="]})
wrap = modulo(due + key, len(LETTERS), 18, {shifted: 1})
decode = parabola(shifted, {t[x]: i for x, i in NUMBER.items()})
stop = conjunction([done], {t["="]: 10_000})


rule = {(x, k): LETTERS[(NUMBER[x] + NUMBER[k]) % 10] for x in LETTERS for k in LETTERS}
rule |= {("=", k): "=" for k in LETTERS}
claim = lookup(rule, token_at(here - end + 2), token_at(1))

program = Program(
    embedding=(at, t, equals, key, due, done, shifted),
    layers=((find, broadcast), (fetch, wrap), (decode, stop)),
    claim=answers(r"\^[a-j][a-j]{0,14}=", claim, length=end - 1, stop="="),
)
