"""What each command does, what it prints under --json, and how it ends: 0 done, 1 refuted, 2
bad input, 3 undecided.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_runner import Result, files, handcraft

from handcraft.proof.assumptions import ASSUMPTIONS

PROGRAMS = Path(__file__).parent.parent / "programs"
BUNDLED = ["aab", "abc", "adder", "baby_gpt", "copy_previous", "induction"]
AAB_SIZES = {"n_layer": 1, "n_head": 1, "n_embd": 8, "n_vocab": 2, "n_ctx": 5}
RULES = """
from handcraft import *
p, t, v = position(5), token("ab"), scratch("v")
pair = Head(query=1024 * (p + p.previous), key=p, value={v: t["a"] - t["b"]},
            output={t["a"]: 1024 - 1024 * v, t["b"]: 1024 * v})
program = Program(embedding=(p, t, v), layers=(pair,), claim=%s)
"""
# the first entry is wrong
BACKWARDS = RULES % 'after({"aa": "a", "ab": "a", "ba": "a"})'
BY_FUNCTION = (
    RULES % 'lambda context: {"aa": "b", "ab": "a", "ba": "a"}.get(context[-2:])'
)
SILENT = RULES % "lambda context: None"
UNCLAIMED = RULES % "None"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, far from the checkout, as the working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name: str, text: str) -> str:
    """A program file in the working directory."""
    Path(name).write_text(text)
    return name


# ---------------------------------------------------------------- list, help


def test_list_names_the_bundled_programs(here: Path) -> None:
    """`list --json` maps each bundled program to the first line of its docstring."""
    found = handcraft("list", "--json").json
    assert list(found) == ["programs"]
    assert set(BUNDLED) <= set(found["programs"])
    assert (
        found["programs"]["aab"]
        == "Continues aabaabaab...: b follows aa, a follows everything else."
    )


def test_list_is_a_table_for_people(here: Path) -> None:
    """Without --json each program stands on a line of its own."""
    result = handcraft("list", env={"COLUMNS": "200"})
    assert (result.code, result.err) == (0, "")
    shown = [line.split(maxsplit=1) for line in result.lines]
    assert [
        "aab",
        "Continues aabaabaab...: b follows aa, a follows everything else.",
    ] in shown


def test_help_names_every_command() -> None:
    """`--help` is no error and lists the commands."""
    result = handcraft("--help")
    assert (result.code, result.err) == (0, "")
    for command in (
        "build",
        "explain",
        "run",
        "trace",
        "verify",
        "assumptions",
        "diff",
        "states",
        "export",
        "list",
        "new",
    ):
        assert f"\n  {command} " in result.out


def test_no_line_of_the_help_is_cut() -> None:
    """At 80 columns the list of commands has whole sentences, each under 45 characters."""
    from handcraft.cli import COMMANDS

    shown = handcraft("--help").out
    for command in COMMANDS.values():
        first = (command.__doc__ or "").splitlines()[0]
        assert first.endswith(".")
        assert len(first) < 45
        assert f" {first}\n" in shown


def test_no_command_shows_the_help() -> None:
    """`handcraft` alone prints the help as it is laid out, not as an error on one line."""
    result = handcraft()
    shown = result.out + result.err
    assert shown.lstrip().startswith("Usage: handcraft")
    assert shown.count("\n") > 10


# ---------------------------------------------------------------- naming a program


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_programs_run_from_anywhere(name: str, here: Path) -> None:
    """A bundled name needs no checkout around it."""
    result = handcraft("explain", name, "wte", "--json")
    assert (result.code, list(result.json)) == (0, ["cells"])


def test_a_path_a_name_and_a_built_directory_are_the_same_program(here: Path) -> None:
    """The three ways to name a program give the same completion."""
    assert handcraft("build", "aab", "--out", "built").code == 0
    for reference in ("aab", PROGRAMS / "aab.py", "built", here / "built"):
        result = handcraft("run", reference, "a", "-n", "10", "--json")
        assert (result.code, result.json) == (
            0,
            {"prompt": "a", "completion": "baabaabaab"},
        )


def test_a_folder_that_happens_to_have_a_bundled_name_does_not_hide_it(
    here: Path,
) -> None:
    """Only a folder with a program.json counts as a program."""
    Path("aab").mkdir()
    assert handcraft("run", "aab", "a", "-n", "3").out == "baa\n"


# ---------------------------------------------------------------- build


def test_build_says_what_it_wrote(here: Path) -> None:
    """`build --json` names the program, the folder, both files and the sizes."""
    assert handcraft("build", "aab", "--out", "some/where", "--json").json == {
        "program": "aab",
        "out": "some/where",
        "files": ["some/where/model.safetensors", "some/where/program.json"],
        **AAB_SIZES,
        "parameters": {"dense": 344, "nonzero": 26, "distinct": 4},
    }


def test_build_writes_two_files_into_build_by_default(here: Path) -> None:
    """`build aab` writes build/aab with two files, and nothing else anywhere."""
    result = handcraft("build", "aab")
    assert (result.code, result.err) == (0, "")
    assert list(files(here)) == [
        "build/aab/model.safetensors",
        "build/aab/program.json",
    ]
    assert result.lines == [
        "n_layer 1, n_head 1, n_embd 8, n_vocab 2, n_ctx 5",
        "parameters: 344 dense, 26 nonzero, 4 distinct",
        "wrote build/aab/model.safetensors",
        "wrote build/aab/program.json",
    ]


def test_program_json_holds_what_the_design_names(here: Path) -> None:
    """The top level of program.json is fixed, and its SHA-256 is that of the weight file."""
    handcraft("build", "aab")
    fields = json.loads(Path("build/aab/program.json").read_text())
    assert set(fields) == {
        "format",
        "name",
        "vocab",
        "n_ctx",
        "n_head",
        "activation",
        "sha256",
        "program",
        "provenance",
    }
    assert (
        fields["sha256"]
        == hashlib.sha256(Path("build/aab/model.safetensors").read_bytes()).hexdigest()
    )
    assert (fields["name"], fields["vocab"], fields["n_ctx"], fields["n_head"]) == (
        "aab",
        ["a", "b"],
        5,
        1,
    )


def test_building_again_gives_the_same_bytes(here: Path) -> None:
    """A second build over the first changes nothing."""
    handcraft("build", "aab")
    before = files(here)
    assert handcraft("build", "aab").code == 0
    assert files(here) == before


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), KeyboardInterrupt()]
)
def test_an_interrupted_build_leaves_the_old_files(
    error: BaseException, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the last step fails, the files of the last build are whole and no temporary file
    remains.
    """
    from handcraft import Model

    handcraft("build", "aab", "--out", "built")
    before = files(here)

    def fail(*_: object) -> None:
        raise error

    model = Model.open("abc")
    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(type(error)):
        model.save("built")
    assert files(here) == before


