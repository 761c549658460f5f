"""Carries: the sums of two binary numbers, digit by digit, least first, become one binary number.

A 0 stops a carry, a 2 makes one, and a 1 passes it on: the latest digit that is no 1 decides.
Source: the carry look-ahead of Weinberger and Smith, 1958.
"""

from handcraft import tag
from handcraft.sequence import equal, fetch, indices, latest, map_, there, tokens

decides = latest((there(tokens) != "1") & (there(indices) < indices))
carried = equal(fetch(tokens, decides, default="0"), "2")
carry = (map_(int, tokens, over="012") + carried) % 2
program = tag(carry, tokens="012", n=8, causal=True)
