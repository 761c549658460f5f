"""What the tests share: the hypothesis profiles, the bundled programs, random weights and random
programs, oracles that compute in plain Python what the package computes with matrices, and the
fixtures that several files ask for.
"""

from __future__ import annotations

import gc
import json
import math
import sys
import tempfile
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from itertools import product
from pathlib import Path
from pkgutil import walk_packages
from random import Random
from typing import Any

import pytest
from certificates import copying, induction, recorded
from cli_runner import handcraft
from damaging import Built
from drawn_weights import random_weights  # noqa: F401  # where tests look for it
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handcraft import (
    MLP,
    Block,
    Head,
    Model,
    Neuron,
    Program,
    local,
    position,
    scratch,
    slot,
    token,
)
from handcraft.claims.prompt_claim import Answers
from handcraft.core.vocabulary import Vocabulary
from handcraft.files.bundled import bundled, by_hand
from handcraft.files.program_file import load_program
from handcraft.language.affine import Affine, Lane
from handcraft.proof import verify
from handcraft.proof.checker.certificate import certificate_json
from handcraft.proof.enumerate import units

FULL, LIGHT = 60, 4  # examples of a property test, by profile
for profile, many in {"full": FULL, "light": LIGHT}.items():
    settings.register_profile(
        profile,
        deadline=None,
        derandomize=True,
        database=None,
        max_examples=many,
        suppress_health_check=list(HealthCheck),
    )
settings.load_profile("full")  # `make test` says --hypothesis-profile=light


def examples(many: int) -> settings:
    """As many examples in the full profile, and a part of them in the light one: for a property
    that needs more than others, or fewer.
    """
    return settings(
        max_examples=max(1, many * settings.default.max_examples // FULL)
    )


BUNDLED = tuple(by_hand())
_QUICK = (
    "aab",
    "abc",
    "baby_gpt",
    "counter",
    "dfa",
    "flip_flop",
    "parity",
    "reverse",
)
EVERY_PROGRAM = [  # for parametrize: of every program, the quick run takes a few small ones
    name if name in _QUICK else pytest.param(name, marks=pytest.mark.slow)
    for name in BUNDLED
]


@cache
def bundled_program(name: str) -> Program:
    """A program that comes with handcraft."""
    return load_program(bundled()[name])


@cache
def bundled_model(name: str, dtype: str = "float32") -> Model:
    """The model of a bundled program."""
    return bundled_program(name).build(dtype)


def claiming(claim: Any, name: str = "aab") -> Program:
    """A bundled program with another claim."""
    program = bundled_program(name)
    return Program(
        **{field: getattr(program, field) for field in Program.model_fields}
        | {"claim": claim}
    )


def example(name: str) -> list[str]:
    """A context of a bundled program: a prompt of its claim, or letters drawn with a fixed seed."""
    program = bundled_program(name)
    if isinstance(program.claim, Answers):
        return list(
            Vocabulary(program.vocabulary).split(
                program.claim.language(
                    program.n_ctx, Vocabulary(program.vocabulary)
                ).draw(Random(7))
            )
        )
    return Random(7).choices(program.vocabulary, k=min(program.n_ctx, 12))


class Refused:
    """Asserts that its body raises exactly this message; with `here`, followed by the file and
    the line of the body that raised it.
    """

    def __init__(
        self, kind: type[Exception], message: str, *, here: bool = False
    ) -> None:
        self.kind, self.message, self.here = kind, message, here

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: Any, error: BaseException | None, trace: Any
    ) -> bool:
        assert error is not None, (
            f"nothing was raised, expected {self.kind.__name__}: {self.message}"
        )
        if not isinstance(error, self.kind):
            return False
        file = trace.tb_frame.f_code.co_filename
        place = f" ({file}:{trace.tb_lineno})" if self.here else ""
        assert str(error) == self.message + place
        return True


def slow_from(quick: int, cases: Iterable[Any]) -> list[Any]:
    """The cases of a parametrised test, of which the quick run takes the first few."""
    return [
        case if i < quick else pytest.param(case, marks=pytest.mark.slow)
        for i, case in enumerate(cases)
    ]


def no_claim(_: str) -> None:
    """A claim that is always silent."""


def every(n_vocab: int, n_ctx: int) -> list[tuple[int, ...]]:
    """Every context, the shorter first."""
    return [
        ids
        for n in range(1, n_ctx + 1)
        for ids in product(range(n_vocab), repeat=n)
    ]


