"""Values at one position, from what stands there: inputs are lanes of the embedding, sums need no
rule, functions take neurons; flags, squares and read_off are made for what reads them.
"""
