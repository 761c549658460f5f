"""The frame in which every position answers (tag), and how an answer becomes logits (read_out)."""
