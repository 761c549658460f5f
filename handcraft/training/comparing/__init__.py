"""Two models side by side: what both say about one claim, and how each of them computes it."""
