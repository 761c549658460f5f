"""Wrong inputs by name: a model, and where it is needed the certificate that a broken prover
writes for it, or a forged one.

    says_a               a program of programs.py, with the certificate of a prover that lets
                         everything pass
    says_a/dropped       ... with a certificate of forged.py
    wrong/exact_tie      a program file of tests/soundness/wrong
    absorbed:3           the third model of a directed family

Rules of this file: whatever stops the prover is left out, one site after the other, until it
writes a certificate.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

from directed.catalogue import FAMILIES
from wrong.verdicts import ERRORS
from wrong.verdicts import WRONG as FILES

from handcraft import Program
from handcraft.files.program_file import load_program
from handcraft.model import Model
from handcraft.proof.checker import Certificate
from handcraft.proof.prover.network import Undecided
from leftout.forged import FORGED
from leftout.programs import WRONG
from leftout.sides import drafted, opened, refused, unruled
from leftout.sites import Site, left_out, sites

FOLDER = Path(__file__).parents[1] / "wrong"
AS_STATED = {
    "right"
}  # programs that are right: a certificate's numbers are in question
MOST = 4  # sites that are left out beside the judgement
SEEN = 40  # characters of a message by which its site is found


def _source(name: str) -> tuple[Callable[[], Program], str]:
    """What makes the program, and its dtype."""
    program = name.partition("/")[0]
    if program == "wrong":
        file = name.partition("/")[2]
        return lambda: load_program(FOLDER / f"{file}.py"), FILES[
            file
        ].dtype if file in FILES else "float32"
    if ":" in name:
        family, _, seed = name.partition(":")
        with unruled():
            drawn = FAMILIES[family].draw(int(seed))
        return drawn.program, drawn.dtype
    return WRONG[program], "float32"


@cache
def model_of(name: str) -> Model:
    """The model of an input, with no claim refused."""
    make, dtype = _source(name)
    return _changed(name, opened(make, dtype))


def _changed(name: str, model: Model) -> Model:
    """The model as it is; `normed` with a norm behind it that makes all logits alike."""
    if name != "normed":
        return model
    n = model.weights["wte"].shape[1]
    zero = model.weights["wte"][0] * 0
    return model.replace(
        weights={**model.weights, "ln_f": {"g": zero[:n], "b": zero[:n]}}
    )


@cache
def refused_by_rules(name: str) -> str | None:
    """What the claim rules say of it, where they refuse it."""
    make, _ = _source(name)
    return refused(make)


@cache
def certificate_of(name: str) -> Certificate:
    """The forged certificate, or that of a prover that lets everything pass. Raises Undecided
    where there is none.
    """
    if name in FORGED:
        with unruled():
            return FORGED[name](model_of(name))
    return _passed(model_of(name))


def _passed(model: Model) -> Certificate:
    left, why = (
        [
            s
            for s in sites()
            if s.of_prover
            and " may be" in s.message
            and s.function.split(".")[-1] in JUDGES
        ],
        "",
    )
    for _ in range(MOST + 1):
        with ExitStack() as stack:
            for site in left:
                stack.enter_context(left_out(site))
            try:
                return drafted(model)
            except Undecided as error:
                why = str(error)
        left += stopping(why, left, of_prover=True)[:1]
    raise Undecided(why)


JUDGES = ("_right", "_near", "_judge_pair")


def stopping(why: str, but: Any = (), *, of_prover: bool) -> list[Site]:
    """The sites with such a message."""
    return [
        s
        for s in sites()
        if s.of_prover is of_prover
        and s not in but
        and s.message
        and s.message[:SEEN] in why
    ]


@cache
def names() -> tuple[str, ...]:
    """All inputs, without the directed families."""
    programs = [
        name for name in WRONG if name not in AS_STATED and name not in SLOW
    ]
    return (
        *programs,
        *(
            f"wrong/{name}"
            for name in (*FILES, *sorted(ERRORS))
            if name not in SLOW
        ),
        *FORGED,
    )


SLOW = {
    "prefixes_not_causal",
    "looks_ahead",
    "lane_of_latest",
    "many_states",
}  # or with rules that are none, whatever is claimed
