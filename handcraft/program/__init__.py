"""Rules and a claim, checked against each other and compiled to the matrices of a GPT-2."""
