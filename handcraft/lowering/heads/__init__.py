"""Lowers selections to heads: conditions as scores (matches, scores), and what is brought
(counting, fetching, choosing, averaging, placing, bringing); selecting knows which.
"""
