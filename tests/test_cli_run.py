"""`handcraft run`: the completion alone, greedy or drawn."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_runner import Result, handcraft
from pairs import PROGRAMS, RULES, write


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
    result = handcraft(
        "run", PROGRAMS / f"{program}.py", prompt, "-n", n, "--json"
    )
    assert (result.code, result.json) == (
        0,
        {
            "prompt": prompt,
            "completion": completion,
            "prompt_tokens": list(prompt),
            "completion_tokens": list(completion),
        },
    )


def test_run_prints_the_completion_alone(here: Path) -> None:
    """Without --json the completion is all there is, so that it can be piped."""
    assert handcraft("run", "aab", "a", "-n", "10") == Result(
        0, "baabaabaab\n", ""
    )


def test_run_gives_twenty_tokens_unless_told(here: Path) -> None:
    """Without -n there are 20 tokens, or what an answer needs; -n 0 asks for none."""
    assert len(handcraft("run", "aab", "a", "--json").json["completion"]) == 20
    assert (
        handcraft("run", "adder", "00000000001+00000000002=").out
        == "30000000000\n"
    )
    assert (
        handcraft("run", "aab", "a", "-n", "0", "--json").json["completion"]
        == ""
    )


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


@pytest.mark.slow
def test_sampling_is_decided_by_its_seed(here: Path) -> None:
    """The same seed draws the same text; among twenty seeds there are different texts."""
    drawn = [
        handcraft(
            "run", "baby_gpt", "111", "-n", "12", "--sample", "--seed", seed
        ).out
        for seed in range(20)
    ]
    again = [
        handcraft(
            "run", "baby_gpt", "111", "-n", "12", "--sample", "--seed", seed
        ).out
        for seed in range(20)
    ]
    assert drawn == again
    assert len(set(drawn)) > 1


@pytest.mark.parametrize(
    "options",
    [["--top-k", "1"], ["--top-p", "0.0001"], ["--temperature", "0.0001"]],
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
    found = handcraft(
        "run", "aab", '["a", "a"]', "--tokens", "-n", "1", "--json"
    ).json
    assert found == {
        "prompt": "aa",
        "completion": "b",
        "prompt_tokens": ["a", "a"],
        "completion_tokens": ["b"],
    }


WRITES_BOTH = """
from handcraft import *
p, t = position(4), token(["a", "aa", "[", '"'])
says = {t["a"]: 2 * t["aa"] + 2 * t["["], t["aa"]: 2 * t["a"]}
program = Program(
    embedding=(p, t), layers=(Head(query=1024 * p, value=t, adds=says),)
)
"""


def test_two_readings_of_one_text_are_told_apart(here: Path) -> None:
    """Where the same text is several tokens, the JSON has them: of the prompt, whichever way it was
    given, and of the completion. `prompt` and `completion` are always texts.
    """
    write("both.py", WRITES_BOTH)
    found = {
        prompt: handcraft(
            "run", "both.py", prompt, *options, "-n", "2", "--json"
        ).json
        for prompt, options in {
            "aa": [],
            '["aa"]': ["--tokens"],
            '["a", "a"]': ["--tokens"],
            '["[", "a"]': ["--tokens"],
            '["a"': [],
        }.items()
    }
    tokens = {
        prompt: (said["prompt_tokens"], said["completion_tokens"])
        for prompt, said in found.items()
        if prompt != '["a"'
    }
    assert tokens == {
        "aa": (["aa"], ["a", "aa"]),
        '["aa"]': (["aa"], ["a", "aa"]),
        '["a", "a"]': (["a", "a"], ["aa", "a"]),
        '["[", "a"]': (["[", "a"], ["aa", "a"]),
    }
    # a text may look like a list of tokens without being one
    assert found['["a"']["prompt"] == '["a"'
    assert found['["a"']["prompt_tokens"] == ["[", '"', "a", '"']
    for prompt, said in found.items():
        for key in ("prompt", "completion"):
            assert said[key] == "".join(said[f"{key}_tokens"]), prompt


def test_the_help_says_how_many_tokens_and_that_the_window_slides() -> None:
    """Without -n 20 tokens are added, or the answer; past the window old ones are dropped."""
    said = " ".join(handcraft("run", "--help").out.split())
    assert (
        "Add at most this many tokens (by default 20, or the whole answer where the claim"
        " is about answers)." in said
    )
    assert (
        "Past the window of the program (n_ctx) the oldest tokens are dropped, so"
        " positions count from a later token." in said
    )
    assert len(handcraft("run", "aab", "a", "--json").json["completion"]) == 20
