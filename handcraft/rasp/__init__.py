"""RASP by the names that its users know: s-ops and selectors as Python expressions that evaluate
themselves.

    from handcraft import rasp

    same = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.EQ)
    hist = rasp.SelectorWidth(same).named("hist")
    hist("abac")    # [2, 1, 2, 1]
    same("aba")     # [[True, False, True], [False, True, False], [True, False, True]]

RASP is the language of Weiss, Goldberg and Yahav, "Thinking like transformers" (2021); the names
and their meaning are those of Tracr (Lindner et al., 2023), whose programs run here as they are.
An s-op has one value a token and a selector one row a query, of one flag a key. Functions may be
any of Python's and values any of None, int, float, str and bool; None means undefined.

    model = rasp.compile_rasp_to_model(hist, {"a", "b", "c"}, max_seq_len=20)
    model.apply(["compiler_bos", *"abac"]).decoded    # ["compiler_bos", 2, 1, 2, 1]
    model.model.save("build/hist")                    # a handcraft Model

This room evaluates, and knows no other but core/. What compiles is in lowering/, far below it, and
its one name here is imported when it is asked for.

    annotations    what is noted on an expression: its name, its encoding, and what an author adds
    expressions    what every expression has: name, label, id, children, copies
    chains         several functions as one, without a call in a call
    sops           s-ops and their operators
    comparison     predicates
    selectors      selectors, and two that become one
    aggregation    s-ops of selectors: width and aggregate
    encoding       numerical and categorical
    evaluation     the meaning of each class; causal_eval, the same where no token sees a later one
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handcraft.rasp.aggregation import Aggregate, SelectorWidth
from handcraft.rasp.annotations import Encoding
from handcraft.rasp.causal_eval import CausalEvaluator
from handcraft.rasp.comparison import Comparison, Predicate
from handcraft.rasp.encoding import (
    categorical,
    get_encoding,
    is_categorical,
    is_numerical,
    numerical,
)
from handcraft.rasp.evaluation import (
    DefaultRASPEvaluator,
    RASPEvaluator,
    evaluate,
)
from handcraft.rasp.expressions import (
    VT,
    NumericValue,
    RASPExpr,
    RASPExprT,
    SelectorValue,
    Value,
    annotate,
)
from handcraft.rasp.selectors import (
    ConstantSelector,
    Select,
    Selector,
    SelectorAnd,
    SelectorNot,
    SelectorOr,
    selector_and,
    selector_not,
    selector_or,
)
from handcraft.rasp.sops import (
    ConstantSOp,
    Full,
    IndicesType,
    LengthType,
    LinearSequenceMap,
    Map,
    SequenceMap,
    SOp,
    SOpT,
    TokensType,
    indices,
    length,
    sop_not,
    tokens,
)

if TYPE_CHECKING:
    from handcraft.lowering.rasp.compiler import (
        compile_rasp_to_model as compile_rasp_to_model,
    )

__all__ = [
    "VT",
    "Aggregate",
    "CausalEvaluator",
    "Comparison",
    "ConstantSOp",
    "ConstantSelector",
    "DefaultRASPEvaluator",
    "Encoding",
    "Full",
    "IndicesType",
    "LengthType",
    "LinearSequenceMap",
    "Map",
    "NumericValue",
    "Predicate",
    "RASPEvaluator",
    "RASPExpr",
    "RASPExprT",
    "SOp",
    "SOpT",
    "Select",
    "Selector",
    "SelectorAnd",
    "SelectorNot",
    "SelectorOr",
    "SelectorValue",
    "SelectorWidth",
    "SequenceMap",
    "TokensType",
    "Value",
    "annotate",
    "categorical",
    "compile_rasp_to_model",
    "evaluate",
    "get_encoding",
    "indices",
    "is_categorical",
    "is_numerical",
    "length",
    "numerical",
    "selector_and",
    "selector_not",
    "selector_or",
    "sop_not",
    "tokens",
]


def __getattr__(name: str) -> Any:
    """The compiler, at its first use: whoever only evaluates imports nothing below this room."""
    if name != "compile_rasp_to_model":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from handcraft.lowering.rasp.compiler import compile_rasp_to_model

    globals()[name] = compile_rasp_to_model
    return compile_rasp_to_model
