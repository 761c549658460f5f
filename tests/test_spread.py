"""Enumeration in units: cut without a gap, merged exactly, over processes that may die, and
from a checkpoint.
"""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from operator import itemgetter
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from cli_runner import handcraft
from conftest import Refused, bundled_model, every, random_weights
from hypothesis import given
from hypothesis import strategies as st

from handcraft import (
    MLP,
    Model,
    Program,
    after,
    distribution,
    position,
    proof,
    residual,
    scratch,
    token,
)
from handcraft.core.errors import (
    CheckpointError,
    ClusterError,
    MissingExtraError,
    ProgramError,
)
from handcraft.core.vocabulary import Vocabulary
from handcraft.proof import Budget, Report, Spread
from handcraft.proof.enumerate import units
from handcraft.proof.enumerate.identity import identity
from handcraft.proof.enumerate.units import Units
from handcraft.proof.judge import Judge
from handcraft.proof.tally import Tally, Wrong


def verify(model: Model, **options: Any) -> Report:
    """Verification by enumeration alone: much of what these tests ask could be proved without."""
    return proof.verify(model, methods=["exhaustive"], **options)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Units of a few contexts, so that small programs have many."""
    monkeypatch.setattr(units, "UNIT", 50)


def latest(n_ctx: int, claim: Any = None) -> Model:
    """A program that repeats the last letter, over a and b."""
    p, t, v = position(n_ctx), token("ab"), scratch("v")
    return Program(
        name="latest", embedding=(p, t, v), claim=claim or (lambda context: context[-1])
    ).build()


def same(report: Report) -> Report:
    """A report without its time."""
    return replace(report, seconds=0.0)


# ---------------------------------------------------------------- units


@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 60))
def test_units_hold_every_context_once(n_vocab: int, n_ctx: int, most: int) -> None:
    """However the trie is cut, each context stands in exactly one unit, and each unit knows its
    size.
    """
    cut, seen = Units(n_vocab, n_ctx, most), Counter[tuple[int, ...]]()
    for i in range(len(cut)):
        prefixes = list(cut[i].prefixes(n_vocab))
        found = [
            ids
            for ids in every(n_vocab, cut[i].longest)
            for p in prefixes
            if len(ids) > len(p) and ids[: len(p)] == p
        ]
        assert len(found) == cut[i].size(n_vocab)
        seen.update(found)
    assert seen == Counter(every(n_vocab, n_ctx))
    with pytest.raises(IndexError):
        cut[len(cut)]


@pytest.mark.parametrize(("n_vocab", "n_ctx"), [(2, 26), (2, 40), (10, 9), (100, 4)])
def test_units_are_large_and_not_too_many(n_vocab: int, n_ctx: int) -> None:
    """Handing a unit over costs milliseconds, so it has about a quarter of a million contexts,
    or there are some thousands.
    """
    letters = [chr(0x4E00 + i) for i in range(n_vocab)]
    model = Program(
        embedding=(position(n_ctx), token(letters)),
        claim=after({letters[0]: letters[0]}),
    ).build()
    cut = Units.of(model)
    sizes = [cut[i].size(n_vocab) for i in range(1, min(len(cut), 50))]
    assert len(cut) < 10_000
    assert min(sizes) > 2**16


margins = st.sampled_from([math.inf, -math.inf, 0.5, 1.0, 2.0])


@st.composite
def tallies(draw: Any) -> Tally:
    """Tallies of parts, with equal margins and wrong contexts of equal length among them."""
    contexts = st.lists(st.integers(0, 2), min_size=1, max_size=3)
    checked = draw(st.integers(0, 9))
    margin, wrong = draw(margins), draw(st.none() | contexts)
    return Tally(
        checked + draw(st.integers(0, 9)),
        checked,
        checked - (wrong is not None),
        margin,
        None if margin == math.inf else draw(contexts),
        draw(st.none() | st.sampled_from([0.0, 0.25, math.inf])),
        None if wrong is None else Wrong(wrong, 1, 0, -1.0),
    )


@given(st.lists(tallies(), max_size=6), st.randoms(use_true_random=False))
def test_merging_does_not_depend_on_the_order(parts: list[Tally], random: Any) -> None:
    """The sum of the parts is the same in whatever order they come: counts, margin, error and
    shortest counterexample.
    """
    one, other = Tally(), Tally()
    for part in parts:
        one.merge(part)
    random.shuffle(parts)
    for part in parts:
        other.merge(part)
    assert one == other
    assert one.contexts == sum(part.contexts for part in parts)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.usefixtures("small")
def test_the_units_together_are_the_whole(causal: bool) -> None:
    """A model with layer norms and everything, cut into units: the tally of all contexts by the
    plain forward pass.
    """
    model = bundled_model("aab").replace(
        weights=random_weights(3, n_vocab=2, n_ctx=5, dtype="float64"),
        n_head=2,
        causal=causal,
    )
    claim = model.program.claim  # type: ignore[union-attr]
    report, tally, judge = verify(model), Tally(), Judge(model, claim)  # type: ignore[arg-type]
    for ids in every(2, 5):
        judge.contexts(tally, np.array(ids), [len(ids)])
    assert tally.worst is not None
    # at its end, or anywhere in a text: not in a alone, nor in one of b only
    speaks = 45 if causal else 56
    assert (report.contexts, report.checked, report.accuracy) == (
        62,
        speaks,
        tally.correct / speaks,
    )
    assert report.min_margin == pytest.approx(tally.min_margin, rel=1e-9)
    assert report.counterexample is not None
    assert report.counterexample.tokens == ["ab"[i] for i in tally.worst.context]


# ---------------------------------------------------------------- one wrong context among a million


@pytest.mark.parametrize("fast", [True, False])
def test_one_wrong_context_out_of_2_to_the_20_is_found(
    fast: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of 2^20 contexts of twenty letters one is claimed otherwise than the program answers: it
    is found, and the exit code is 1.
    """
    monkeypatch.setattr(units, "FAST_FROM", 0 if fast else math.inf)
    wrong = "abbabaaabbababbaabab"
    (tmp_path / "latest.py").write_text(
        "from handcraft import Program, after, position, scratch, token\nprogram ="
        " Program(name='latest', embedding=(position(20), token('ab'),"
        " scratch('v')),\n                  claim=after({'a': 'a', 'b': 'b',"
        f" '{wrong}': 'a'}}))\n"
    )
    result = handcraft(
        "verify", "latest.py", "--method", "exhaustive", "--json", cwd=tmp_path
    )
    assert result.code == 1
    found = result.json
    assert (found["contexts"], found["checked"], found["verdict"]) == (
        2**21 - 2,
        2**21 - 2,
        "refuted",
    )
    assert round((1 - found["accuracy"]) * found["checked"], 6) == 1
    assert (
        "".join(found["counterexample"]["tokens"]),
        found["counterexample"]["expected"],
    ) == (wrong, "a")


