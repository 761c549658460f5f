"""A character model of a text: the next character by the last two, exactly as often as in the text.

One head fetches the character before the current one; one neuron for each pair that occurs in the
text writes the logarithms of what follows it. Source: n-gram models; the Transformer Cookbook (Yang
et al., 2026).
"""

from handcraft.frontends import from_ngrams

TEXT = """a hand that weighs each word by hand and writes it down and weighs again
will find that what it meant to say was there before the hand began
"""

program = from_ngrams(TEXT, 3, name="trigram")