endings = st.dictionaries(
    st.text("ab", min_size=1, max_size=4), st.sampled_from("ab"), min_size=1
)  # a table of `after`


# ---------------------------------------------------------------- random weights and random
# programs


coefficients = st.sampled_from([-3.0, -2.0, -1.0, -0.5, 0.5, 1.0, 2.0, 4.0])


@st.composite
def affines(
    draw: Any, lanes: tuple[Lane, ...], constants: bool = True
) -> Affine:
    """Expressions of these lanes."""
    terms = (
        draw(st.dictionaries(st.sampled_from(lanes), coefficients, max_size=3))
        if lanes
        else {}
    )
    return Affine.of(
        terms,
        draw(st.sampled_from([0.0, 0.0, 1.5, -2.0])) if constants else 0.0,
    )


@st.composite
def heads(draw: Any, stream: tuple[Lane, ...]) -> Head:
    """Heads with local lanes, several match lanes and either kind of score."""
    own = (*stream, *local("anchor", "xy").lanes)
    match = draw(st.lists(st.sampled_from(own), unique=True, max_size=4))
    value = draw(
        st.lists(st.sampled_from(own), unique=True, min_size=1, max_size=4)
    )
    targets = draw(
        st.lists(st.sampled_from(stream), unique=True, min_size=1, max_size=3)
    )
    expressions = affines(stream)
    return Head(
        query={lane: draw(expressions) for lane in match},
        key={lane: draw(expressions) for lane in draw(st.permutations(match))},
        value={lane: draw(expressions) for lane in value},
        adds={lane: draw(affines(tuple(value))) for lane in targets},
        scores=draw(st.sampled_from(["raw", "exact"])),
        name=draw(st.sampled_from([None, "seer"])),
    )


@st.composite
def programs(draw: Any) -> Program:
    """Small programs with every kind of slot, one or two layers, up to three heads a layer, and
    neurons.
    """
    n_ctx, letters = (
        draw(st.integers(1, 4)),
        draw(st.sampled_from(["ab", "abc"])),
    )
    at, now, note = position(n_ctx), token(letters), scratch("note", "uvw")
    both = slot(
        "both",
        token={c: i - 0.5 for i, c in enumerate(letters)},
        position=[float(i) for i in range(n_ctx)],
    )
    embedding = draw(st.permutations((at, now, note, both)))
    stream = tuple(lane for one in embedding for lane in one.lanes)
    neurons = st.builds(
        Neuron,
        when=affines(stream),
        adds=affines(stream, constants=False),
        sharpness=st.sampled_from([1.0, 8.0]),
        name=st.none(),
    )
    mlps = st.builds(
        MLP,
        neurons=st.lists(neurons, max_size=3),
        adds=affines(stream, constants=False),
    )
    blocks = st.builds(
        Block,
        heads=st.lists(heads(stream), min_size=1, max_size=3),
        mlp=st.none() | mlps,
    )
    both_read_out = Neuron(
        when=at[0], adds={now[letters[0]]: 1, both: 1}
    )  # what no rule writes must not leak into the logits
    return Program(
        name="random",
        embedding=embedding,
        layers=[
            *draw(st.lists(blocks | mlps, min_size=1, max_size=2)),
            both_read_out,
        ],
        activation=draw(st.sampled_from(["gelu", "relu"])),
    )


# ---------------------------------------------------------------- the meaning of rules, in
# plain Python


def evaluate(expression: Affine, values: dict[Lane, float]) -> float:
    """The value of an expression on these lanes."""
    return (
        sum(value * values[lane] for lane, value in expression.terms)
        + expression.constant
    )


def activate(x: float, activation: str) -> float:
    """One activation of one number."""
    if activation == "relu":
        return max(x, 0.0)
    return (
        0.5
        * x
        * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    )


def shares(scores: list[float]) -> list[float]:
    """Softmax of a list."""
    powers = [math.exp(score - max(scores)) for score in scores]
    return [power / sum(powers) for power in powers]


