"""Each check of the prover and the checker left out, one at a time: what would then be called
right, and who stops it.
"""
