"""The frames of a claim: next_token is the door, asked says after which texts it speaks, stated its
rule as a node, contexts the same for the stream, whereabouts, needs and first_position what is
known of each position, chances its probabilities, unanchored the stream of texts that begin with any
token.
"""
