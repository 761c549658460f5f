"""The counts of c and d leave out the last token, which the vote does not: two pairs that read
the same keys. Honest: refuted.
"""

from handcraft import Head, Program, position, token
from handcraft.sequence.words import count, here, most

p, t = position(3), token("abcd")
vote = Head(
    query=0 * p,
    key=0 * p,
    value=t,
    adds={t[c]: 64 * t[c] + 4 - i - t[c] for i, c in enumerate("abcd")},
)
numbers = {
    c: count({0: c}) if c in "ab" else count({0: c}, before=here)
    for c in "abcd"
}
program = Program(embedding=(p, t), layers=(vote,), claim=most(numbers))