# ---------------------------------------------------------------- several processes


@pytest.mark.usefixtures("small")
def test_several_processes_say_what_one_says() -> None:
    """Two processes give the same report as one, to the last digit, for a table and for a
    function of the author's.
    """
    for model in (
        latest(9),
        latest(9, after({"a": "b", "abba": "a"})),
        bundled_model("baby_gpt"),
    ):
        assert same(verify(model, spread=Spread(jobs=2))) == same(verify(model))


def dying(marker: Path, times: int) -> Model:
    """A claim that kills the process that asks it about one context, so many times."""

    def claim(context: str) -> str:
        if (
            context == "abbab"
            and len(list(marker.parent.glob(f"{marker.name}*"))) < times
        ):
            marker.with_name(f"{marker.name}{time.monotonic_ns()}").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return context[-1]

    return latest(9, claim)


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_a_process_that_is_killed_loses_nothing(tmp_path: Path) -> None:
    """A worker dies in the middle of a unit, twice: every context is counted, and once."""
    report = verify(dying(tmp_path / "died", 2), spread=Spread(jobs=2))
    assert len(list(tmp_path.iterdir())) == 2
    assert same(report) == same(verify(latest(9), spread=Spread(jobs=1)))
    assert (report.contexts, report.checked, report.verdict) == (
        2**10 - 2,
        2**10 - 2,
        "checked",
    )


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_processes_that_always_die_are_an_error(tmp_path: Path) -> None:
    """Where no unit comes back between one death and the next, that is said."""
    model = dying(tmp_path / "died", 10**6)
    with pytest.raises(
        ClusterError,
        match=(
            r"^3 times a process died before it had counted anything"
            r" \(TerminatedWorkerError\)$"
        ),
    ):
        verify(model, spread=Spread(jobs=2))


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_an_error_in_a_worker_is_the_authors() -> None:
    """What a claim raises in another process reaches the author as from this one."""
    model = latest(9, lambda context: context[-1] if len(context) < 8 else 1 // 0)
    with pytest.raises(ProgramError, match="raised ZeroDivisionError"):
        verify(model, spread=Spread(jobs=2))


@pytest.mark.usefixtures("small")
def test_the_time_ends_work_in_several_processes() -> None:
    """After its seconds a run is undecided, and what was counted is not more than there is."""
    report = verify(latest(9), budget=Budget(seconds=0.0), spread=Spread(jobs=2))
    assert (report.verdict, report.contexts < 2**10 - 2) == ("unknown", True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--backend", "daks"],
            (
                "there is no backend 'daks'; there are loky, dask, ray; did you mean"
                " 'dask'?"
            ),
        ),
        (["--address", "tcp://x:1"], "an address goes with the backend dask or ray"),
    ],
)
def test_options_that_do_not_fit(options: list[str], message: str) -> None:
    """A backend that does not exist, and an address for this machine's own processes."""
    result = handcraft("verify", "aab", *options)
    assert (result.code, result.out, result.err) == (2, "", f"error: {message}\n")


