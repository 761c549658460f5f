"""What an author writes: slots and their lanes, expressions of them, and the rules that read
and write the residual stream.
"""
