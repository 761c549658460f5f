"""Claims: what a model should predict, the languages of prompts, and how answers are known."""