def test_a_disk_that_is_full_is_one_error(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that cannot be written is an error of one line and code 2."""

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device", "built/model.safetensors")

    monkeypatch.setattr(Path, "replace", fail)
    result = handcraft("build", "aab", "--out", "built", "--json")
    assert (
        result.refusal
        == "cannot write built/model.safetensors: No space left on device"
    )
    assert files(here) == {}


# ---------------------------------------------------------------- explain


def test_explain_gives_every_cell_its_rule(here: Path) -> None:
    """`explain --json` lists the 26 cells of aab, each with its part, the lanes it joins, the
    rule, its text and its line.
    """
    found = handcraft("explain", "aab", "--json").json
    assert list(found) == ["cells"]
    assert len(found["cells"]) == 26
    assert {
        "part": "0.h0.o",
        "matrix": "blocks.0.attn.c_proj.w",
        "row": "v",
        "column": "token:a",
        "value": -1024.0,
        "rule": "layers[0] > output",
        "text": "token:a += -1024 v + 1024",
        "source": "programs/aab.py:11",
    } in found["cells"]


def test_explain_says_what_a_table_of_tokens_is(here: Path) -> None:
    """A slot that is one-hot is called so, any other is a table of the token or of the position."""
    texts = {
        "aab": {
            "token is one-hot: which token is here",
            "position is one-hot: which position is here",
        },
        "adder": {
            *(f"{slot} is a table of the token" for slot in ("digit", "square")),
            *(f"{slot} is a table of the position" for slot in ("place", "square")),
        },
    }
    for program, expected in texts.items():
        cells = [
            cell
            for part in ("wte", "wpe")
            for cell in handcraft("explain", program, part, "--json").json["cells"]
        ]
        assert {cell["text"] for cell in cells} == expected


@pytest.mark.parametrize(
    ("part", "matrices", "count"),
    [
        ("wte", {"wte"}, 2),
        ("wpe", {"wpe"}, 5),
        (
            "0",
            {
                "blocks.0.attn.c_attn.w",
                "blocks.0.attn.c_proj.w",
                "blocks.0.attn.c_proj.b",
            },
            19,
        ),
        (
            "0.h0",
            {
                "blocks.0.attn.c_attn.w",
                "blocks.0.attn.c_proj.w",
                "blocks.0.attn.c_proj.b",
            },
            19,
        ),
        (
            "0.attn",
            {
                "blocks.0.attn.c_attn.w",
                "blocks.0.attn.c_proj.w",
                "blocks.0.attn.c_proj.b",
            },
            19,
        ),
        ("0.c_attn", {"blocks.0.attn.c_attn.w"}, 16),
        ("0.h0.q", {"blocks.0.attn.c_attn.w"}, 9),
        ("0.h0.k", {"blocks.0.attn.c_attn.w"}, 5),
        ("0.h0.v", {"blocks.0.attn.c_attn.w"}, 2),
        ("0.c_proj", {"blocks.0.attn.c_proj.w", "blocks.0.attn.c_proj.b"}, 3),
        ("0.h0.o", {"blocks.0.attn.c_proj.w", "blocks.0.attn.c_proj.b"}, 3),
    ],
)
def test_a_part_is_only_its_own_cells(
    part: str, matrices: set[str], count: int, here: Path
) -> None:
    """PART is a matrix by GPT-2's name, or a layer or head by its own."""
    cells = handcraft("explain", "aab", part, "--json").json["cells"]
    assert {cell["matrix"] for cell in cells} == matrices
    assert len(cells) == count


def test_the_circuits_are_parts_too(here: Path) -> None:
    """`0.h0.ov` and `0.h0.qk` are products of matrices; their cells are listed as any others."""
    cells = handcraft("explain", "aab", "0.h0.ov", "--json").json["cells"]
    assert {(cell["row"], cell["column"]): cell["value"] for cell in cells} == {
        ("token:a", "token:a"): -1024.0,
        ("token:a", "token:b"): 1024.0,
        ("token:b", "token:a"): 1024.0,
        ("token:b", "token:b"): -1024.0,
    }
    assert handcraft("explain", "aab", "0.h0.qk", "--json").json["cells"]


def test_an_mlp_is_a_part(here: Path) -> None:
    """The neurons of the adder stand under 1.mlp."""
    cells = handcraft("explain", "adder", "1.mlp", "--json").json["cells"]
    assert {cell["matrix"] for cell in cells} == {
        "blocks.1.mlp.c_fc.w",
        "blocks.1.mlp.c_fc.b",
        "blocks.1.mlp.c_proj.w",
        "blocks.1.mlp.c_proj.b",
    }


# ---------------------------------------------------------------- run


@pytest.mark.parametrize(
    ("program", "prompt", "n", "completion"),
    [
        ("aab", "a", 10, "baabaabaab"),
        ("aab", "b", 4, "aaba"),
        ("abc", "ab", 7, "cabcabc"),
        ("copy_previous", "xy", 4, "xyxy"),
        ("induction", "abcab", 3, "cab"),
        ("adder", "01234567890+09876543210=", 11, "00111111111"),
    ],
)
def test_the_bundled_programs_continue_as_their_docstrings_say(
    program: str, prompt: str, n: int, completion: str, here: Path
) -> None:
    """Greedy continuations are decided; -n is how many tokens."""
    result = handcraft("run", PROGRAMS / f"{program}.py", prompt, "-n", n, "--json")
    assert (result.code, result.json) == (
        0,
        {"prompt": prompt, "completion": completion},
    )


def test_run_prints_the_completion_alone(here: Path) -> None:
    """Without --json the completion is all there is, so that it can be piped."""
    assert handcraft("run", "aab", "a", "-n", "10") == Result(0, "baabaabaab\n", "")


def test_run_gives_twenty_tokens_unless_told(here: Path) -> None:
    """Without -n there are 20 tokens, or what an answer needs; -n 0 asks for none."""
    assert len(handcraft("run", "aab", "a", "--json").json["completion"]) == 20
    assert handcraft("run", "adder", "00000000001+00000000002=").out == "30000000000\n"
    assert handcraft("run", "aab", "a", "-n", "0", "--json").json["completion"] == ""


def test_a_stop_token_ends_the_answer(here: Path) -> None:
    """`run` stops at the claim's stop token, which is the last one shown."""
    write("stops.py", RULES % 'answers("aa", lambda prompt: "b", stop="a")')
    assert handcraft("run", "stops.py", "aa").out == "ba\n"


def test_float64_runs_too(here: Path) -> None:
    """--dtype float64 gives the same text."""
    assert (
        handcraft("run", "aab", "a", "-n", "10", "--dtype", "float64").out
        == "baabaabaab\n"
    )


def test_sampling_is_decided_by_its_seed(here: Path) -> None:
    """The same seed draws the same text; among twenty seeds there are different texts."""
    drawn = [
        handcraft("run", "baby_gpt", "111", "-n", "12", "--sample", "--seed", seed).out
        for seed in range(20)
    ]
    again = [
        handcraft("run", "baby_gpt", "111", "-n", "12", "--sample", "--seed", seed).out
        for seed in range(20)
    ]
    assert drawn == again
    assert len(set(drawn)) > 1


@pytest.mark.parametrize(
    "options", [["--top-k", "1"], ["--top-p", "0.0001"], ["--temperature", "0.0001"]]
)
def test_a_narrow_draw_is_greedy(options: list[str], here: Path) -> None:
    """The likeliest token alone, or a temperature near zero, leave nothing to chance."""
    drawn = handcraft(
        "run", "aab", "a", "-n", "10", "--sample", "--seed", "1", *options
    )
    assert drawn == Result(0, "baabaabaab\n", "")


def test_sampling_keeps_the_probabilities_of_the_chain(here: Path) -> None:
    """In the baby GPT 0 is always followed by 1, however it is drawn."""
    text = handcraft(
        "run", "baby_gpt", "111", "-n", "60", "--sample", "--seed", "3"
    ).out.strip()
    assert "00" not in text
    assert set(text) == {"0", "1"}


def test_tokens_are_a_json_list(here: Path) -> None:
    """--tokens names the tokens one by one, so that a text with two readings has one."""
    write(
        "long.py",
        'from handcraft import *\nprogram = Program(embedding=(position(4), token(["a",'
        ' "aa"])))\n',
    )
    one = handcraft("trace", "long.py", "aa", "--json").json
    two = handcraft("trace", "long.py", '["a", "a"]', "--tokens", "--json").json
    assert (one["tokens"], two["tokens"]) == (["aa"], ["a", "a"])
    found = handcraft("run", "aab", '["a", "a"]', "--tokens", "-n", "1", "--json").json
    assert found == {"prompt": '["a", "a"]', "completion": "b"}


# ---------------------------------------------------------------- trace


def test_trace_names_every_number(here: Path) -> None:
    """`trace --json` has the tokens, the heads, the stream after each sublayer, the logits, and
    what each rule gave.
    """
    found = handcraft("trace", "aab", "aab", "--json").json
    assert list(found) == ["tokens", "heads", "residual", "logits", "contributions"]
    assert found["tokens"] == ["a", "a", "b"]
    [head] = found["heads"]
    assert list(head) == [
        "name",
        "query",
        "key",
        "scores",
        "weights",
        "value",
        "written",
    ]
    assert head["name"] == "0.h0"
    assert head["weights"] == [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.0, 0.5, 0.5]]
    assert head["scores"][0][1:] == [None, None]
    assert head["value"] == [{"v": 1.0}, {"v": 1.0}, {"v": -1.0}]
    assert head["written"] == [{"token:a": -1024.0, "token:b": 1024.0}] * 2 + [{}]
    assert [state["after"] for state in found["residual"]] == [
        "embedding",
        "0.attention",
    ]
    assert found["logits"][-1] == {"a": 1024.0, "b": 1.0}
    assert found["contributions"] == [
        {"rule": "embedding[0]", "logits": {"a": 0.0, "b": 0.0}},
        {"rule": "embedding[1]", "logits": {"a": 0.0, "b": 1.0}},
        {"rule": "layers[0] > output", "logits": {"a": 1024.0, "b": 0.0}},
    ]


