"""What a lane is to hold: `means=` beside a rule, and the first lane that does not hold it."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from cli_runner import handcraft
from conftest import Refused
from pairs import write

from handcraft import (
    MLP,
    Head,
    Model,
    Neuron,
    Program,
    after,
    answers,
    attend_to,
    position,
    scratch,
    token,
)
from handcraft.analysis.blame import pass_over
from handcraft.analysis.meanings import Departure, departures
from handcraft.core.errors import ProgramError
from handcraft.proof import verify
from handcraft.recipes import mean, merge, running_sum
from handcraft.sequence.words import (
    count,
    end,
    equal,
    own,
    ratio,
    token_at,
)
from handcraft.sequence.words import (
    here as place,
)
from handcraft.sequence.words import (
    mean as average,
)

t, v, w = token("ab"), scratch("v"), scratch("w", "ab")
FLAG = Head(value={v: t["a"]}, means={v: equal(own, "a")})


def model(*layers: Any, n_ctx: int = 5, **options: Any) -> Model:
    """A model of the lanes t, v and w with these layers."""
    return Program(
        name="small", embedding=(t, v, w), layers=layers, n_ctx=n_ctx, **options
    ).build()


def first(of: Model, text: str) -> list[tuple[Any, ...]]:
    """Where lanes left their meaning: layer, position, lane, value and meaning."""
    ids = of.ids(text)
    found = departures(of, pass_over(of, ids), ids)
    return [
        (x.layer, x.position, x.lane, round(x.value, 6), x.meaning)
        for x in found
    ]


# ------------------------------------------------------------ what may be said

OF_A_TOKEN = "; write lookup({token: number}, e) for a token's number"


@pytest.mark.parametrize(
    ("means", "message"),
    [
        (
            {w: count({0: "a"})},
            "w has 2 lanes, so it means a token; say which lane count({0: 'a'}) is for",
        ),
        ({v: own}, "v holds a number, but own can be a token" + OF_A_TOKEN),
        (
            {w["a"]: own + 1},
            "add takes numbers, but in own + 1 its own can be a token"
            + OF_A_TOKEN,
        ),
        (
            {v: lambda tokens: 1},
            (
                "a meaning is a whole number or an expression of handcraft.sequence.words,"
                " such as token_at(here - 1) or ratio(1, 2), found a function"
            ),
        ),
        (
            {v: 0.5},
            (
                "a meaning is a whole number or an expression of handcraft.sequence.words,"
                " such as token_at(here - 1) or ratio(1, 2), found float 0.5"
            ),
        ),
        (
            {v: end},
            "a meaning holds at every position: it can use here, but not end or step",
        ),
        (
            count({0: "a"}),
            (
                "takes {lane: expression}, such as {v: count({0: 'a'})}, found"
                " count({0: 'a'})"
            ),
        ),
        ({v: 10**5000}, "a number may be 1000000000 at most"),
        ({3: 1}, "the left side of a meaning is a lane or a slot, found int 3"),
        ({v: 1, "v": 2}, "v has two meanings"),
    ],
)
def test_what_is_no_meaning_is_refused(means: Any, message: str) -> None:
    """A meaning is a number at each position, said of a lane; of labelled lanes, a token."""
    with Refused(ProgramError, f"Head > means: {message}", here=True):
        Head(value={v: t["a"]}, means=means)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            Head(value={v: t["a"]}, means={w["a"]: 1}),
            "small > layers[0] > means: w:a is not a lane that this head writes (those are v)",
        ),
        (
            Neuron(when=v, adds={v: 1}, means={w["a"]: 1}),
            (
                "small > layers[0] > neurons[0] > means: w:a is not a lane that this neuron"
                " writes (those are v)"
            ),
        ),
        (
            MLP([Neuron(when=v, adds={v: 1})], {w["b"]: 1}, means={t: own}),
            (
                "small > layers[0] > means: token:a is not a lane that this MLP writes (those"
                " are v, w)"
            ),
        ),
    ],
)
def test_a_meaning_is_of_a_lane_that_the_rule_writes(
    layer: Any, message: str
) -> None:
    """Another lane is not this rule's to speak of."""
    with pytest.raises(ProgramError) as caught:
        model(layer)
    assert str(caught.value).rpartition(" (")[0] == message


