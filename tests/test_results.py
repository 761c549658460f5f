"""In Python as on the command line: what verify, explain, states, trace, export and open return
looks as the commands print it.
"""

from __future__ import annotations

import html
import inspect
import io
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_runner import handcraft as command
from cli_runner import process
from conftest import EVERY_PROGRAM, Refused, bundled_model, bundled_program
from rich.console import Console

import handcraft
from handcraft import Head, Model, Program, after, position, token
from handcraft.core.errors import ProgramError, PromptError
from handcraft.core.gpt2 import convert
from handcraft.files.bundled import bundled
from handcraft.pictures.notebooks import MOST_PAGE

SECONDS = re.compile(r"(?m)^  \S+ s$")
TABLE = {"aa": "a", "ab": "a", "ba": "a"}  # of aab, where b follows aa
WRONG = after(TABLE)
NAMES = ("circuit", "explain", "export", "open", "states", "trace", "verify")


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The width of a console that is no terminal, here as in the command."""
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)


def timeless(text: str) -> str:
    """A report without the time that it took."""
    return SECONDS.sub("  TIME s", text)


class Tags(HTMLParser):
    """Checks that every tag is closed in its turn, and collects the text between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.text = ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.open.append(tag)
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def same_page(result: Any) -> None:
    """The HTML of a result is well formed, and beside its pictures its text is that of the result,
    unless it says that it is left out.
    """
    whole = result._repr_html_()
    assert len(whole.encode()) <= MOST_PAGE
    Tags(whole)
    beside = re.sub(r"(?s)<svg .*?</svg>\n", "", whole)
    if beside.endswith("<p>... print it to see it as text</p>"):
        return
    page = Tags(beside)
    assert page.seen <= {"pre", "span", "div", "details", "summary", "p"}
    notes = "".join(re.findall(r"<p>(.*?)</p>", beside))
    said = (
        page.text.replace("as text", "", 1)
        if "<details>" in whole
        else page.text
    )
    assert said.removeprefix(html.unescape(notes)) == str(result)


# ---------------------------------------------------------------- as the commands print


@pytest.mark.parametrize("name", EVERY_PROGRAM)
def test_explain_looks_as_the_command_prints_it(name: str) -> None:
    """The matrices and their rules, in the same characters; as data, the same keys and values."""
    found = handcraft.explain(name)
    assert f"{found}\n" == command("explain", name).out
    assert found.to_json() == command("explain", name, "--json").json
    same_page(found)


@pytest.mark.parametrize("name", EVERY_PROGRAM)
def test_trace_looks_as_the_command_prints_it(name: str) -> None:
    """The tables of one pass, in the same characters; as data, the same keys and values."""
    program = bundled_program(name)
    context = list(program.vocabulary[: min(3, program.n_ctx)])
    argv = ("trace", name, json.dumps(context), "--tokens")
    found = handcraft.trace(name, context)
    assert f"{found}\n" == command(*argv).out
    assert found.to_json() == command(*argv, "--json").json
    same_page(found)


@pytest.mark.parametrize("name", EVERY_PROGRAM)
def test_verify_looks_as_the_command_prints_it(name: str) -> None:
    """The report, but for the time it took; a budget of a few contexts is enough to compare."""
    argv = ("verify", name, "--method", "sampled", "--budget", "40")
    found = handcraft.verify(name, method="sampled", budget=40)
    assert timeless(f"{found}\n") == timeless(command(*argv).out)
    printed = command(*argv, "--json").json | {"seconds": 0}
    assert found.to_json() | {"seconds": 0} == printed
    same_page(found)


@pytest.mark.parametrize(
    ("name", "start"), [("aab", "a"), ("baby_gpt", "0"), ("flip_flop", "w0r")]
)
def test_states_look_as_the_command_prints_them(name: str, start: str) -> None:
    """The chain, in the same characters; as data, the same keys and values."""
    argv = ("states", name, "--from", start)
    found = handcraft.states(name, starts=start)
    assert f"{found}\n" == command(*argv).out
    assert found.to_json() == command(*argv, "--json").json
    same_page(found)


def test_what_is_avoided_looks_as_the_command_prints_it() -> None:
    """The answer to `avoid`, with its exit code."""
    for text, code in (("bb", 0), ("aa", 1)):
        found = handcraft.states("aab", avoid=text)
        result = command("states", "aab", "--avoid", text)
        assert (f"{found}\n", found.exit_code) == (result.out, code)
        assert result.code == code
        assert found.avoided is not None
        assert found.to_json()["avoided"] == found.avoided.to_json()
        same_page(found)


