"""Right: after a the tokens b and c have the same logit, and either may follow. Honest: proved."""

from handcraft import Head, Program, after, position, token

p, t = position(4), token("abc")
head = Head(
    query=1024 * p,
    key=p,
    value=t,
    output={
        t["a"]: 64 * t["b"] + 64 * t["c"] - t["a"],
        t["b"]: 64 * t["a"] - t["b"],
        t["c"]: 64 * t["a"] - t["c"],
    },
)
program = Program(
    embedding=(p, t),
    layers=(head,),
    claim=after({"a": {"b", "c"}, "b": "a", "c": "a"}),
    name="several",
)
