"""Values of a wrong kind in what is asked of a program: arrays, lists, and numbers that raise.

Each is answered in handcraft's words, never with an error of Python or NumPy.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import handcraft
from handcraft import Model, Program, position, residual, scratch, token
from handcraft.core.decoding import Sampler
from handcraft.core.errors import HandcraftError
from handcraft.runtimes import export
from handcraft.testing import contexts


class Odd(float):
    """A number that is none: it raises when it is taken."""

    def __float__(self) -> float:
        raise RuntimeError("not to be seen")


class Equal:
    """A value that cannot be compared."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("not to be seen")


p, t, v = position(4), token("ab"), scratch("v")
NAMES: dict[str, Any] = {
    "handcraft": handcraft,
    "Program": Program,
    "Model": Model,
    "Sampler": Sampler,
    "export": export,
    "contexts": contexts,
    "residual": residual,
    "p": p,
    "t": t,
    "v": v,
    "A": np.array([1, 2]),
    "S": np.array(["a", "b"]),
    "np": np,
    "Odd": Odd,
    "Equal": Equal,
}
DTYPE = "the dtype must be float32 or float64, found"
PROMPT = "a prompt is a text, tokens or ids, found"
CALLS = [
    ("model.generate('a', 2, stop=S)", "stop= takes a token, found an array"),
    ("model.generate('a', 2, stop=['a'])", "stop= takes a token, found list"),
    ("model.generate('a', 2, stop=5)", "stop= takes a token, found int 5"),
    ("model.generate('a', 2, stop=Equal())", "stop= takes a token, found Eq"),
    ("model.generate('a', 2, cached=A)", "cached= takes True or False, found"),
    ("model.generate([Odd(1)])", f"{PROMPT} a list with Odd 1.0"),
    ("model.generate([[1]])", f"{PROMPT} a list with list [1]"),
    ("model.generate([[1], [1, 0]])", f"{PROMPT} a list with list [1]"),
    ("model.ids(np.array(1))", f"{PROMPT} the array 1"),
    ("model([A])", f"{PROMPT} a list with an array of shape (2,)"),
    ("model.continued(5, 2)", f"{PROMPT} int"),
    ("model.continued(A, 2)", "token ids must lie in 0..1, found 1..2"),
    ("handcraft.open('aab', dtype=A)", f"{DTYPE} an array of shape (2,)"),
    ("handcraft.open('aab', dtype=Equal())", f"{DTYPE} Equal"),
    ("handcraft.open('aab', dtype=['float32'])", f"{DTYPE} list"),
    ("program.build(A)", f"{DTYPE} an array of shape (2,)"),
    ("Model.of(program, dtype=None)", f"{DTYPE} None"),
    *(
        (call, f"{DTYPE} an array of shape (2,)")
        for call in (
            "handcraft.verify(program, dtype=A)",
            "handcraft.trace(program, 'a', dtype=A)",
            "handcraft.explain(program, 'wte', dtype=A)",
            "handcraft.states(program, dtype=A)",
        )
    ),
    (
        "handcraft.verify(model, dtype=A)",
        "aab: is a model in float32, not ndarray; pass its program, or build it in",
    ),
    (
        "handcraft.verify(model, dtype='float64')",
        "aab: is a model in float32, not float64; pass its program, or build it in",
    ),
    (
        "handcraft.states(program, floor=Odd(0.1))",
        "the floor must lie from 0 to below 1 and the limit from 1 on, found 0.1",
    ),
    (
        "Sampler(temperature=Odd(1))",
        "the temperature must be a number, found 1.0",
    ),
    (
        "Sampler(temp=2)",
        (
            "Sampler > temp: has no such argument; it takes temperature, top_k, top_p, seed;"
            " did you mean 'temperature'?"
        ),
    ),
    (
        "Sampler(1, 2, 0.5, 3, 4)",
        "Sampler: takes 4 arguments without a name, found 5: write Sampler(temperature,",
    ),
    ("Sampler(top_p=Odd(1))", "the top_p must be a number, found 1.0"),
    (
        "Program(embedding=(p, t), name=A)",
        "> name: must be a text, found a value of type ndarray",
    ),
    (
        "Program(embedding=(p, t), name=Equal())",
        "> name: must be a text, found a value of type Equal",
    ),
    (
        "program.model_copy(update=5)",
        "Program: update= takes a dict of fields",
    ),
    (
        "handcraft.export(program, 'gpt2', 'there', force=A)",
        "force= takes True or False, found an array of shape (2,)",
    ),
    (
        "handcraft.export(program, 'gpt2', 'there', verified=A)",
        "verified= takes True or False, found an array of shape (2,)",
    ),
    (
        "export(program, 'gpt2', 'there')",
        "export takes a Model, such as program.build(), found a Program",
    ),
    ("contexts(5)", "contexts: takes a Program, found int 5"),
    (
        (
            "handcraft.verify(Program(embedding=(p, t, v),"
            " claim=residual(v, lambda c: Odd(1))))"
        ),
        (
            "program > claim: the function '<lambda>' returned 1.0 of type Odd on the"
            " context 'a'; it must return the number that the lane v holds, or None"
        ),
    ),
]


@pytest.mark.parametrize(("written", "answer"), CALLS)
def test_a_value_of_a_wrong_kind_is_answered(
    written: str, answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line; nothing is written."""
    monkeypatch.chdir(tmp_path)
    model = handcraft.open("aab")
    with pytest.raises(HandcraftError) as caught:
        eval(written, {**NAMES, "model": model, "program": model.program})
    assert answer in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "not to be seen" not in str(caught.value)
    assert not [*tmp_path.iterdir()]


def test_a_dtype_may_be_numpys_own() -> None:
    """A dtype is named by its text, or is one."""
    assert handcraft.open("aab", np.dtype("float64")).dtype == "float64"  # type: ignore[arg-type]
