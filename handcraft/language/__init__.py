"""The language of authors: slots and their lanes, expressions of lanes, and the rules that read and
write the residual stream.
"""
