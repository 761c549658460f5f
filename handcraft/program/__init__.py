"""Programs: rules and a claim, checked against each other, and compiled to matrices."""