@pytest.mark.parametrize(
    ("program", "context"),
    [
        ("adder", "00000000001+00000000002="),
        ("baby_gpt", "101"),
        ("induction", "abcab"),
    ],
)
def test_the_contributions_sum_to_the_logits(
    program: str, context: str, here: Path
) -> None:
    """The stream is a sum, so what the rules gave adds up to the last logits."""
    found = handcraft("trace", program, context, "--json", "--dtype", "float64").json
    for token, logit in found["logits"][-1].items():
        total = sum(given["logits"][token] for given in found["contributions"])
        assert total == pytest.approx(logit, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_program_without_layers_can_be_traced(options: list[str], here: Path) -> None:
    """Embeddings alone are a model too: its stream is shown after the embedding."""
    write(
        "bare.py",
        "from handcraft import *\nprogram = Program(embedding=(position(4),"
        ' token("ab")))\n',
    )
    result = handcraft("trace", "bare.py", "ab", *options)
    assert (result.code, result.err) == (0, "")


# ---------------------------------------------------------------- verify


def report(**changes: Any) -> dict[str, Any]:
    """The report on aab, all of it but the seconds, with some fields changed."""
    return (
        {
            "program": "aab",
            "verdict": "proved",
            "method": "certificate",
            "contexts": 62,
            "checked": 45,
            "accuracy": 1.0,
            "min_margin": 1023.0,
            "min_margin_at": ["a", "a"],
            "counterexample": None,
            "reason": None,
            "dtype": "float32",
        }
        | (
            {}
            if "method" in changes
            else {"error_bound": 0.0, "assumptions": list(ASSUMPTIONS)}
        )
        | changes
    )


def without_seconds(result: Result) -> dict[str, Any]:
    """The report of a run; how long it took is a number and no test's matter."""
    found = result.json
    assert found.pop("seconds") >= 0
    return found


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_aab_is_right_on_all_62_contexts(dtype: str, here: Path) -> None:
    """The claim of aab speaks of 45 of its 62 contexts, and the margin is 1023 in both
    precisions.
    """
    result = handcraft("verify", "aab", "--json", "--dtype", dtype)
    found = without_seconds(result)
    assert found.pop("error_bound") < 1e-10
    expected = report(
        dtype=dtype, min_margin=pytest.approx(1023, rel=1e-12)
    )  # in float64 exp(-362) is not 0
    del expected["error_bound"]
    assert (result.code, found) == (0, expected)


def test_verify_tells_people_what_the_verdict_rests_on(here: Path) -> None:
    """Without --json the report is a few lines."""
    result = handcraft("verify", "aab")
    assert (result.code, result.err) == (0, "")
    assert result.lines[:5] == [
        "aab: proved (certificate, float32)",
        "  contexts    62 covered, 45 where the claim speaks",
        "  accuracy    1",
        "  least margin 1023, after 'aa'",
        "  rounding    at most 0, in any order of summation",
    ]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_built_directory_is_verified_as_it_is(dtype: str, here: Path) -> None:
    """The claim travels with the weights, so a built directory can be checked alone."""
    handcraft("build", "aab", "--out", "built")
    result = handcraft("verify", "built", "--json", "--dtype", dtype)
    found = without_seconds(result)
    assert found.pop("error_bound") < 1e-10
    expected = report(
        dtype=dtype, min_margin=pytest.approx(1023, rel=1e-12)
    )  # in float64 exp(-362) is not 0
    del expected["error_bound"]
    assert (result.code, found) == (0, expected)


def change_weight(directory: str, change: Callable[[Any], None], *, sign: bool) -> None:
    """Change the weights of a built directory; `sign` also updates the SHA-256 in program.json."""
    from safetensors.numpy import load, save

    weights = Path(directory, "model.safetensors")
    arrays = {name: array.copy() for name, array in load(weights.read_bytes()).items()}
    change(arrays)
    weights.write_bytes(save(arrays))
    if sign:
        fields = json.loads(Path(directory, "program.json").read_text())
        fields["sha256"] = hashlib.sha256(weights.read_bytes()).hexdigest()
        Path(directory, "program.json").write_text(json.dumps(fields))


def one_more(arrays: Any) -> None:
    """Raise one weight of the output by one."""
    arrays["blocks.0.attn.c_proj.w"][7, 5] += 1


@pytest.mark.parametrize(
    "command", [["verify"], ["run", "a"], ["explain"], ["trace", "a"]]
)
def test_a_changed_weight_file_is_refused(command: list[str], here: Path) -> None:
    """A weight file that is not the one that was built is bad input, whatever is asked of it."""
    handcraft("build", "aab", "--out", "built")
    change_weight("built", one_more, sign=False)
    name, *rest = command
    result = handcraft(name, "built", *rest, "--json")
    assert result.refusal.startswith(
        "built/model.safetensors is not the file that was built: its SHA-256 is "
    )


def test_a_changed_weight_that_is_signed_again_is_found(here: Path) -> None:
    """A changed weight under a matching SHA-256 contradicts the rules: it is refuted, and the
    report names the cell.
    """
    handcraft("build", "aab", "--out", "built")
    change_weight("built", one_more, sign=True)
    result = handcraft("verify", "built", "--json")
    reason = "the weights are not what the rules say, at blocks.0.attn.c_proj.w[7, 5]"
    assert (result.code, without_seconds(result)) == (
        1,
        report(verdict="refuted", min_margin=1022.0, reason=reason),
    )


def test_several_changed_weights_are_counted(here: Path) -> None:
    """The first cell is named, the others are counted."""

    def change(arrays: Any) -> None:
        arrays["wte"][:] += 1

    handcraft("build", "aab", "--out", "built")
    change_weight("built", change, sign=True)
    result = handcraft("verify", "built")
    assert (result.code, result.err) == (1, "")
    assert result.lines[0] == "aab: refuted (exhaustive, float32)"
    assert (
        "  because     the weights are not what the rules say, at wte[0, 0] and 15 more"
        in result.lines
    )


def test_a_wrong_claim_is_refuted_by_its_shortest_counterexample(here: Path) -> None:
    """`aa` is the shortest context on which aab is not what the wrong claim says."""
    write("wrong.py", BACKWARDS)
    result = handcraft("verify", "wrong.py", "--json")
    assert result.code == 1
    found = without_seconds(result)
    assert (found["verdict"], found["contexts"], found["checked"]) == (
        "refuted",
        62,
        45,
    )
    assert found["counterexample"] == {
        "tokens": ["a", "a"],
        "expected": "a",
        "got": "b",
        "margin": -1023.0,
    }
    assert found["min_margin"] == -1023.0
    assert 0 < found["accuracy"] < 1


def test_a_counterexample_is_traced_for_people(here: Path) -> None:
    """Without --json a refutation shows the context, both tokens, and the whole forward pass on
    it.
    """
    write("wrong.py", BACKWARDS)
    result = handcraft("verify", "wrong.py")
    assert (result.code, result.err) == (1, "")
    assert result.lines[0] == "wrong: refuted (exhaustive, float32)"
    assert "  wrong after 'aa': expected 'a', got 'b' (margin -1023)" in result.lines
    trace = handcraft("trace", "wrong.py", "aa")
    assert result.out.endswith(trace.out)


def test_a_claim_that_is_a_function_needs_its_file(here: Path) -> None:
    """A built directory holds no code: a claim that is a function is checked beside its program
    file.
    """
    write("judged.py", BY_FUNCTION)
    handcraft("build", "judged.py", "--out", "built")
    alone = handcraft("verify", "built", "--json")
    assert (
        alone.refusal
        == "judged: the claim is the function '<lambda>', which a built directory does"
        " not hold; check it beside its program file: verify DIRECTORY --program"
        " FILE (judged.py:6)"
    )
    together = handcraft("verify", "built", "--program", "judged.py", "--json")
    reason = (
        "not proved: the claim is the Python function '<lambda>'; what a function"
        " decides is not proved"
    )
    expected = report(
        program="judged", verdict="checked", method="exhaustive", reason=reason
    )
    assert (together.code, without_seconds(together)) == (0, expected)


def test_the_weights_must_be_those_of_the_given_program(here: Path) -> None:
    """`--program` of other rules is no proof of anything: weights that could be theirs and are
    not refute them.
    """
    write("other.py", BY_FUNCTION.replace("1024 - 1024 * v", "1025 - 1024 * v"))
    handcraft("build", "aab", "--out", "built")
    result = handcraft("verify", "built", "--program", "other.py", "--json")
    reason = "the weights are not what the rules say, at blocks.0.attn.c_proj.b[5]"
    expected = report(verdict="refuted", reason=reason, method="exhaustive")
    assert (result.code, without_seconds(result)) == (1, expected)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'token("ab")',
            'token("ba")',
            "vocab is ['a', 'b'], but the program's is ['b', 'a']",
        ),
        ("position(5)", "position(6)", "n_ctx is 5, but the program's is 6"),
        (
            "(pair,)",
            "(Block(heads=(pair, pair)),)",
            "n_head is 1, but the program's is 2",
        ),
        (
            "claim=",
            "activation='relu', claim=",
            "activation is gelu, but the program's is relu",
        ),
        (
            "(p, t, v)",
            "(p, t, v, scratch('w'))",
            "wte has the shape (2, 8), but the program's has (2, 9)",
        ),
    ],
    ids=["vocabulary", "n_ctx", "n_head", "activation", "shapes"],
)
def test_weights_that_cannot_be_those_of_the_given_program(
    old: str, new: str, message: str, here: Path
) -> None:
    """`--program` of another vocabulary, window, number of heads, activation or shape is a
    mistake, not a refutation.
    """
    write("other.py", BY_FUNCTION.replace(old, new))
    handcraft("build", "aab", "--out", "built")
    for options in ([], ["--json"]):
        assert (
            handcraft("verify", "built", "--program", "other.py", *options).refusal
            == message
        )


