"""The language in which claims are written: its words, its expressions as frozen data, and their
values after a sequence of tokens.
"""
