"""Computes the Luhn check digit: ^ and 15 digits and = are answered with the last of a card number.

Every second digit is doubled, and 9 taken off where that has two digits: a neuron for each digit
writes the change. A head adds them up; neurons take the sum modulo 10, and a parabola reads out
what is missing to ten. Source: ISO/IEC 7812-1; modulo by steps, the Transformer Cookbook (Yang et
al., 2026).
"""

from handcraft import Program, answers, position, scratch, token
from handcraft.recipes import conjunction, modulo, parabola, running_sum
from handcraft.sequence.words import lookup, total

DIGITS, N_CTX, MOST = "0123456789", 18, 9 * 15

at = position(N_CTX, doubled=lambda i: i % 2)
t = token("^=" + DIGITS)
change, luhn, check = scratch("change luhn check")


def doubled(digit: int) -> int:
    """Twice the digit, as a digit sum."""
    return 2 * digit - 9 * (digit >= 5)


double = [conjunction([at["doubled"], t[str(d)]], {change: doubled(d) - d}) for d in range(1, 10)]
add = running_sum(t["^"], {luhn: change + t.sum(DIGITS, int)})
rest = modulo(luhn, 10, MOST, {check: 1})
decode = parabola(check, {t[d]: -int(d) % 10 for d in DIGITS})  # what is missing to ten


luhn_sum = (total({d: doubled(int(d)) for d in DIGITS}, every=(1, 2))
            + total({d: int(d) for d in DIGITS}, every=(2, 2)))
completed = lookup({i: str(-i % 10) for i in range(10)}, luhn_sum % 10)

program = Program(
    embedding=(at, t, change, luhn, check),
    layers=(double, (add, rest), decode),
    claim=answers(r"\^\d{15}=", completed, length=1),
)
