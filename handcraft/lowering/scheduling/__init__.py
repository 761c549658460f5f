"""Places rules in blocks with the fewest weights: rewriting, spanning and reusing save lanes,
schedule chooses the times, emit writes the Program.
"""
