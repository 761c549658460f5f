"""What a model is made of and what it does: explained cells, differences, circuits, the chain
of its states.
"""
