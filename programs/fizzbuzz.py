"""Plays FizzBuzz on a decimal number: ^315= is answered with FizzBuzz, ^7= with Number.

A number is divisible by 3 where its digit sum is, and by 5 where its last digit is 0 or 5. The
first block adds up what each digit leaves modulo 3, and fetches the last; its neurons take that sum
modulo 3. The second block's neurons choose the word. Source: counting against an anchor; modulo by
steps, the Transformer Cookbook (Yang et al., 2026).
"""

from handcraft import Head, Program, answers, position, scratch, token
from handcraft.recipes import conjunction, modulo, running_sum, threshold
from handcraft.sequence.words import end, lookup, token_at, total

DIGITS, WORDS = "0123456789", ("Number", "Fizz", "Buzz", "FizzBuzz")
N_CTX = 32
MOST = 2 * (N_CTX - 2)  # the greatest sum of rests

p, t = position(N_CTX), token(["^", "=", *DIGITS, *WORDS])
rests, by5, rest, not3 = scratch("rests by5 rest not3")  # rest: the digit sum modulo 3

add = running_sum(t["^"], {rests: t.sum(DIGITS, lambda d: int(d) % 3)}, name="add")
last = Head(query=1024 * p.previous, value={by5: t["0"] + t["5"]}, name="last")
choose = {"Number": [not3, 1 - by5], "Fizz": [1 - not3, 1 - by5], "Buzz": [not3, by5],
          "FizzBuzz": [1 - not3, by5]}
words = [conjunction(flags, {t[word]: 50}) for word, flags in choose.items()]


words_for = {(r, d): "Fizz" * (r == 0) + "Buzz" * (d in "05") or "Number" for r in range(3)
             for d in DIGITS}
word = lookup(words_for, total({d: int(d) % 3 for d in DIGITS}) % 3, token_at(end - 1))

program = Program(
    embedding=(p, t, rests, by5, rest, not3),
    layers=(
        (add, last, modulo(rests, 3, MOST, {rest: 1})),
        threshold(rest, {not3: 1}, above=0.5),
        words,
    ),
    claim=answers(r"\^(0|[1-9]\d{0,28})=", word, length=1),
)