def test_more_contexts_than_the_budget_are_sampled(here: Path) -> None:
    """Where not every context fits the budget, some are drawn; none counts twice."""
    result = handcraft(
        "verify", "aab", "--method", "exhaustive,sampled", "--budget", "20", "--json"
    )
    found = result.json
    assert (result.code, found["verdict"], found["method"]) == (0, "checked", "sampled")
    assert found["reason"] == "there are 62 contexts; 20 were drawn"
    assert found["contexts"] == 20
    assert 0 < found["checked"] <= 20


def test_a_method_that_cannot_decide_says_so(here: Path) -> None:
    """Exhaustive alone with too small a budget is undecided: code 3, and the reason."""
    result = handcraft(
        "verify", "aab", "--method", "exhaustive", "--budget", "10", "--json"
    )
    expected = report(
        verdict="unknown",
        method="exhaustive",
        contexts=0,
        checked=0,
        accuracy=None,
        min_margin=None,
        min_margin_at=None,
        reason="there are 62 contexts, more than the budget of 10",
    )
    assert (result.code, without_seconds(result)) == (3, expected)


def test_methods_are_tried_in_order(here: Path) -> None:
    """`--method exhaustive,sampled` falls back, `--method sampled` draws at once."""
    for methods in ("exhaustive,sampled", "sampled"):
        result = handcraft(
            "verify", "aab", "--method", methods, "--budget", "20", "--json"
        )
        assert (result.code, result.json["method"]) == (0, "sampled")