@pytest.mark.parametrize(
    ("options", "hidden", "message"),
    [
        (
            ["--jobs", "2"],
            "joblib",
            "several processes need the extra `fast`: pip install 'handcraft[fast]'",
        ),
        (
            ["--backend", "dask"],
            "distributed",
            (
                "the backend dask needs the extra `cluster`: pip install"
                " 'handcraft[cluster]'"
            ),
        ),
        (
            ["--backend", "ray"],
            "ray",
            (
                "the backend ray needs the extra `cluster`: pip install"
                " 'handcraft[cluster]'"
            ),
        ),
    ],
)
def test_a_missing_package_names_its_extra(
    options: list[str], hidden: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without joblib, distributed or ray the error says what to install."""
    if hidden != "joblib":
        pytest.importorskip("joblib")
    monkeypatch.setitem(sys.modules, hidden, None)
    result = handcraft("verify", "aab", "--method", "exhaustive", *options)
    assert (result.code, result.err) == (2, f"error: {message}\n")
    with Refused(MissingExtraError, message):
        verify(
            bundled_model("aab"),
            spread=Spread(2, options[1] if options[0] == "--backend" else "loky"),
        )


# ---------------------------------------------------------------- checkpoints


class StoppedError(Exception):
    """Raised by a test in the middle of a run."""


def interrupted(model: Model, path: Path, after_: int) -> None:
    """A run that ends in an exception after so many contexts."""

    def progress(done: int, _: int) -> None:
        if done >= after_:
            raise StoppedError

    with pytest.raises(StoppedError):
        verify(model, progress=progress, spread=Spread(checkpoint=path))


CLAIMS = {
    "right": after({"a": "a", "b": "b"}),
    "wrong": after({"a": "a", "bab": "a"}),
    "chances": distribution({"a": {"a": 0.75, "b": 0.25}}, tolerance=0.25),
}


@pytest.mark.parametrize("name", CLAIMS)
@pytest.mark.usefixtures("small")
def test_an_interrupted_run_goes_on(name: str, tmp_path: Path) -> None:
    """What was counted before is not counted again, the report is the same, and then the file
    is gone.
    """
    model, path = latest(9, CLAIMS[name]), tmp_path / "run.json"
    interrupted(model, path, 500)
    begun = json.loads(path.read_text())
    assert 400 < begun["tally"]["contexts"] <= 600
    shown: list[int] = []
    report = verify(
        model,
        progress=lambda done, _: shown.append(done),
        spread=Spread(checkpoint=path),
    )
    assert shown[0] == begun["tally"]["contexts"]
    assert same(report) == same(verify(model))
    assert not path.exists()


@pytest.mark.usefixtures("small")
def test_a_run_without_time_keeps_its_checkpoint(tmp_path: Path) -> None:
    """Undecided for want of time, the run can be continued."""
    path = tmp_path / "run.json"
    report = verify(
        latest(9), budget=Budget(seconds=0.0), spread=Spread(checkpoint=path)
    )
    assert (report.verdict, path.exists()) == ("unknown", True)
    assert verify(latest(9), spread=Spread(checkpoint=path)).contexts == 2**10 - 2


@pytest.mark.usefixtures("small")
def test_a_checkpoint_of_another_task_is_refused(tmp_path: Path) -> None:
    """Other weights, another dtype, another window, another table, another function: none goes
    on from this file.
    """
    path = tmp_path / "run.json"
    interrupted(latest(9, CLAIMS["right"]), path, 100)
    before = path.read_bytes()
    others = [
        latest(9, CLAIMS["wrong"]),
        latest(8, CLAIMS["right"]),
        latest(9),
        latest(9, lambda context: context[:1]),
        latest(9, CLAIMS["right"]).program.build("float64"),  # type: ignore[union-attr]
        bundled_model("aab"),
    ]
    message = (
        f"the checkpoint {path} is of other weights, of another claim or of another"
        " version, or the claim reads what cannot be recognised again; name another"
        " file or delete it"
    )
    for other in others:
        with Refused(CheckpointError, message):
            verify(other, spread=Spread(checkpoint=path))
    assert path.read_bytes() == before


def of(model: Model) -> str:
    """Which task the verification of a model is."""
    claim = model.program.claim  # type: ignore[union-attr]
    return identity(model, claim, Units.of(model))  # type: ignore[arg-type]


def test_functions_are_told_apart_by_what_they_close_over() -> None:
    """The same lambda with another letter inside is another claim; the same with the same
    letter is not.
    """

    def made(letter: str) -> Model:
        return latest(3, lambda context: letter if context == "a" else None)

    assert of(made("a")) == of(made("a")) != of(made("b"))


class Says:
    """A claim that is an object: it says the letter it holds."""

    def __init__(self, letter: str) -> None:
        self.letter = letter

    def __call__(self, _: str) -> str:
        return self.letter

    def method(self, _: str) -> str:
        """The same as a method."""
        return self.letter


def by_default(letter: str) -> Any:
    """A function that reads a default value."""

    def claim(_: str, says: str = letter) -> str:
        return says

    return claim


def by_another(letter: str) -> Any:
    """A function that calls another one, which knows the letter."""

    def inner() -> str:
        return letter

    return lambda _: inner()


def by_array(letter: str) -> Any:
    """A function that reads an array."""
    table = np.array([letter])
    return lambda _: str(table[0])


def by_global(letter: str) -> Any:
    """A function of a module in which a name holds the letter."""
    names: dict[str, Any] = {"LETTER": letter}
    exec("def claim(context):\n    return LETTER", names)
    return names["claim"]


@pytest.mark.parametrize(
    "made",
    [
        Says,
        lambda x: Says(x).method,
        by_default,
        by_another,
        by_array,
        by_global,
        lambda x: partial(lambda y, _: y, x),
    ],
    ids=["object", "method", "default", "inner", "array", "global", "partial"],
)
def test_functions_are_told_apart_by_all_that_they_read(made: Any) -> None:
    """An object that is called, a method, a default, a function within, an array, a global
    name, a partial.
    """
    assert (
        of(latest(3, made("a"))) == of(latest(3, made("a"))) != of(latest(3, made("b")))
    )


def by_class(letter: str) -> Any:
    """A function that reads a member of a class."""
    kind = type("Kind", (), {"letter": letter})
    return lambda _: kind.letter


def by_slots(letter: str) -> Any:
    """A function that reads an object without a dictionary."""
    kept = Slotted(letter)
    return lambda _: kept.letter


@dataclass(slots=True)
class Slotted:
    """An object that keeps its letter in a slot."""

    letter: str


def closed(kept: Callable[[str], Any]) -> Callable[[str], Any]:
    """A function that closes over something which knows the letter."""

    def made(letter: str) -> Any:
        inner = kept(letter)
        return lambda _: str(inner)

    return made


def table_of(letter: str) -> dict[str, str]:
    """Context -> letter."""
    return dict.fromkeys(("a", "b"), letter)


@pytest.mark.parametrize(
    "made",
    [
        lambda x: table_of(x).get,
        lambda x: itemgetter(slice(0, "ab".index(x))),
        by_class,
        by_slots,
        closed(lambda x: range("ab".index(x))),
        closed(lambda x: Fraction("ab".index(x))),
        closed(lambda x: bytearray(x.encode())),
        closed(lambda x: defaultdict(partial(str, x))),
        closed(re.compile),
        closed(deque),
        closed(lambda x: MappingProxyType({x: x})),
    ],
    ids=[
        "get",
        "itemgetter",
        "class",
        "slots",
        "range",
        "fraction",
        "bytearray",
        "defaultdict",
        "pattern",
        "deque",
        "proxy",
    ],
)
def test_what_stands_in_no_dictionary_is_told(made: Any) -> None:
    """Methods of C with what they are bound to, slots, classes, and whatever else pickle would
    keep.
    """
    assert (
        of(latest(3, made("a"))) == of(latest(3, made("a"))) != of(latest(3, made("b")))
    )


def test_a_users_module_may_be_named_like_one_of_python() -> None:
    """Its classes are told by their members: only what is installed is told by its name."""

    def made(letter: str) -> Any:
        kind = type("Kind", (), {"letter": letter, "__module__": "calendar.of.mine"})
        return lambda _: kind.letter  # type: ignore[attr-defined]

    assert (
        of(latest(3, made("a"))) == of(latest(3, made("a"))) != of(latest(3, made("b")))
    )


@pytest.mark.parametrize(
    "kept",
    [threading.Lock(), (letter for letter in "ab"), object.__new__],
    ids=["lock", "generator", "new"],
)
def test_what_nobody_can_tell_is_never_the_same(kept: Any) -> None:
    """A claim that reads it cannot go on from a checkpoint; what is told by its name can."""
    claim = closed(lambda _: kept)("")
    assert (of(latest(3, claim)) == of(latest(3, claim))) == (kept is object.__new__)


def test_two_claims_in_one_process_are_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second claim is asked, even where a digest cannot tell it from the first."""
    monkeypatch.setattr(
        "handcraft.proof.enumerate.method.identity", lambda *_: "the same"
    )
    right, wrong = (
        dict.fromkeys(("a", "b", "aa", "ab", "ba", "bb"), "a") | {"ab": last}
        for last in "ab"
    )
    p, t = position(2), token("ab")
    found = [
        verify(
            Program(
                name="bound",
                embedding=(p, t),
                layers=(MLP([], adds={t["a"]: 3.0}),),
                claim=table.get,
            ).build()
        ).verdict
        for table in (right, wrong)
    ]
    assert found == ["checked", "refuted"]


def test_a_lane_is_told_by_its_column() -> None:
    """Two programs of equal weights that give the same name to different lanes are two tasks."""

    def made(*names: str) -> Model:
        lanes = [scratch(name) for name in names]
        return Program(
            name="lanes",
            embedding=(position(3), token("ab"), *lanes),
            claim=residual("x", lambda _: 0.0),
        ).build()

    assert of(made("x", "y")) == of(made("x", "y")) != of(made("y", "x"))


@pytest.mark.parametrize(
    "change", [{"activation": "relu"}, {"causal": False}, {"vocabulary": "ba"}]
)
def test_what_runs_the_weights_is_told(change: dict[str, Any]) -> None:
    """Another activation, another mask, the same tokens in another order, with the very same
    weights.
    """
    model = latest(3)
    vocabulary = (
        {"vocabulary": Vocabulary(tuple(change["vocabulary"]))}
        if "vocabulary" in change
        else change
    )
    assert of(model) != of(model.replace(**vocabulary))


def test_another_version_is_another_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """What counted differently cannot go on."""
    before = of(latest(3))
    monkeypatch.setattr(
        "handcraft.proof.enumerate.identity._counting", lambda: "another"
    )
    assert of(latest(3)) != before


def changed(path: Path, **changes: Any) -> str:
    """The checkpoint's text with some of its numbers changed."""
    content = json.loads(path.read_text())
    for key, value in changes.items():
        (content["tally"] if key in content["tally"] else content)[key] = value
    return json.dumps(content)


SELF = "the checkpoint {path} does not agree with itself; delete it to start anew"
UNUSABLE = "the checkpoint {path} cannot be used: {why}; delete it to start anew"
OTHER = "{path} is not a checkpoint of this version: {why}; delete it to start anew"
WRONG = {"context": [0], "expected": 1, "got": 0, "margin": -1.0}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"contexts": 10**6}, SELF),
        ({"checked": 10**9}, SELF),
        ({"correct": 0}, SELF),
        ({"min_margin_at": [7]}, SELF),
        ({"min_margin_at": []}, SELF),
        ({"min_margin_at": [0] * 99}, SELF),
        ({"worst": WRONG}, SELF),
        ({"done": [[0, 10**15]]}, SELF),
        ({"done": [[0, 1], [0, 1]]}, SELF),
        ({"done": [[2, 1]]}, SELF),
        ({"done": []}, SELF),
        (
            {"contexts": -1},
            OTHER.replace("{why}", "tally.contexts: must be at least 0, found -1"),
        ),
        (
            {"contexts": "1"},
            OTHER.replace("{why}", "tally.contexts: must be a whole number, found '1'"),
        ),
        (
            {"handcraft": "checkpoint 3"},
            OTHER.replace(
                "{why}", "handcraft: must be 'checkpoint 2', found 'checkpoint 3'"
            ),
        ),
        ({"more": 1}, OTHER.replace("{why}", "more: has no place here")),
    ],
)
@pytest.mark.usefixtures("small")
def test_a_forged_checkpoint_is_refused(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    """Counts that are not those of the done units, ids that are no tokens, units that do not
    exist, fields of another kind.
    """
    path = tmp_path / "run.json"
    model = latest(9, CLAIMS["right"])
    interrupted(model, path, 100)
    path.write_text(changed(path, **changes))
    with Refused(CheckpointError, message.format(path=path)):
        verify(model, spread=Spread(checkpoint=path))


BROKEN = [
    (b"", "not valid JSON: it goes wrong at line 1, column 1"),
    (b"[" * 100_000, "the JSON is nested deeper than 128"),
    (b'{"identity": NaN}', "NaN is not a number of JSON"),
    (b'{"a": 1, "a": 2}', "the key 'a' stands twice in the JSON"),
    (b"\xff\xfe", "not valid JSON: byte 0 is no UTF-8"),
]


@pytest.mark.parametrize(("data", "why"), BROKEN)
def test_a_damaged_checkpoint_is_refused(data: bytes, why: str, tmp_path: Path) -> None:
    """A file that is cut off or no JSON is one line on stderr and exit code 2; it is left as it
    is.
    """
    path = tmp_path / "run.json"
    path.write_bytes(data)
    result = handcraft("verify", "aab", "--method", "exhaustive", "--checkpoint", path)
    assert (result.code, result.err) == (
        2,
        f"error: {UNUSABLE.format(path=path, why=why)}\n",
    )
    assert path.read_bytes() == data


def test_a_checkpoint_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    """A file beyond the bound is refused unread, and so is a folder."""
    path = tmp_path / "run.json"
    with path.open("wb") as file:
        file.truncate(2**30)
    for place, why in (
        (path, f"{path} has {2**30} bytes; at most {2**20} are read"),
        (tmp_path, f"{tmp_path} is not a file"),
    ):
        with Refused(CheckpointError, UNUSABLE.format(path=place, why=why)):
            verify(bundled_model("aab"), spread=Spread(checkpoint=place))


def test_a_place_that_cannot_be_written_is_found_at_once(tmp_path: Path) -> None:
    """Before anything is counted."""
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match=r"^cannot write the checkpoint "):
        verify(
            bundled_model("aab"),
            spread=Spread(checkpoint=tmp_path / "file" / "run.json"),
        )


