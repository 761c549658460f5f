"""Regular expressions of prompts, drawn for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

atoms = st.sampled_from(
    [
        "a",
        "b",
        "1",
        r"\d",
        "[ab]",
        "[0-9a]",
        "[-a]",
        "[a-]",
        r"[\d-]",
        r"\-",
        "()",
        "(?:a|1)",
        r"[b\-]",
    ]
)


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Larger expressions from smaller ones."""
    repeats = st.sampled_from(["?", "*", "+", "{0}", "{2}", "{0,2}", "{1,3}"])
    return st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map("|".join),
        st.tuples(inner, repeats).map(lambda pair: f"({pair[0]}){pair[1]}"),
        inner.map("({})".format),
    )


patterns = st.recursive(atoms, grown, max_leaves=6)
