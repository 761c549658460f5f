"""Says which letter a word has most often: ^abcb= is answered with b; of equals, the first one.

One head and no neuron: the mean of the one-hot letters is their frequency, and letters that come
earlier in the alphabet start a little ahead, by less than one occurrence. Source: uniform
averaging, the Transformer Cookbook (Yang et al., 2026).
"""

from string import ascii_lowercase as LETTERS

from handcraft import Program, answers, position, token
from handcraft.recipes import mean
from handcraft.sequence.words import count, most

N_CTX = 64
GAIN = 2048  # one occurrence is worth at least GAIN / N_CTX = 32, more than the 26 of the alphabet

at, t = position(N_CTX, p=lambda i: i), token("^=" + LETTERS)
ahead = {letter: len(LETTERS) - i for i, letter in enumerate(LETTERS)}
vote = mean(t, adds={t[letter]: GAIN * t[letter] + ahead[letter] for letter in LETTERS})

program = Program(
    embedding=(at, t),
    layers=(vote,),
    claim=answers(r"\^[a-z]{1,62}=", most({x: count({0: x}) for x in LETTERS}), length=1),
)