def interpret(program: Program, tokens: list[str]) -> list[dict[str, float]]:
    """The logits after every position, computed from the rules alone: no matrix, no column, no
    layout of the compiler.
    """
    stream = [_embedded(program, token_, i) for i, token_ in enumerate(tokens)]
    for block in program.layers:
        added = [dict.fromkeys(lanes, 0.0) for lanes in stream]
        for head in block.heads:
            _attend(head, stream, added, program)
        stream = [
            {lane: x[lane] + more[lane] for lane in x}
            for x, more in zip(stream, added, strict=True)
        ]
        if block.mlp is not None:
            stream = [
                _neurons(block.mlp, x, program.activation) for x in stream
            ]
    rows = {name: _written(program, name) for name in program.vocabulary}
    return [
        {
            name: sum(row.get(lane, 0.0) * x[lane] for lane in x)
            for name, row in rows.items()
        }
        for x in stream
    ]


def _written(program: Program, token_: str) -> dict[Lane, float]:
    """What a token writes into the stream."""
    return {
        lane: value
        for s in program.embedding
        for name, lane, value in s.token_cells()
        if name == token_
    }


def _embedded(program: Program, token_: str, i: int) -> dict[Lane, float]:
    values = {
        lane: 0.0 for s in program.embedding for lane in s.lanes
    } | _written(program, token_)
    for s in program.embedding:
        for j, lane, value in s.position_cells():
            if j == i:
                values[lane] += value
    return values


def _attend(
    head: Head,
    stream: list[dict[Lane, float]],
    added: list[dict[Lane, float]],
    program: Program,
) -> None:
    key = dict(head.key.rows)
    divisor = math.sqrt(program.layout.d_head) if head.scores == "raw" else 1.0
    for i, asking in enumerate(stream):
        seen = stream[: i + 1] if program.causal else stream
        scores = [
            sum(
                evaluate(e, asking) * evaluate(key[lane], x)
                for lane, e in head.query.rows
            )
            / divisor
            for x in seen
        ]
        weights = shares(scores)
        means = {
            lane: sum(
                w * evaluate(e, x) for w, x in zip(weights, seen, strict=True)
            )
            for lane, e in head.value.rows
        }
        for lane, e in head.adds.rows:
            added[i][lane] += evaluate(e, means)


def _neurons(
    mlp: MLP, x: dict[Lane, float], activation: str
) -> dict[Lane, float]:
    after = dict(x)
    for neuron in mlp.neurons:
        sharpness = neuron.sharpness if activation == "gelu" else 1.0
        amount = (
            activate(sharpness * evaluate(neuron.when, x), activation)
            / sharpness
        )
        for lane, value in neuron.adds.terms:
            after[lane] += amount * value
    for lane, value in mlp.adds.terms:
        after[lane] += value
    return after


# ---------------------------------------------------------------- fixtures


@pytest.fixture
def small_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """Units of a few contexts, so that small programs have many."""
    monkeypatch.setattr(units, "UNIT", 50)


@pytest.fixture(scope="module")
def certified() -> list[tuple[Model, dict[str, Any], float]]:
    """Small models with their certificates as JSON, and the least margin that an enumeration
    finds.
    """
    found = []
    for model in (Model.open("aab"), copying(), induction()):
        exact = verify(model, methods=["exhaustive"])
        found.append(
            (
                model,
                json.loads(json.dumps(certificate_json(recorded(model)))),
                exact.min_margin or 0.0,
            )
        )
    return found


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, far from the checkout, as the working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def nowhere(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, on a machine where no folder takes temporary files."""

    def none() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found in []")

    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_get_default_tempdir", none)
    with pytest.raises(FileNotFoundError):
        tempfile.gettempdir()
    return here


@pytest.fixture
def beside_ok(here: Path) -> Path:
    """A folder with a good program, a folder and a text."""
    Path("ok.py").write_text(
        "from handcraft import *\nprogram = Program(embedding=(position(5),"
        " token('ab')))\n"
    )
    Path("folder").mkdir()
    Path("notes.txt").write_text("no program")
    return here


@pytest.fixture
def built(beside_ok: Path) -> Built:
    """A freshly built aab."""
    assert handcraft("build", "aab", "--out", "built").code == 0
    return Built(Path("built"))


def pytest_collection_finish() -> None:
    """Import all of handcraft before the first test: what is imported while a test has replaced
    something would keep that for good. Let the garbage collector pass over it and the tests
    themselves: a proof that lets large tables go would look through them each time.
    """
    for module in walk_packages(
        sys.modules["handcraft"].__path__, "handcraft."
    ):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    # At the first property hypothesis asks the collector who holds its own randomness: what is
    # frozen holds nothing, the collector says.
    given(st.none())(_nothing)()
    gc.collect()
    gc.freeze()


def _nothing(drawn: None) -> None:
    """A property of nothing, which holds."""
