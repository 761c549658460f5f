"""Reads an expression: its core form (nodes), what goes through a text step by step as selections
(following, automata), the values of each node (domains), and which of them are ranks (orders).
"""