def test_a_meaning_is_stored_with_its_rule() -> None:
    """A program keeps its meanings in JSON; a rule that says nothing has no such key."""
    layers = (
        Head(value={v: t["a"]}, means={v: 1}),
        MLP(
            [Neuron(when=v, adds={v: 1}, means={v: place + 1})],
            means={v: ratio(place, 2)},
        ),
        Head(value={w: t}, means={w: token_at(place - 1)}),
    )
    program = model(*layers).program
    assert program is not None
    data = program.model_dump(mode="json")
    assert data["layers"][0]["heads"][0]["means"] == {"v": 1}
    assert list(data["layers"][2]["heads"][0]["means"]) == ["w:a", "w:b"]
    assert Program.from_data(data) == program
    for rule in (
        Head(value={v: t["a"]}),
        Neuron(when=v, adds={v: 1}),
        MLP(adds={v: 1}),
    ):
        assert "means" not in rule.model_dump(mode="json")


def test_a_copied_or_merged_rule_keeps_its_meanings() -> None:
    """`merge` joins the meanings of its heads, and two of one lane are refused."""
    one = mean({v: t["a"]}, means={v: ratio(count({0: "a"}), place + 1)})
    two = mean({w: t}, means={w["a"]: one.means[0][1]})
    assert merge(one, two).means == one.means + two.means
    assert one.model_copy(update={"name": "x"}).means == one.means
    both = mean({w: t}, adds={v: w["a"]}, means={v: 1})
    with pytest.raises(ProgramError) as caught:
        merge(one, both)
    assert "merge > means: v has two meanings" in str(caught.value)


def test_a_rule_shows_its_meanings() -> None:
    """`repr` writes them as the author does."""
    assert repr(FLAG) == (
        "Head(value={v: token:a}, means={v: equal(own, 'a')})"
    )
    neuron = Neuron(when=v, adds={v: 1}, means={v: place + 1})
    assert repr(MLP([neuron], means={v: 2})) == (
        "MLP([Neuron(when=v, adds={v: 1}, means={v: here + 1})], means={v: 2})"
    )


# ------------------------------------------------------------ where it is left


def test_a_lane_that_holds_what_it_means_is_not_told() -> None:
    """The share of a's so far is the mean of the flags, at every position of every text."""
    shares = mean({v: t["a"]}, means={v: ratio(count({0: "a"}), place + 1)})
    assert all(first(model(shares), text) == [] for text in ("a", "b", "abbab"))


def test_the_first_position_is_told() -> None:
    """Of a wrong meaning the first position where it is wrong is told, computed here by hand: the
    mean of the a's is 1, 1/2, 1/3 after a, ab, abb.
    """
    flag = mean({v: t["a"]}, means={v: equal(own, "a")})
    assert first(model(flag), "abb") == [(0, 1, "v", 0.5, 0.0)]
    assert first(model(flag), "aab") == [(0, 2, "v", round(2 / 3, 6), 0.0)]
    assert first(model(flag), "aaa") == []


def test_the_first_layer_is_told_and_heads_before_the_mlp() -> None:
    """A later layer's lane is told only where the earlier ones hold what they mean."""
    right = Head(
        value={v: t["a"]},
        query={},
        means={v: ratio(count({0: "a"}), place + 1)},
    )
    wrong = Neuron(when=t["a"], adds={w["b"]: 2}, means={w["b"]: 1})
    assert first(model(right, wrong), "ba") == [(1, 0, "w:b", 0.0, 1.0)]
    early = Head(value={w["a"]: t["a"]}, means={w["a"]: 7})
    assert first(model(early, right, wrong), "ba") == [(0, 0, "w:a", 0.0, 7.0)]


