"""Draws what the functions of the library return: as tables on a terminal, as text, as HTML.

    tables.py    what all tables share; model_tables.py verdict_tables.py state_tables.py

Rules of this package: only the tables import rich, and nothing is printed.
"""
