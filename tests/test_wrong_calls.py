"""What is asked of a program in Python, asked wrongly: each call is answered in the author's words.

The table has what she writes after START, and the answer without her file and line.
"""

from __future__ import annotations

import inspect
import pickle
import pydoc
import re
from copy import deepcopy
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
from test_first_mistakes import JARGON

import handcraft
from handcraft import MLP, Block, Head, Neuron, Program, token
from handcraft.core.errors import HandcraftError
from handcraft.program.program import OF_HANDCRAFT

START = """import handcraft
from handcraft import Model, Program, token
from handcraft.frontends import from_table
from handcraft.runtimes import load_gpt2
from handcraft.testing import assert_accurate
model = handcraft.open("aab")
program = model.program
"""
STATES = (
    "program, starts, avoid, floor, temperature, top_k, top_p, limit, dtype"
)
LIMITS = "the floor must lie from 0 to below 1 and the limit from 1 on, found"
FIELDS = (
    "a model has no such field; it has name, weights, vocabulary, n_head,"
    " activation, causal, program, epsilon, about"
)
CALLS = [
    (
        'handcraft.export(program, "gpt2", "there", verify=True)',
        (
            "handcraft.export > verify: has no such argument; it takes program, to,"
            " out, norm, force, verified, progress; write verified=True"
        ),
    ),
    (
        'handcraft.export("aab", "gpt2")',
        "handcraft.export > out: is required",
    ),
    (
        'handcraft.export("aab", "gpt2", "there", norm=3)',
        "norm= takes the name of one, such as 'mirror', found int 3",
    ),
    (
        'handcraft.export("aab", "gpt2", "there", progress="yes")',
        "progress= takes a function, found str 'yes'",
    ),
    (
        'handcraft.states(program, from_="aab")',
        (
            f"handcraft.states > from_: has no such argument; it takes {STATES};"
            " write starts=..."
        ),
    ),
    (
        'handcraft.states(program, start="aab")',
        (
            f"handcraft.states > start: has no such argument; it takes {STATES};"
            " did you mean 'starts'?"
        ),
    ),
    (
        "handcraft.states(program, starts=3)",
        "starts= takes a context, or a list of contexts, found int 3",
    ),
    (
        'handcraft.states("aab", floor="x")',
        f"{LIMITS} 'x' and 4096",
    ),
    (
        'handcraft.states("aab", floor=None)',
        f"{LIMITS} None and 4096",
    ),
    (
        'handcraft.states("aab", limit="x")',
        f"{LIMITS} 0.0 and 'x'",
    ),
    (
        'handcraft.states("aab", limit=2.5)',
        f"{LIMITS} 0.0 and 2.5",
    ),
    (
        'handcraft.states("aab").save(3)',
        "a picture is saved to the path of a file, found int 3",
    ),
    (
        "handcraft.states()",
        "handcraft.states > program: is required",
    ),
    (
        "handcraft.trace(program)",
        "handcraft.trace > context: is required",
    ),
    (
        'handcraft.trace(program, "aab", pos=1)',
        (
            "handcraft.trace > pos: has no such argument; it takes program, context,"
            " position, dtype; did you mean 'position'?"
        ),
    ),
    (
        'handcraft.explain(program, prt="wte")',
        (
            "handcraft.explain > prt: has no such argument; it takes program, part,"
            " dtype; did you mean 'part'?"
        ),
    ),
    (
        'handcraft.verify(program, methods="sampled")',
        (
            "handcraft.verify > methods: has no such argument; it takes program,"
            " method, budget, claim, dtype, spread, progress; did you mean 'method'?"
        ),
    ),
    (
        'handcraft.verify(program, "sampled")',
        (
            "handcraft.verify: takes 1 argument without a name, found 2: write"
            " handcraft.verify(program, method=..., budget=..., claim=..., dtype=...)"
        ),
    ),
    (
        "handcraft.verify(program, jobs=2)",
        (
            "handcraft.verify > jobs: has no such argument; it takes program, method,"
            " budget, claim, dtype, spread, progress; write spread=Spread(jobs=...)"
        ),
    ),
    (
        'handcraft.open("aab", dtpe="float64")',
        (
            "handcraft.open > dtpe: has no such argument; it takes reference, dtype;"
            " did you mean 'dtype'?"
        ),
    ),
    (
        "assert_accurate(program, sample=True)",
        (
            "assert_accurate > sample: has no such argument; it takes program, method,"
            " budget, claim, dtype, sampled; did you mean 'sampled'?"
        ),
    ),
    (
        'load_gpt2("there", tokns="ab")',
        (
            "load_gpt2 > tokns: has no such argument; it takes directory, tokens; did"
            " you mean 'tokens'?"
        ),
    ),
    (
        "from_table()",
        "from_table > table: is required",
    ),
    (
        'model.generate("aab", temperature=2)',
        (
            "model.generate > temperature: has no such argument; it takes prompt, n,"
            " sampler, stop, cached; write sampler=Sampler(temperature=...)"
        ),
    ),
    (
        "model.generate()",
        "model.generate > prompt: is required",
    ),
    (
        'model.trace("aab", positoin=1)',
        (
            "model.trace > positoin: has no such argument; it takes context, position,"
            " checked; did you mean 'position'?"
        ),
    ),
    (
        'model.answer("a", "b")',
        (
            "model.answer: takes 1 argument without a name, found 2: write"
            " model.answer(prompts)"
        ),
    ),
    (
        'model("aab", position=1)',
        "model > position: has no such argument; it takes tokens",
    ),
    (
        'model.save("there", force=True)',
        "model.save > force: has no such argument; it takes directory",
    ),
    (
        "Model.load()",
        "Model.load > directory: is required",
    ),
    (
        "Model.of(3)",
        "a program is a Program, found int 3",
    ),
    (
        "model.held_to(3)",
        "a program is a Program, found int 3",
    ),
    (
        "model.replace(nme=3)",
        f"model.replace > nme: {FIELDS}; did you mean 'name'?",
    ),
    (
        "model.replace(name=3)",
        "name must be a text, found int 3",
    ),
    (
        'model.replace(epsilon="x")',
        "epsilon must be a number, found str 'x'",
    ),
    (
        "model.replace(n_head=1.0)",
        "n_head must be a whole number, found float 1.0",
    ),
    (
        'model.replace(activation="tanh")',
        "activation must be 'gelu' or 'relu', found 'tanh'",
    ),
    (
        'model.replace(vocabulary="ab")',
        (
            "vocabulary must be a Vocabulary, such as Vocabulary(('a', 'b')), found"
            " str 'ab'"
        ),
    ),
    (
        "model.verify()",
        "Model: there is no 'verify'; write handcraft.verify(model)",
    ),
    (
        'model.run("aab")',
        "Model: there is no 'run'; write model.generate(text, n)",
    ),
    (
        "model.claim",
        "Model: there is no 'claim'; its program has it: model.program.claim",
    ),
    (
        "model.n_embed",
        "Model: there is no 'n_embed'; did you mean 'n_embd'?",
    ),
    (
        'program.build(dtpe="float64")',
        (
            "program.build > dtpe: has no such argument; it takes dtype; did you mean"
            " 'dtype'?"
        ),
    ),
    (
        "program()",
        "program > prompt: is required",
    ),
    (
        "program.answer()",
        (
            "Program: there is no 'answer'; a built model has it:"
            " program.build().answer"
        ),
    ),
]


