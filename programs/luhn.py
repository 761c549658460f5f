"""Computes the Luhn check digit: ^ and 15 digits and = are answered with the last of a card number.

Every second digit is doubled, and 9 taken off where that has two digits: a neuron for each digit
writes the change. A head adds them up; neurons take the sum modulo 10, and a parabola reads out
what is missing to ten. Source: ISO/IEC 7812-1; modulo by steps, the Transformer Cookbook (Yang et
al., 2026).
"""

from handcraft import MLP, Block, Program, answers, position, scratch, token
from handcraft.recipes import as_mlp, conjunction, modulo, parabola, running_sum
from handcraft.sequence.words import lookup, total

DIGITS, N_CTX, MOST = "0123456789", 18, 9 * 15

at = position(N_CTX, doubled=lambda i: i % 2)
t = token("^=" + DIGITS)
change, luhn, check = scratch("change"), scratch("luhn"), scratch("check")


def doubled(digit: int) -> int:
    """Twice the digit, as a digit sum."""
    return 2 * digit - 9 * (digit >= 5)


double = [n for d in range(1, 10) for n in conjunction([at["doubled"], t[str(d)]],
                                                       {change: doubled(d) - d})]
add = running_sum(t["^"], {luhn: sum((int(d) * t[d] for d in DIGITS[1:]), change)})
rest = modulo(luhn, 10, MOST, {check: 1})
decode = as_mlp(parabola(check, {t[d]: -int(d) % 10 for d in DIGITS}, 50))  # what is missing to ten


luhn_sum = (total({d: doubled(int(d)) for d in DIGITS}, every=(1, 2))
            + total({d: int(d) for d in DIGITS}, every=(2, 2)))
completed = lookup({i: str(-i % 10) for i in range(10)}, luhn_sum % 10)

program = Program(
    embedding=(at, t, change, luhn, check),
    layers=(MLP(double), Block([add], MLP(rest)), decode),
    claim=answers(r"\^\d{15}=", completed, length=1),
)
