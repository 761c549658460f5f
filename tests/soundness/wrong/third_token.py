"""After c any of a and b would be right; b has 64, a has 0, and c itself has 64 as well: of three
logits two right ones do not make the third one wrong. Honest: refuted.
"""

from handcraft import Head, Program, after, position, token

p, t = position(4), token("abc")
head = Head(
    query=1024 * p,
    key=p,
    value=t,
    output={
        t["a"]: 64 * t["b"] - t["a"],
        t["b"]: 64 * t["a"] + 64 * t["c"] - t["b"],
        t["c"]: 64 * t["c"] - t["c"],
    },
)
program = Program(
    embedding=(p, t),
    layers=(head,),
    claim=after({"a": {"b", "c"}, "b": {"a", "b"}, "c": {"a", "b"}}),
)