def test_a_proof_looks_as_the_command_prints_it() -> None:
    """By default a proof is looked for, as on the command line."""
    found = handcraft.verify("aab")
    assert timeless(f"{found}\n") == timeless(command("verify", "aab").out)
    assert (found.verdict, found.exit_code, found.trace) == ("proved", 0, None)


def test_a_refutation_shows_the_trace_of_its_counterexample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The counterexample and its pass, in the same characters as the command's; the same where
    the right program is held to the wrong claim.
    """
    monkeypatch.chdir(tmp_path)
    right = bundled()["aab"].read_text()
    file = tmp_path / "aab.py"
    file.write_text(right.replace('"aa": "b"', '"aa": "a"'))
    result = command("verify", "aab.py")
    found = handcraft.verify("aab.py")
    assert (result.code, found.verdict) == (1, "refuted")
    assert timeless(f"{found}\n") == timeless(result.out)
    same_page(found)
    file.write_text(right)
    for claim in (WRONG, TABLE):
        other = handcraft.verify("aab.py", claim=claim)
        line = f"  claim       that of {other.claim}, alone\n"
        assert line in str(other)
        same = str(other).replace(line, "")
        rows = [f"({x.row['source']})" for x in (other, found)]
        assert timeless(same.replace(*rows)) == timeless(str(found))


def test_an_export_looks_as_the_command_prints_it(tmp_path: Path) -> None:
    """The files and the comparison, a line each, however narrow the console is."""
    argv = ("export", "aab", "--to", "gpt2", "--force", "--out")
    result = command(*argv, tmp_path / "a", env={"COLUMNS": "20"})
    found = handcraft.export("aab", "gpt2", tmp_path / "a", force=True)
    assert f"{found}\n" == result.out
    assert found.to_json() == command(*argv, tmp_path / "a", "--json").json
    same_page(found)


def test_a_console_of_rich_shows_the_same() -> None:
    """`rich.print` and consoles take the results, as wide as they are."""
    for width in (40, 120):
        found = handcraft.trace("aab", "aab")
        page = io.StringIO()
        Console(file=page, width=width, highlight=False).print(found)
        result = command("trace", "aab", "aab", env={"COLUMNS": str(width)})
        assert page.getvalue() == result.out


def test_the_width_is_that_of_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """COLUMNS decides where there is no terminal, for both."""
    monkeypatch.setenv("COLUMNS", "50")
    result = command("explain", "aab", env={"COLUMNS": "50"})
    assert f"{handcraft.explain('aab')}\n" == result.out
    assert max(map(len, result.lines)) <= 80  # rules are longer than a matrix


# ---------------------------------------------------------------- HTML


def marked() -> Program:
    """A program whose tokens look like markup of HTML and of rich."""
    tokens = ("<b>", "&amp;", "[red]", "</pre><script>")
    return Program(
        embedding=(position(3), token(tokens)),
        claim=after({(tokens[0],): tokens[1]}),
        name="marked",
    )


def test_tokens_are_escaped_in_html() -> None:
    """A token that looks like a tag is shown as it is, and is no tag."""
    program = marked()
    results: list[Any] = [
        handcraft.verify(program),
        handcraft.explain(program),
        handcraft.trace(program, ["<b>", "</pre><script>"]),
        handcraft.states(program, starts=[["<b>"]], top_k=1),
    ]
    for found in results:
        page = found._repr_html_()
        assert "<b>" not in page
        assert "script>" not in page.replace("script&gt;", "")
        assert page.count("</pre>") == 1
        same_page(found)
    assert "expected '&amp;', got '<b>'" in str(results[0])


def test_a_counterexample_that_cannot_be_traced_is_shown_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The verdict stands where its illustration fails."""

    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    found = handcraft.verify("aab", claim=WRONG)
    monkeypatch.setattr("handcraft.model.name_trace", fail)
    assert str(found).startswith("aab: refuted (exhaustive, float32)\n")
    assert str(found).endswith("\n\nits trace cannot be shown: MemoryError")


# ---------------------------------------------------------------- opening


def test_whatever_is_a_program_is_taken(tmp_path: Path) -> None:
    """A Program, its Model, a name, a file and a built directory, as text or as a Path."""
    program = bundled_program("aab")
    model = program.build()
    model.save(tmp_path)
    file = bundled()["aab"]
    for x in (program, model, "aab", file, str(file), tmp_path, str(tmp_path)):
        assert handcraft.explain(x).cells == handcraft.explain(model).cells
        assert handcraft.verify(x).verdict == "proved"
        assert handcraft.trace(x, "aab").logits == model.trace("aab").logits
        assert len(handcraft.states(x).states) == 32
    for y in ("aab", file, tmp_path):
        assert isinstance(handcraft.open(y), Model)
    assert handcraft.open("aab", "float64").dtype == "float64"