def test_a_small_departure_is_told_beside_the_first_far_one() -> None:
    """A leak of a tenth comes first; the lane that is off by half or more is told as well."""
    leak = MLP(adds={v: 1.1}, means={v: 1})
    far = MLP(adds={w["a"]: 3}, means={w["a"]: 1})
    assert first(model(leak, far), "a") == [
        (0, 0, "v", 1.1, 1.0),
        (1, 0, "w:a", 3.0, 1.0),
    ]
    near = MLP(adds={v: 1.0009}, means={v: 1})
    assert first(model(near, far), "a") == [(1, 0, "w:a", 3.0, 1.0)]


def test_a_value_lane_holds_its_meaning_inside_the_head() -> None:
    """A lane that the head reads with, and does not write, means the mean over what it attends
    to.
    """
    share = ratio(count({0: "a"}), place + 1)
    head = Head(value={v: t["a"]}, adds={w["a"]: 2 * v}, means={v: share})
    assert first(model(head), "abab") == []
    wrong = Head(value={v: t["a"]}, adds={w["a"]: 2 * v}, means={v: 1})
    assert first(model(wrong), "ab") == [(0, 1, "v", 0.5, 1.0)]


def test_several_lanes_mean_a_token_each_by_its_label() -> None:
    """Lane a is 1 where the token is a; where there is no token nothing is said."""
    at = position(5, p=lambda i: i, pp=lambda i: i * i)
    back = attend_to(
        at, at["p"] - 1, value={w: t}, means={w: token_at(place - 1)}
    )
    wrong = attend_to(at, at["p"], value={w: t}, means={w: token_at(place - 1)})
    right, other = (
        Program(embedding=(at, t, w), layers=(head,)).build()
        for head in (back, wrong)
    )
    assert first(right, "abba") == []
    assert first(other, "abba") == [(0, 1, "w:a", 0.0, 1.0)]


def test_in_a_model_that_is_not_causal_the_whole_text_is_meant() -> None:
    """`here` is the position, and a count sees the text to its end."""
    whole = Head(value={v: t["a"]}, means={v: ratio(count({0: "a"}), 3)})
    assert first(model(whole, causal=False), "aab") == []
    assert first(model(whole, causal=False), "aabb") == [
        (0, 0, "v", 0.5, round(2 / 3, 20))
    ]


def test_what_a_meaning_reads_elsewhere_saw_what_the_model_does() -> None:
    """The mean of means so far after ab is (1 + 1/2) / 2; where each position saw the whole text it
    would be 1/2, as it is in a model that is not causal.
    """
    share = average(equal(own, "a"))
    layers = (
        mean({v: t["a"]}, means={v: share}),
        mean({w["a"]: v}, means={w["a"]: average(share)}),
    )
    assert average(share).all("ab", causal=True) == [1, Fraction(3, 4)]
    assert average(share).all("ab") == [Fraction(1, 2)] * 2
    assert first(model(*layers), "abbab") == []
    assert first(model(*layers, causal=False), "abbab") == []


