"""The frames of a claim: next_token is the door, asked says after which texts it speaks, stated its
rule as a node, contexts the same for the stream. Whereabouts, needs and first_position tell what is
known of each position, chances its probabilities, and unanchored is for texts that begin with any
token.
"""
