"""The forward pass and what it needs: weights, tokens, decoding, tracing, errors and frozen values.

Nothing in this room knows the language in which programs are written.
"""