def test_meanings_are_computed_up_to_a_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A long text is followed from its beginning, as far as the limit goes."""
    wrong = mean({v: t["a"]}, means={v: equal(own, "a")})
    monkeypatch.setattr("handcraft.analysis.meanings.MOST_ASKED", 1)
    assert first(model(wrong), "ab") == []
    monkeypatch.setattr("handcraft.analysis.meanings.MOST_ASKED", 2)
    assert first(model(wrong), "ab") == [(0, 1, "v", 0.5, 0.0)]


# ------------------------------------------------------------ no verdict rests on it


def test_a_wrong_meaning_refutes_nothing() -> None:
    """A right program is proved whatever its lanes are said to mean, with the same weights."""
    claim = after({"a": "a", "b": "a"})
    silent, wrong = (
        model(MLP(adds={t["a"]: 5}, means=means), claim=claim)
        for means in ({}, {t["a"]: 77})
    )
    reports = [verify(m).to_json() | {"seconds": 0} for m in (silent, wrong)]
    (left,) = reports[1].pop("departures")
    assert (left["value"], left["meaning"], left["context"]) == (5, 77, ["b"])
    assert reports[0] == reports[1]
    assert reports[0]["verdict"] == "proved"
    assert (silent.weights["wte"] == wrong.weights["wte"]).all()
    assert silent.entries == wrong.entries


WRONG = """
from handcraft import *
from handcraft.recipes import running_sum
from handcraft.sequence.words import below, count
t, n, two = token("^ab"), scratch("n"), scratch("two")
layers = (
    running_sum(t["^"], {n: t["a"]}),
    MLP([Neuron(when=n - 3, adds={two: 1})], means={two: below(1, count({0: "a"}))}),
    MLP([Neuron(when=two, adds={t["b"]: 50})], adds={t["a"]: 20}),
)
program = Program(embedding=(t, n, two), n_ctx=4, layers=layers, activation="relu",
                  claim=after({"^aa": "b", "^ab": "a"}))
