"""compile_rasp_to_model, with the arguments that users of Tracr know.

    from handcraft import rasp
    model = rasp.compile_rasp_to_model(sop, {"a", "b"}, max_seq_len=20)

Rules of this file: what is wrong with an argument is one ValueError or TypeError, and what cannot
be compiled one NotImplementedError with the names and the reasons.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from numbers import Real
from typing import Any

from handcraft.core.errors import printable
from handcraft.lowering.rasp.model import (
    AssembledTransformerModel,
    Encoder,
    NumberEncoder,
)
from handcraft.lowering.rasp.program import RaspProgram, compiled_program
from handcraft.model import Model
from handcraft.rasp import SOp

_LONGEST = 4_095


def compile_rasp_to_model(
    program: SOp,
    vocab: Iterable[Any],
    max_seq_len: int,
    causal: bool = False,
    compiler_bos: Any = "compiler_bos",
    compiler_pad: Any = "compiler_pad",
    mlp_exactness: float = 100,
) -> AssembledTransformerModel:
    """The model that gives each position of a text the value of an s-op.

    vocab         the tokens of a text: a set of anything that can be hashed
    max_seq_len   the most tokens of a text, without the first
    causal        True if no token sees a later one
    compiler_bos  the token that begins every text
    compiler_pad  a token that may stand after a text
    mlp_exactness a positive number, which is not needed: neurons are as sharp as they must be

    Raises ValueError or TypeError for arguments that cannot be, and NotImplementedError for what
    cannot be compiled, with the names and the reasons.
    """
    SOp.check(program, "compile_rasp_to_model(program)")
    tokens = _tokens(vocab)
    for name, token in (
        ("compiler_bos", compiler_bos),
        ("compiler_pad", compiler_pad),
    ):
        if not isinstance(token, Hashable):
            raise TypeError(
                f"{name} is {_shown(token)}, which cannot be hashed"
            )
        if token in tokens:
            raise ValueError(
                f"{name} is {_shown(token)}, which is in vocab; pass another one"
            )
    if compiler_bos == compiler_pad:
        raise ValueError(
            f"compiler_bos and compiler_pad are both {_shown(compiler_bos)}; they must differ"
        )
    _check_numbers(max_seq_len, causal, mlp_exactness)
    found = compiled_program(program, tokens, int(max_seq_len), causal=causal)
    return _assembled(found, compiler_bos, compiler_pad)


def _tokens(vocab: Any) -> list[Any]:
    """The tokens in an order that does not depend on hashes. Raises ValueError for none."""
    if isinstance(vocab, str) or not isinstance(vocab, Iterable):
        raise TypeError(f"vocab must be a set of tokens, found {_shown(vocab)}")
    tokens = list(vocab)
    if not all(isinstance(token, Hashable) for token in tokens):
        raise TypeError(
            "vocab must be a set of tokens, each of which can be hashed"
        )
    if not tokens:
        raise ValueError("vocab is empty; it needs at least one token")
    if any(token != token for token in tokens):  # noqa: PLR0124  # nan
        raise ValueError("vocab has a token that is not equal to itself")
    return sorted(dict.fromkeys(tokens), key=_order)


def _order(token: Any) -> tuple[int, float, str, str]:
    if isinstance(token, Real):
        return 0, float(token), "", ""
    return 1, 0.0, type(token).__name__, repr(token)


def _check_numbers(max_seq_len: Any, causal: Any, mlp_exactness: Any) -> None:
    whole = isinstance(max_seq_len, int) and not isinstance(max_seq_len, bool)
    if not whole or not 0 < max_seq_len <= _LONGEST:
        raise ValueError(
            f"max_seq_len must be a whole number from 1 to {_LONGEST}, found"
            f" {_shown(max_seq_len)}"
        )
    if not isinstance(causal, bool):
        raise TypeError(f"causal must be True or False, found {_shown(causal)}")
    if not isinstance(mlp_exactness, Real) or not float(mlp_exactness) > 0:
        raise ValueError(
            f"mlp_exactness must be a positive number, found {_shown(mlp_exactness)}"
        )


def _shown(value: Any) -> str:
    return printable(repr(value))[:60]


def _assembled(
    found: RaspProgram, begin: Any, pad: Any
) -> AssembledTransformerModel:
    model = Model.of(found.program)
    ids = model.vocabulary.ids
    inputs = {begin: 0, **{x: ids[name] for x, name in found.tokens.items()}}
    answers = {ids[name]: x for name, x in found.objects.items()}
    output: Encoder
    if found.numeric:
        output = NumberEncoder(answers.values(), begin, pad)
    else:
        output = Encoder(
            {begin: 0, **{x: i for i, x in answers.items()}}, begin, pad
        )
    return AssembledTransformerModel(
        model=model,
        input_encoder=Encoder(inputs, begin, pad),
        output_encoder=output,
        residual_labels=_labels(model, found),
        answers=answers,
        pad=pad,
    )


def _labels(model: Model, found: RaspProgram) -> list[str]:
    """The name of each column; of lanes that share one, both."""
    return [
        "/".join(found.labels.get(lane, lane) for lane in name.split("/"))
        for name in model.names.stream
    ]
