"""A character model of a text: the next character by the last one, exactly as often as in the text.

No attention: the current character is in the stream, and one neuron for each character writes the
logarithms of what follows it. Source: bigram models; Karpathy's makemore.
"""

from handcraft.frontends import from_ngrams

TEXT = """a hand that weighs each word by hand and writes it down and weighs again
will find that what it meant to say was there before the hand began
"""

program = from_ngrams(TEXT, 2, name="bigram")