def test_a_sample_can_refute(here: Path) -> None:
    """A drawn counterexample is shrunk to the shortest."""
    write("wrong.py", BACKWARDS)
    result = handcraft("verify", "wrong.py", "--method", "sampled", "--json")
    assert (result.code, result.json["counterexample"]["tokens"]) == (1, ["a", "a"])


def test_a_sample_can_be_repeated(here: Path) -> None:
    """Drawing is decided by a fixed seed: two runs report the same."""
    runs = [
        without_seconds(
            handcraft(
                *("verify", "copy_previous", "--method", "sampled"),
                *("--budget", "10", "--json"),
            )
        )
        for _ in range(2)
    ]
    assert runs[0] == runs[1]


def test_a_budget_may_be_seconds(here: Path) -> None:
    """`--budget 30s` bounds the time, and aab needs far less."""
    result = handcraft("verify", "aab", "--budget", "30s", "--json")
    assert (result.code, without_seconds(result)) == (0, report())


def test_prompts_and_their_answers_count_as_one(here: Path) -> None:
    """The adder is checked on as many prompts as the budget says, each with its whole answer."""
    found = handcraft(
        "verify", "adder", "--method", "exhaustive,sampled", "--budget", "50", "--json"
    ).json
    assert (found["verdict"], found["method"], found["contexts"], found["checked"]) == (
        "checked",
        "sampled",
        50,
        50,
    )
    assert found["accuracy"] == 1.0