def test_what_is_no_program_is_refused() -> None:
    """The message says what was found, and what would work."""
    with Refused(
        ProgramError,
        "a program is a Program, a Model, a path, or the name of a bundled program,"
        " found list",
    ):
        handcraft.explain(["aab"])  # type: ignore[arg-type]
    with Refused(
        ProgramError,
        "handcraft.open: opens a path or the name of a bundled program, found Program",
    ):
        handcraft.open(bundled_program("aab"))  # type: ignore[arg-type]
    with Refused(
        ProgramError, "there is no program 'aaab'; did you mean 'aab'?"
    ):
        handcraft.verify("aaab")
    with Refused(
        ProgramError,
        "aab: is a model in float32, not float64; pass its program, or build it in that"
        " dtype",
    ):
        handcraft.verify(bundled_model("aab"), dtype="float64")


def test_the_options_are_the_commands_own() -> None:
    """Methods as a text or a list, a budget as a number or a text; mistakes have the same words."""
    for method in ("exhaustive", ["exhaustive"], "exhaustive, sampled"):
        assert handcraft.verify("aab", method=method).method == "exhaustive"
    for budget in (5, "5"):
        found = handcraft.verify("aab", method="exhaustive", budget=budget)
        assert found.verdict == "unknown"
    for argv, options in (
        (["--method", "guess"], {"method": "guess"}),
        (["--budget", "-1"], {"budget": -1}),
        (["--dtype", "int8"], {"dtype": "int8"}),
    ):
        given: dict[str, Any] = options
        with pytest.raises(handcraft.HandcraftError) as caught:
            handcraft.verify("aab", **given)
        assert str(caught.value) == command("verify", "aab", *argv).refusal


def test_nothing_is_left_in_the_users_folder(tmp_path: Path) -> None:
    """Where contexts are drawn hypothesis leaves no folder, the second time either, and the
    user's own use of it is as before.
    """
    code = (
        "import handcraft, os\n"
        "for _ in range(2): handcraft.verify('aab', method='sampled', budget=9)\n"
        "print(os.listdir(), 'HYPOTHESIS_STORAGE_DIRECTORY' in os.environ)\n"
        "from hypothesis import configuration\n"
        "print(vars(configuration)['__hypothesis_home_directory'])"
    )
    result = process(["-c", code], tmp_path)
    assert (result.err, result.lines) == ("", ["[] False", "None"])


def test_wrong_arguments_are_answered() -> None:
    """One message each, with what would work."""
    budget = (
        "a budget is a number of contexts or of seconds, such as 1000000 or 30s,"
        " found '0.5'"
    )
    runtime = (
        "there is no runtime 'gpt', only gpt2, picogpt, nanogpt, transformer-lens,"
        " onnx, gguf; did you mean 'gpt2'?"
    )
    program = bundled_program("aab")
    with pytest.raises(ProgramError) as caught:
        handcraft.verify("aab", claim=program)  # type: ignore[arg-type]
    assert "found a Program" in str(caught.value)
    assert "Predicate" not in str(caught.value)
    for call, message in (
        (
            lambda: handcraft.trace("aab", "aab", 3),
            "the position must lie in 0..2, found 3",
        ),
        (
            lambda: handcraft.trace("aab", "aab", -1),
            "the position must lie in 0..2, found -1",
        ),
        (
            lambda: handcraft.verify("aab", method=[]),
            "a method is one or several of lanes, certificate, exhaustive, sampled, found []",
        ),
        (
            lambda: handcraft.verify("aab", method=3),  # type: ignore[arg-type]
            "a method is one or several of lanes, certificate, exhaustive, sampled, found 3",
        ),
        (
            lambda: handcraft.verify("aab", budget=0.5),  # type: ignore[arg-type]
            budget,
        ),
        (
            lambda: handcraft.export("aab", "gpt2", 5),  # type: ignore[arg-type]
            "out is the path of a directory, found int",
        ),
        (
            lambda: handcraft.export("aab", "gpt", "nowhere"),
            runtime,
        ),
    ):
        with pytest.raises(handcraft.HandcraftError) as refused:
            call()
        assert str(refused.value) == message
    assert (
        handcraft.explain("aab", 0).cells == handcraft.explain("aab", "0").cells
    )


def test_weights_that_are_not_what_the_rules_say_are_refuted() -> None:
    """As by the command; held to a claim alone, the rules do not count."""
    model = bundled_program("aab").build()
    weights = convert(model.weights, lambda array: array * 1)
    weights["wpe"][0, -1] = 0.5  # of the lane v, which nothing reads
    other = model.replace(weights=weights)
    found = handcraft.verify(other)
    assert (found.verdict, found.reason) == (
        "refuted",
        (
            "the weights are not what the rules say, at wpe[0, 7] by 0.5; the claim is"
            " proved"
        ),
    )
    claim = bundled_program("aab").claim
    assert handcraft.verify(other, claim=claim).verdict == "proved"


