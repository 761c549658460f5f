"""The one language of claims: its words, their expressions as frozen data, and what each means
on a sequence of tokens.
"""
