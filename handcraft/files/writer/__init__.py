"""Writes a program as a readable file in the style of programs/, which makes the same one again.

    whole         the file; read_back looks whether it makes the same program
    slot_words    the words that declare slots; names are their variables
    rule_words    heads, neurons and layers; sums, maps and loops stand in them
    claim_words   claims; expressions are what they are made of
    remarks       the docstring and the comments
    formulas      a function that is a given table
    literals      numbers, texts, labels
    lines         lines of 100 columns

Rules of this folder: a short form stands only where it is exactly what it stands for.
"""
