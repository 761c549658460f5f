"""Says at every position whether the whole text is the same read from its end.

Source: the palindromes of Hao et al., "Formal Language Recognition by Hard Attention
Transformers", 2022.
"""

from handcraft import tag
from handcraft.sequence import any_, equal, fetch, indices, length, there, tokens

mirror = fetch(tokens, there(indices) == length - 1 - indices)
palindrome = 1 - any_(there(1 - equal(tokens, mirror)))
program = tag(palindrome, tokens="abc", n=8)
