"""The frames of a claim: next_token is the door, asked says after which texts it speaks, rules
its rule as a node, contexts, whereabouts, needs and first_position what is known of each position,
chances its probabilities, unanchored the stream without a token before the text.
"""