@pytest.mark.parametrize(("written", "answer"), CALLS)
def test_a_wrong_call_is_answered_in_the_authors_words(
    written: str, answer: str, tmp_path: Path, monkeypatch: Any
) -> None:
    """The argument, what the function takes, and what was meant; nothing is written."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HandcraftError) as caught:
        exec(START + written, {})
    line = START.count("\n") + 1
    assert str(caught.value).removesuffix(f" (<string>:{line})") == answer
    assert not any(word in answer for word in set(JARGON) - {"handcraft."})
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("name", [*OF_HANDCRAFT, "open"])
def test_a_checked_function_still_shows_its_arguments(name: str) -> None:
    """`help` and completion show the author's own signature, not that of the check."""
    function = getattr(handcraft, name)
    assert function.__name__ == name
    assert signature(function) == signature(function.__wrapped__)
    assert pickle.loads(pickle.dumps(function)) is function


def test_a_model_is_copied_and_stored_as_before() -> None:
    """What Python asks of every value by names that begin with _ is no mistake of an author."""
    model = handcraft.open("aab")
    for copied in (deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert copied.generate("aab", 5) == model.generate("aab", 5)
    assert not hasattr(model, "_repr_png_")


CELLS = (
    "<stdin>",
    "<string>",
    "<ipython-input-1-0f5b>",
    "/tmp/ipykernel_12/345.py",
    "/tmp/ipython-input-3-99.py",
    "/tmp/marimo_1/__marimo__cell_Hbol_.py",
)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        *((cell, "program") for cell in CELLS),
        ("abba.py", "abba"),
        ("/home/me/ipykernel_tricks/a b.py", "a_b"),
    ],
)
def test_a_program_of_a_notebook_is_called_program(
    file: str, name: str
) -> None:
    """A file gives its name; a cell, or a line at Python's prompt, has none that says something."""
    names: dict[str, Any] = {}
    text = (
        "from handcraft import Program, token\n"
        'made = Program(embedding=(token("ab"),), n_ctx=3)'
    )
    exec(compile(text, file, "exec"), names)
    assert names["made"].name == name


@pytest.mark.parametrize("kind", [Head, Neuron, MLP, Block, Program])
def test_help_is_one_page_about_the_rule(kind: Any) -> None:
    """Every argument is told, and no name of a library's stands there."""
    page = pydoc.render_doc(kind, renderer=pydoc.plaintext)
    assert page.count("\n") < 80
    for name in set(signature(kind).parameters) - {"source"}:
        assert re.search(rf"\b{name}\b", inspect.getdoc(kind) or ""), name
    assert "model_validate" not in page
    assert "__pydantic" not in page


def test_completion_offers_what_a_value_has() -> None:
    """The fields, and what this package defines; a misspelt field is answered with its name."""
    head = Head(value=token("ab"))
    assert set(dir(head)) == {*Head.model_fields, "model_copy", "is_data"}
    assert all(hasattr(head, name) for name in dir(head))
    with pytest.raises(HandcraftError, match="did you mean 'value'"):
        _ = head.valeu  # type: ignore[attr-defined]
