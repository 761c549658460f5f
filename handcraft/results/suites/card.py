"""Writes the README.md of a suite: what stands where, and how it is read."""

from __future__ import annotations

from handcraft.results.suites.choosing import Settings
from handcraft.results.suites.member import SAME
from handcraft.results.suites.texts import EVERY, SOME


def card(settings: Settings) -> str:
    """The text of the README.md of a suite with these settings."""
    words = [f"seed {settings.seed}"]
    if settings.tokens is not None:
        words.append(f"the tokens {' '.join(settings.tokens)}")
    if settings.n is not None:
        words.append(f"texts of up to {settings.n} tokens")
    return _TEXT.format(
        settings=", ".join(words), every=EVERY, drawn=SOME, near=SAME
    )


_TEXT = """# A suite of transformers whose mechanism is known

Each program here was written by a compiler from one expression that says what it computes, so that
nothing about it is guessed: which head and which neuron does what is known from the start. Made by
`handcraft suite` with {settings}; the same settings give the same files.

`index.json` has a row for each program: its `name`, the `expression`, its `alphabet`, `n` (the most
tokens of a text), `causal`, `operations`, the numbers of `layers`, `heads` and `neurons`, `sizes`,
the `verdict` with its `margin` (the least lead of a right logit), the number of `texts` on which it
was asked, `every_text` (true where there are no others), `seed` and `place`, and the SHA-256 of its
`files`. `rotation` is null, or the same of its twin: `difference` is that of the logits, as a part
of the largest one.

## programs/NAME

| file | holds |
|---|---|
| `model.safetensors` | the weights by GPT-2's names; no layer norms, the unembedding is `wte` |
| `program.json` | vocabulary and sizes, the rules, and for each weight the rule that wrote it |
| `program.py` | the same as a readable Python file of slots, heads and neurons |
| `circuit.json` | the heads and neurons that matter, what each reads and writes, and the edges |
| `claim.json` | what it must answer, as data |
| `verdict.json` | the report of `handcraft verify`, without its seconds |
| `train.jsonl`, `test.jsonl` | texts with the right answers |
| `about.json` | its row of the index |

A model reads `^` and then a text of its alphabet, and answers behind each token of the text: the
token with the greatest logit. In the examples `tokens` is what it reads and `answers` what is right
at each position; null where nothing is claimed. The id of a token is its place in `vocab` of
`program.json`. A model that is not `causal` sees the whole text at each position.

## rotated/NAME

The twin of a program: its residual stream is multiplied by a random orthogonal matrix, so that it
computes the same and no column has a meaning. `rotation.safetensors` has the matrix: the stream of
the twin is that of the program times it. What each head and each neuron does is what `circuit.json`
of the program says. The entries are short binary fractions, with which float32 adds without an
error; on the same texts the logits differ by at most {near:g} of the largest one.

## What was checked

Every program and every twin was asked all texts where there are at most {every:,}, else {drawn:,}
of all lengths, and answers each position as the expression does. One that does not is not here.

    handcraft verify programs/NAME
    handcraft explain programs/NAME
    handcraft verify rotated/NAME --claim programs/NAME
"""
