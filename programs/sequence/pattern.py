"""Finds a pattern: 1 where `aba` ends, else 0.

Source: the pattern detection of Lindner et al., "Tracr: Compiled Transformers as a Laboratory for
Interpretability", 2023.
"""

from handcraft import tag
from handcraft.sequence import equal, fetch, indices, min_, there, tokens

one_back, two_back = (fetch(tokens, there(indices) == indices - k, default=".") for k in (1, 2))
pattern = min_(equal(tokens, "a"), equal(one_back, "b"), equal(two_back, "a"))
program = tag(pattern, tokens="abc", n=8, causal=True)
