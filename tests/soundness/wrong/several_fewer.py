"""The same weights under the same name, and b alone would be right after a, where c has as much:
the certificate of several_right.py is none of this claim. Honest: rejected.
"""

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
    claim=after({"a": "b", "b": "a", "c": "a"}),
    name="several",
)