def test_a_distribution_reports_its_error(here: Path) -> None:
    """Probabilities have neither accuracy nor margin, but a largest error."""
    result = handcraft("verify", "baby_gpt", "--json")
    found = result.json
    assert (result.code, found["verdict"], found["contexts"], found["checked"]) == (
        0,
        "proved",
        14,
        8,
    )
    assert (found["accuracy"], found["min_margin"]) == (None, None)
    assert 0 <= found["max_probability_error"] < 1e-6


def test_a_claim_that_never_speaks_decides_nothing(here: Path) -> None:
    """Where the claim is silent on every context, the verdict is unknown: code 3."""
    write("silent.py", SILENT)
    result = handcraft("verify", "silent.py", "--json")
    assert (result.code, result.json["verdict"]) == (3, "unknown")
    assert (
        result.json["reason"] == "the claim is silent on every context that was checked"
    )


# ---------------------------------------------------------------- diff


def test_diff_names_cells_rules_and_sizes(here: Path) -> None:
    """`diff aab abc --json` shows the cells by name, the rules of one only, and both sizes."""
    found = handcraft("diff", "aab", "abc", "--json").json
    assert list(found) == ["cells", "rules", "parameters"]
    assert len(found["cells"]) == 17
    place = {
        "part": "0.h0.v",
        "matrix": "blocks.0.attn.c_attn.w",
        "row": "token:a",
        "column": "v",
    }
    assert found["cells"][0] == {**place, "a": 1.0, "b": 0.0}
    assert "layers[0] > value: value v = token:a - token:b" in found["rules"]["only_a"]
    assert "layers[0] > value: value seen:c = token:c" in found["rules"]["only_b"]
    assert found["parameters"]["a"] == {
        **AAB_SIZES,
        "dense": 344,
        "nonzero": 26,
        "distinct": 4,
    }
    assert found["parameters"]["b"]["n_vocab"] == 3


