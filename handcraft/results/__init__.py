"""Answers in Python what the commands answer: each function opens a program, calls one function of
the library, and returns a result that shows itself as the command prints it.

    opening.py    open: a Program, a Model, or what PROGRAM is on the command line
    verify.py explain.py states.py trace.py circuit.py read.py export.py    a function, its result
    notes.py      hypothesis leaves no folder where the user works
    shown.py      what the results share: as text, on rich's console, as HTML
    tables.py     what all tables share; model_tables.py verdict_tables.py blame_tables.py
                  state_tables.py reading_tables.py

Rules of this package: only the tables import rich, and only once something is shown; nothing is
printed. A result is what the library returns (a Report, a Trace, ...) with its looks beside it.
"""
