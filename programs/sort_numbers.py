"""Sorts numbers of two digits: ^420713= is answered with 071342$.

Counting sort over 100 values. Each number marks all values from its own on; a head adds the marks
up, so that it knows how many numbers are at most each value. The number to write is how many values
have no more of them than are already written; neurons split it into its two digits. Source:
counting sort; thermometer code; the Transformer Cookbook (2026).
"""

from handcraft import Program, answers, scratch, sequence, token
from handcraft.recipes import (
    addresses, attend_to, conjunction, modulo, parabola, quotient, running_sum, threshold,
)
from handcraft.sequence import below, indices, lookup, otherwise, there, token_at, tokens, where

CLOSED, DIGITS, step = 1000, {str(d): d for d in range(10)}, indices - sequence.end


def by_rank(digits: str) -> sequence.Expression:
    """The claim: next comes the number that has as many before it in order as are written."""
    two = len(digits) * lookup(DIGITS, tokens) + lookup(DIGITS, token_at(indices + 1))
    asked = where(below(indices, sequence.end), indices % 2, 0)  # where a number begins
    lesser = (there(two) < two) | (there(two) == two) & (there(indices) < indices)
    rank = sequence.count(there(asked) & lesser)
    place = sequence.fetch(indices, there(asked) & (there(rank) == step // 2))
    return otherwise(token_at(place + step % 2), "$")


def by_counts(digits: str) -> sequence.Expression:
    """The same of few values, as the model counts: how many are at most each value."""
    base = len(digits)
    two = base * lookup(DIGITS, token_at(indices - 1)) + lookup(DIGITS, tokens)
    ends = below(indices, sequence.end) * (1 - indices % 2)  # where a number of the prompt does
    least = [(there(indices) > 0) & there(ends) & (there(two) <= v) for v in range(base**2)]
    first, *others = (1 - below(step // 2, sequence.count(some)) for some in least)
    number = sum(others, first)
    written = where(step % 2, number % base, number // base)
    return lookup(dict(enumerate(digits)) | {base: "$"}, written)


def sort_numbers(digits: str, longest: int) -> Program:
    """The program for up to so many numbers of these digits."""
    base, many = len(digits), len(digits) ** 2
    at, t = addresses(4 * longest + 2, odd=lambda i: i % 2), token("^=$" + digits)  # tens at odd
    tens, after, tick, done, number, digit, end = scratch("tens after tick done number digit end")
    least, upto = scratch("least upto", map(str, range(many)))
    own = t.sum(digits, int)
    fetch = attend_to(at, at["p"] - 1, value={tens: own}, name="tens")
    begin = running_sum(t["^"], {after: t["="]}, name="begin")
    closed = CLOSED * (at["odd"] + after + t["^"])  # only the last digit of a number counts
    mark = [threshold(v - base * tens - own - closed, {least[str(v)]: 1}, above=-0.5)
            for v in range(many)]
    ticks = conjunction([after, at["odd"]], {tick: 1})  # at the = and every last digit written
    adds = running_sum(t["^"], {upto: least, done: tick}, name="count")
    choose = [threshold(done - upto[str(v)], {number: 1}, above=0.5) for v in range(many)]
    split = [
        quotient(number - CLOSED * (1 - at["odd"]), base, many, {digit: 1}),
        modulo(number - CLOSED * at["odd"], base, many, {digit: 1}),
        threshold(number, {end: 1}, above=many - 0.5),
    ]
    decode = parabola(digit, {t[d]: int(d) for d in digits}), conjunction([end], {t["$"]: 50_000})
    return Program(
        name="sort_numbers",
        embedding=(at, t, tens, after, tick, done, least, upto, number, digit, end),
        layers=((fetch, begin, mark, ticks), (adds, choose), split, decode),
        claim=answers(rf"\^([{digits}]{{2}}){{0,{longest}}}=", stop="$", length=sequence.end,
                      answer=by_counts(digits) if many <= 16 else by_rank(digits)),
    )


program = sort_numbers("0123456789", 10)