def test_diff_of_a_program_with_itself_is_empty(here: Path) -> None:
    """A program file and the directory built from it do not differ."""
    handcraft("build", "aab", "--out", "built")
    found = handcraft("diff", "aab", "built", "--json").json
    assert (found["cells"], found["rules"]) == ([], {"only_a": [], "only_b": []})
    assert found["parameters"]["a"] == found["parameters"]["b"]
    assert handcraft("diff", "aab", "built").lines[0] == "0 cells differ"


def test_diff_shows_people_what_moved(here: Path) -> None:
    """Without --json the cells are a table, the rules have a sign, and only sizes that differ
    are named.
    """
    result = handcraft("diff", "aab", "abc")
    assert (result.code, result.err) == (0, "")
    assert result.lines[:3] == [
        "17 cells differ",
        "part    row         column        aab    abc",
        "0.h0.v  token:a     v               1      0",
    ]
    assert "- layers[0] > value: value v = token:a - token:b" in result.lines
    assert "+ layers[0] > value: value seen:a = token:a" in result.lines
    assert "n_ctx: 5 -> 6" in result.lines
    assert not any(line.startswith("n_layer") for line in result.lines)


# ---------------------------------------------------------------- new


def test_new_writes_a_program_that_verifies(here: Path) -> None:
    """The starting program is right as it stands, and can be built and explained."""
    result = handcraft("new", "mine", "--json")
    assert (result.code, result.json) == (0, {"out": "mine.py"})
    assert list(files(here)) == ["mine.py"]
    verified = handcraft("verify", "mine.py", "--json")
    assert (verified.code, verified.json["verdict"]) == (0, "proved")
    assert (
        handcraft("build", "mine.py").code == handcraft("explain", "mine.py").code == 0
    )


