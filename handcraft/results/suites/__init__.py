"""Makes a suite: many different compiled programs, each with what is known of it.

    choosing.py   which expressions are programs of the suite, for a seed
    member.py     one of them: compiled, held to its expression, and its turned twin
    texts.py      texts of an alphabet, the right answers, and what a model answers
    folders.py    the folders and the index, each whole or not there
    card.py       the README.md beside them

Rules of this package: what is written depends on the settings alone, and not on when a run was
stopped; a program that answers one text wrongly is never written.
"""
