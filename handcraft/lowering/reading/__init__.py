"""Reads an expression: its core form (core, of nodes that making makes), what goes through a text
step by step as selections (following, automata), what a value is computed from (bases), the values
of each node (domains; domain, arithmetic), and which of them are ranks (orders).
"""
