"""Describes a model as data: explained cells, differences, circuits of heads, the chain of its
states.
"""