def test_every_signature_is_written_out() -> None:
    """`inspect.signature` names each argument: no *args, no **fields."""
    calls = [getattr(handcraft, name) for name in NAMES]
    for call in [*calls, Program.__call__, Model.answer, Model.open]:
        kinds = {p.kind for p in inspect.signature(call).parameters.values()}
        assert not kinds & {
            inspect.Parameter.VAR_POSITIONAL,
            inspect.Parameter.VAR_KEYWORD,
        }


def test_a_star_does_not_hide_pythons_open() -> None:
    """`from handcraft import *` has the other functions, and leaves `open` alone."""
    code = (
        "from handcraft import *\n"
        "assert open is __builtins__.open\n"
        "print(verify.__module__, explain.__module__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "handcraft.results.verify handcraft.results.explain\n"
    assert "open" in dir(handcraft)


# ---------------------------------------------------------------- programs that answer


def test_a_program_continues_a_text_as_run_does() -> None:
    """Called with a text, a program returns what `handcraft run` adds to it."""
    program = bundled_program("aab")
    for options, n in ([], None), (["-n", "3"], 3):
        printed = command("run", "aab", "aab", *options, "--json").json
        assert program("aab", n) == printed["completion"]
    assert program(["a", "a"], 1) == "b"
    assert bundled_program("reverse")("^abc=") == "cba^"
    with pytest.raises(PromptError) as caught:
        bundled_program("reverse")("abc")
    assert str(caught.value) == command("run", "reverse", "abc").refusal


@pytest.mark.parametrize("name", EVERY_PROGRAM)
def test_answers_in_batches_are_those_one_by_one(name: str) -> None:
    """Prompts of several lengths at once: the same answers, in the same order, as `generate`."""
    model = bundled_model(name)
    claim = bundled_program(name).claim
    assert claim is not None
    if not claim.asks_prompts:
        with Refused(
            ProgramError,
            f"{name}: has no answers, since its claim is not answers(...);"
            " model.generate(text, n) continues any text",
        ):
            model.answer("a")
        return
    language = claim.language(model.n_ctx, model.vocabulary)
    prompts = language.sample(12)
    prompts = [*prompts, *list(prompts)[::-1]]
    stop = claim.stop_token or ""
    alone = [model.generate(prompt).removesuffix(stop) for prompt in prompts]
    assert model.answer(prompts) == alone
    assert model.answer(prompts[0]) == alone[0]


def test_answers_are_those_of_the_authors_function() -> None:
    """The reversed text, without the stop token; of no prompts, no answers."""
    model = bundled_model("reverse")
    words = ["", "abc", "z", "abcdefghijklmnopqrs"]
    prompts = (f"^{word}=" for word in words)
    assert model.answer(prompts) == [word[::-1] for word in words]
    assert model.answer([list("^ab="), model.ids("^cd=")]) == ["ba", "dc"]
    assert model.answer([]) == []


def test_an_answer_of_a_model_that_sees_what_follows() -> None:
    """Without the causal mask nothing is cached, and the answers are the same as one by one."""
    letters = token("ab=")
    program = Program(
        embedding=(position(6), letters),
        layers=(Head(value=letters, adds=3 * letters),),
        claim=handcraft.answers("[ab]{1,3}=", lambda prompt: "a", length=1),
        causal=False,
    )
    model = program.build()
    prompts = ["a=", "ab=", "b=", "abb="]
    assert model.answer(prompts) == [model.generate(p) for p in prompts]


def test_a_prompt_outside_the_claim_is_named() -> None:
    """One message, with the number of the prompt among several; nothing is answered."""
    model = bundled_model("reverse")
    with pytest.raises(PromptError) as alone:
        model.answer("abc")
    assert str(alone.value) == command("run", "reverse", "abc").refusal
    with Refused(PromptError, f"prompts[1]: {alone.value}"):
        model.answer(["^a=", "abc", "x"])
    with Refused(
        PromptError,
        "prompts[0]: a prompt is a text, tokens or ids, found int",
    ):
        model.answer([1, 2])  # type: ignore[list-item]
    for wrong in ({"^a="}, 5):
        with Refused(
            PromptError,
            f"answers a text or a list of prompts, found {type(wrong).__name__}",
        ):
            model.answer(wrong)  # type: ignore[arg-type]


def test_a_model_still_gives_logits() -> None:
    """Called with a text, a Model returns numbers: a row a token."""
    model = bundled_model("aab")
    assert np.array_equal(model("aab"), model([0, 0, 1]))
    assert model("aab").shape == (3, 2)
