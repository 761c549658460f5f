"""The forward pass and what it needs: weights, tokens, decoding, tracing; errors and frozen
values. Nothing here knows the language.
"""
