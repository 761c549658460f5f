"""Writes a program as a readable file in the style of programs/, which reads back as the same one.

literals.py     numbers, texts, labels           formulas.py  a function that is a given table
names.py        the variables                    loops.py     rows that differ in few places
sums.py         sums of lanes                    maps.py      {lane: expression}
slot_words.py   the words that declare slots     rule_words.py  heads, neurons and layers
claim_words.py  claims and their expressions     remarks.py   the comments
lines.py        lines of 100 columns             whole.py     the file, read back and compared
"""
