"""The frame that answers behind the text: answering is the door, regions are the copies of the
text, levels say how many are needed, signs stand between them, answer_claim says what is right.
"""
