"""Models that are wrong by construction, one family for each thing that a proof assumes."""
