"""Checks a claim on every context, with shared prefixes: in NumPy, compiled, or in several
processes; an interrupted run can go on.
"""
