"""Says at each position whether the number of ones up to there is odd.

Source: Chiang and Cholak, "Overcoming a Theoretical Limitation of Self-Attention", 2022.
"""

from handcraft import tag
from handcraft.sequence import count, there, tokens

parity = count(there(tokens) == "1") % 2
program = tag(parity, tokens="01", n=10, causal=True)