"""


def test_the_first_lane_is_printed_and_in_the_json(here: Path) -> None:
    """The neuron asks for four a's where two were meant: its lane is named, with layer, position,
    value, meaning and line, and the lane of the recipe before it is not.
    """
    write("wrong.py", WRONG)
    result = handcraft("verify", "wrong.py")
    assert result.code == 1
    at = result.lines.index("  the first lane that left its meaning:")
    assert result.lines[at + 1] == (
        "    layer 1, position 2: two is 0, but means 1: below(1, count({0: 'a'}))  wrong.py:8"
    )
    assert handcraft("verify", "wrong.py", "--json").json["departures"] == [
        {
            "layer": 1,
            "sublayer": "mlp",
            "position": 2,
            "lane": "two",
            "value": 0.0,
            "meaning": 1.0,
            "text": "below(1, count({0: 'a'}))",
            "rule": "layers[1]",
            "source": "wrong.py:8",
        }
    ]


SLIGHT = """
from handcraft import *
from handcraft.sequence.words import equal, own
t, v, w = token("ab"), scratch("v"), scratch("w")
is_a = equal(own, "a")
layers = (
    MLP([Neuron(when=t["a"], adds={v: 1.1})], means={v: is_a}),
    MLP([Neuron(when=t["a"], adds={w: 2})], means={w: is_a}),
    {t["a"]: 50 * w},
)
program = Program(embedding=(t, v, w), n_ctx=5, layers=layers, claim={"a": "b"})
"""
RIGHT = """
from handcraft import *
from handcraft.sequence.words import count
t, v = token("ab"), scratch("v")
a = MLP([Neuron(when=t["a"], adds={v: 1})], means={v: count({0: "a"})})
then = {t["b"]: 50 * v, t["a"]: 20}
program = Program(embedding=(t, v), n_ctx=5, layers=(a, then), claim={"a": "b", "b": "a"})
"""


def test_one_lane_is_printed_where_an_earlier_one_is_a_little_off(
    here: Path,
) -> None:
    """The line is that of the lane that is far off; the heading has the one before it."""
    write("slight.py", SLIGHT)
    lines = handcraft("verify", "slight.py").lines
    at = lines.index(
        "  the first lane that is far from its meaning (v is a little off in layer 0,"
        " position 0):"
    )
    assert lines[at + 1 : at + 3] == [
        "    layer 1, position 0: w is 2, but means 1: equal(own, 'a')  slight.py:8",
        lines[at + 2],
    ]
    assert lines[at + 2].endswith(" s")


def test_a_right_model_whose_lane_means_something_else_is_told_so(
    here: Path,
) -> None:
    """The flag of an a is no count of a's: the program is proved, and one line says where the lane
    leaves its meaning; without means= there is no such line.
    """
    write("right.py", RIGHT)
    result = handcraft("verify", "right.py")
    assert result.code == 0
    assert result.lines[0] == "right: proved (lanes, float32)"
    (line,) = [x for x in result.lines if x.startswith("  meaning ")]
    found = re.fullmatch(
        r"  meaning     after '([ab]+)', layer 0, position (\d+): v is (\d), but means"
        r" (\d): count\(\{0: 'a'\}\) \(right.py:5\)",
        line,
    )
    assert found is not None
    seen = found[1][: int(found[2]) + 1]
    assert int(found[3]) == (seen[-1] == "a")
    assert int(found[4]) == seen.count("a") != int(found[3])
    silent = RIGHT.replace(', means={v: count({0: "a"})}', "")
    write("silent.py", silent)
    assert "meaning " not in handcraft("verify", "silent.py").out


def test_a_right_model_whose_lanes_mean_what_they_hold_is_told_nothing() -> (
    None
):
    """For contexts and for prompts no line is printed where every lane holds what is said."""
    rule = Neuron(when=t["a"], adds={v: 1}, means={v: equal(own, "a")})
    flag = model(rule, claim=after({"a": "a", "b": "b"}))
    answering = model(
        rule,
        {t["a"]: 50},
        claim=answers("b*a|a", lambda _: "a", length=1),
    )
    for right in (flag, answering):
        report = verify(right)
        assert report.verdict in ("proved", "checked"), report
        assert report.departures is None


def test_a_lane_that_leaves_its_meaning_on_prompts_is_told() -> None:
    """The mean over the positions is no flag of the last token; the answer is right even so."""
    wrong = model(
        Head(value={v: t["a"]}, means={v: equal(own, "a")}),
        {t["a"]: 50},
        claim=answers("b*a|a", lambda _: "a", length=1),
    )
    report = verify(wrong)
    assert report.exit_code == 0
    (left,) = report.departures
    shown = "".join(left["context"])[: left["position"] + 1]
    assert left["value"] == pytest.approx(shown.count("a") / len(shown))
    assert left["meaning"] == (shown[-1] == "a")


def test_the_lanes_without_a_meaning_are_named_where_none_is_known_to_be_wrong(
    here: Path,
) -> None:
    """One line says which means= would tell more; where all are said, there is none."""
    write(
        "wrong.py",
        WRONG.replace(', means={two: below(1, count({0: "a"}))}', ""),
    )
    result = handcraft("verify", "wrong.py")
    assert (
        "  means={...} beside the rules of two would tell the first lane that is wrong"
        in result.lines
    )
    assert handcraft("verify", "wrong.py", "--json").json["unsaid"] == ["two"]
    said = model(
        MLP([Neuron(when=t["a"], adds={v: 1})], means={v: equal(own, "a")}),
        claim=after({"a": "b"}),
    )
    assert verify(said).unsaid is None


def test_a_built_directory_knows_its_meanings(here: Path) -> None:
    """What was said beside a rule is told of a built directory as well."""
    write("wrong.py", WRONG)
    handcraft("build", "wrong.py", "--out", "built")
    first_, second = (
        handcraft("verify", name, "--json").json["departures"]
        for name in ("wrong.py", "built")
    )
    assert first_ == second


def test_a_departure_is_far_from_a_half_on() -> None:
    """Half is far, a little less is not, and what is no number is."""
    for value, far in ((1.5, True), (1.49, False), (float("nan"), True)):
        found = Departure(0, "mlp", 0, "v", value, 1.0, "1", "layers[0]", "")
        assert found.far is far


def test_sums_are_followed_to_the_rounding_of_an_exponential() -> None:
    """The stated meaning of a running sum is within a thousandth of what float32 holds."""
    s = token("^ab")
    sums = running_sum(s["^"], {v: s["a"]}, means={v: count({0: "a"})})
    found = Program(embedding=(s, v), layers=(sums,), n_ctx=30).build()
    assert first(found, "^" + "a" * 29) == []
    assert first(found, "aa") == [(0, 0, "v", 2.0**30, 1.0)]
