"""What a model should say: the kinds of claim, the languages of their prompts, and how an
answer is known.
"""
