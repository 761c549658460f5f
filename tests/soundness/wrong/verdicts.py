"""What is wrong with each program beside this file, and what may honestly be said of it.

    WRONG      after this context the claim says this token (or number), and the model does not
    ERRORS     the claim cannot be asked at all
    RIGHT      right, though a way to verify it once failed with a traceback
    LEFTOVERS  pairs: a checkpoint or a certificate of the first is offered to the second
    EXPORTS    right, but past what an export holds; TEXTS: what is avoided is reached, by a start

Rules of this file: contexts and what is claimed of them are written down by hand, from the
first line of each program.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """A context with what is claimed of it; `said` are the honest verdicts, `options` what goes
    with the command.
    """

    context: tuple[str, ...] | str
    claimed: str | float | dict[str, float] | set[str]
    said: frozenset[str] = frozenset({"refuted"})
    options: tuple[str, ...] = ()
    lane: str | None = None
    position: int = -1  # at which it is wrong, where the model is not causal

    @property
    def dtype(self) -> str:
        """Of the model."""
        return "float64" if "float64" in self.options else "float32"


OPEN = frozenset(
    {"refuted", "unknown"}
)  # where another order of summation may find it right

WRONG = {
    "absorbed_leak": Case("aa", "a"),
    "absorbed_double": Case("cab", "a", options=("--dtype", "float64")),
    "absorbed_lane": Case("ab", 0.0, lane="z"),
    "shared_leaks": Case("aa", "a"),
    "pair_cache": Case("add=", "d", OPEN),
    "pair_cache_both": Case("dcb=", "b", OPEN),
    "pair_cache_five": Case("v.", "v", OPEN),
    "crossed_counts": Case("d=", "c"),
    "crossed_ring": Case("y=", "x"),
    "crossed_places": Case("cdd", "c"),
    "dead_head_overflow": Case("aa", "b"),
    "dead_head_second_layer": Case("bbb", "a"),
    "dead_value_overflow": Case("aba", "b"),
    "dead_neuron_overflow": Case("abcabc", "a"),
    "late_overflow": Case("aabaa", "b"),
    "late_scores": Case("abab", "a"),
    "trie_skips_infinity": Case("baa", "b"),
    "offered_infinity": Case("ab", "c"),
    "infinity_double": Case("aba", "b", options=("--dtype", "float64")),
    "near_tie": Case("baaab", "a", OPEN),
    "neuron_tie": Case("abab", "a", OPEN),
    "exact_tie": Case("c", "b"),
    "third_token": Case("abc", {"a", "b"}),
    "prefixes_not_causal": Case("b", "a", options=("--budget", "2000")),
    "looks_ahead": Case("abc", "b", options=("--budget", "2000")),
    "reversed_aaaa": Case("ab", "b", position=0),
    "checker_underflow": Case("a", "b"),
    "underflow_sum": Case("a", "b"),
    "underflow_mean": Case("abab", "b"),
    "distribution_tie": Case("ab", {"a": 0.5, "b": 0.5}),
    "most_of_firsts": Case("abc", "c"),
    "no_head_neurons": Case("a", "a"),
}

ERRORS = {
    "ambiguous_tokens",
    "ambiguous_endings",
    "greedy_fails",
    "lane_claim_of_tokens",
    "lane_of_latest",
    "number_as_token",
    "mixed_answers",
    "early_stop",
    "early_stop_rule",
    "early_stop_table",
    "lengths_without_stop",
    "lengths_by_end",
    "lengths_of_text",
    "past_the_window",
    "past_by_one",
    "no_length",
}


RIGHT = {
    "no_head",
    "no_layers",
    "checkpoint_first",
    "resume_claim_first",
    "resume_model_first",
    "moved_program",
    "moved_lane",
    "several_right",
}
SILENT = {"most_of_none"}  # everywhere: unknown

CHECKPOINTS = (
    ("checkpoint_first", "checkpoint_second"),
    ("resume_claim_first", "resume_claim_second"),
    ("resume_model_first", "resume_model_second"),
)
CERTIFICATES = (
    ("moved_program", "moved_other"),
    ("moved_lane", "moved_reading"),
    ("several_right", "several_fewer"),
)

EXPORTS = {
    "export_rare": "baaaaaaaaaaaaaaa",
    "export_sum": "bbbbbbbbbbbbbb",
    "export_tables": "aaaaaaaaaaaaaaa",
}
TEXTS = {
    "avoid_text": ("b", "ab"),
    "avoid_longer": ("a", "aba"),
    "avoid_inside": ("c", "b"),
}