def test_new_says_what_to_do_next(here: Path) -> None:
    """Without --json the next command is named, and works."""
    result = handcraft("new", "mine")
    assert result == Result(
        0, "wrote mine.py; now run: handcraft explain mine.py\n", ""
    )
    assert handcraft("explain", "mine.py").code == 0


def test_new_never_overwrites(here: Path) -> None:
    """A file that exists is left alone."""
    write("mine.py", "# years of work\n")
    result = handcraft("new", "mine", "--json")
    assert result.refusal == "mine.py exists; choose another name, or remove it first"
    assert files(here) == {"mine.py": b"# years of work\n"}


# ---------------------------------------------------------------- stdout under --json


@pytest.mark.parametrize(
    "command",
    [
        ["build"],
        ["explain"],
        ["run", "aa"],
        ["trace", "aa"],
        ["verify"],
        ["diff", "aab"],
    ],
    ids=lambda command: command[0],
)
def test_what_a_program_prints_does_not_spoil_the_json(
    command: list[str], here: Path
) -> None:
    """A program file may print while it runs; under --json stdout is still one object and
    nothing else.
    """
    write(
        "loud.py",
        "print('hello')\n"
        + RULES
        % 'lambda context: print("asked") or ("b" if context == "aa" else None)',
    )
    name, *rest = command
    result = handcraft(name, "loud.py", *rest, "--json")
    assert result.code == 0
    assert isinstance(json.loads(result.out), dict)
