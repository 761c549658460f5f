"""Builds known constructions as plain rules, under the field's names; `explain` shows what a recipe
wrote.

    addressing.py  slots of positions, and the scores that single one out
    attention.py   heads that attend to a computed position, to fixed offsets, by content
    selectors.py   which key positions a query selects, by comparison
    selecting.py   heads over a selector: one position, the mean, the greatest
    sums.py        heads that average and count
    neurons.py     neurons for logic, comparison and arithmetic
    decoders.py    from lanes to logits

Rules of this package: nothing here knows a weight; scores do not depend on d_head
(`scores="exact"`); wrong use is a ProgramError that says what would work. A recipe's numbers hold
in float32, with gelu and with relu.
"""

from handcraft.language.layers import as_mlp as as_mlp
from handcraft.recipes.addressing import addresses as addresses
from handcraft.recipes.addressing import two_digits as two_digits
from handcraft.recipes.attention import attend_to as attend_to
from handcraft.recipes.attention import attend_to_digits as attend_to_digits
from handcraft.recipes.attention import attend_where as attend_where
from handcraft.recipes.attention import kernel as kernel
from handcraft.recipes.attention import merge as merge
from handcraft.recipes.decoders import log_probabilities as log_probabilities
from handcraft.recipes.decoders import one_hot as one_hot
from handcraft.recipes.decoders import parabola as parabola
from handcraft.recipes.decoders import thermometer as thermometer
from handcraft.recipes.neurons import absolute as absolute
from handcraft.recipes.neurons import conjunction as conjunction
from handcraft.recipes.neurons import copy as copy
from handcraft.recipes.neurons import disjunction as disjunction
from handcraft.recipes.neurons import equals as equals
from handcraft.recipes.neurons import erase as erase
from handcraft.recipes.neurons import gated_copy as gated_copy
from handcraft.recipes.neurons import maximum as maximum
from handcraft.recipes.neurons import minimum as minimum
from handcraft.recipes.neurons import modulo as modulo
from handcraft.recipes.neurons import move as move
from handcraft.recipes.neurons import negation as negation
from handcraft.recipes.neurons import one_hot_of as one_hot_of
from handcraft.recipes.neurons import piecewise_linear as piecewise_linear
from handcraft.recipes.neurons import product as product
from handcraft.recipes.neurons import quotient as quotient
from handcraft.recipes.neurons import square as square
from handcraft.recipes.neurons import table as table
from handcraft.recipes.neurons import threshold as threshold
from handcraft.recipes.selecting import argmax as argmax
from handcraft.recipes.selecting import best_by as best_by
from handcraft.recipes.selecting import fetch_one as fetch_one
from handcraft.recipes.selecting import mean_over as mean_over
from handcraft.recipes.selectors import compare as compare
from handcraft.recipes.selectors import key_flag as key_flag
from handcraft.recipes.selectors import query_flag as query_flag
from handcraft.recipes.selectors import same_number as same_number
from handcraft.recipes.sums import count_where as count_where
from handcraft.recipes.sums import mean as mean
from handcraft.recipes.sums import mean_where as mean_where
from handcraft.recipes.sums import running_sum as running_sum
from handcraft.recipes.sums import total_over as total_over
from handcraft.recipes.sums import total_over_any as total_over_any