RUN = """
import sys
from handcraft.proof.enumerate import checkpoint
from handcraft.proof.enumerate import units
checkpoint.EVERY, units.UNIT = 0.0, 2**10
from handcraft.cli import main
sys.argv = ["handcraft", "verify", "latest.py", "--json", "--method", "exhaustive", *sys.argv[1:]]
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--jobs", "2"]])
def test_a_run_that_is_killed_and_started_again_ends_with_the_same_counts(
    options: list[str], tmp_path: Path
) -> None:
    """SIGKILL at random moments, at least two of them in the middle of the work; the last run
    reports as if nothing had been.
    """
    random = Random(os.getpid())
    (tmp_path / "latest.py").write_text(
        "from handcraft import Program, position, scratch, token\ndef claim(context):\n"
        "    return None if context.endswith('bbb') else 'a' if context == 'ab' * 7"
        " else context[-1]\nprogram = Program(name='latest', embedding=(position(16),"
        " token('ab'), scratch('v')), claim=claim)\n"
    )
    expected = handcraft(
        "verify", "latest.py", "--json", "--method", "exhaustive", cwd=tmp_path
    ).json
    path, middle = tmp_path / "run.json", 0
    for _ in range(20):
        run = subprocess.Popen(
            [sys.executable, "-c", RUN, "--checkpoint", str(path), *options],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        if middle < 2:
            before, start = (
                path.read_bytes() if path.exists() else b"",
                time.monotonic(),
            )
            while (
                run.poll() is None
                and time.monotonic() - start < 60
                and (not path.exists() or path.read_bytes() == before)
            ):
                time.sleep(0.01)
            time.sleep(random.uniform(0, 0.2))
            os.killpg(run.pid, signal.SIGKILL)
            middle += (
                path.exists()
                and 0 < json.loads(path.read_text())["tally"]["contexts"] < 2**17 - 2
            )
        out = run.communicate(timeout=120)[0]
        if out:
            break
    assert middle == 2 or run.returncode == 1
    found = json.loads(out)
    assert found | {"seconds": 0} == expected | {"seconds": 0}
    assert not path.exists()
