"""The first mistakes of an author: each is answered in one line, in her words, with her line.

The table has what she writes after START, and the answer without the name and the line of the
file. No answer is Python's or a library's own sentence.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

import handcraft
from handcraft import Program, position, token
from handcraft.core.errors import ProgramError
from handcraft.files.program_file import load_program
from handcraft.program.program import OF_HANDCRAFT, OF_MODELS
from handcraft.sequence.words import (
    Expression,
    cases,
    equal,
    here,
    max_,
    ratio,
    round_,
)

START = """from handcraft import *
from handcraft.recipes import *
p, t, v = position(5), token("ab"), scratch("v")
at, LARGE = addresses(8), 1024
head = Head(query=LARGE * p.previous, value=t, adds=LARGE * t)
def build(*layers, claim=None, embedding=(p, t, v), **fields):
    global program
    program = Program(embedding=embedding, layers=layers, claim=claim, **fields)
"""
MISTAKES = [
    (
        'answers("op", "a")',
        (
            "answers > answer: takes a function, a table, an expression or a "
            "transducer, found str 'a'"
        ),
    ),
    (
        'residual(v, "a")',
        "residual > function: takes a function or an expression, found str 'a'",
    ),
    (
        'each("a")',
        "each > function: takes a function or an expression, found str 'a'",
    ),
    (
        'each({"a": "b"})',
        "each > function: takes a function or an expression, found dict {'a': 'b'}",
    ),
    (
        'residual(v, {"a": 1})',
        "residual > function: takes a function or an expression, found dict {'a': 1}",
    ),
    (
        "build(vocabulary=t)",
        "vocabulary: takes a list of tokens, found the slot token",
    ),
    (
        "Head(p, value=t)",
        (
            "Head: takes its arguments by name, found 1 without: write "
            "Head(query=..., key=..., value=..., adds=...)"
        ),
    ),
    (
        "Head(query=p)",
        "Head > value: is required",
    ),
    (
        "Head(value=t, vlaue=t)",
        (
            "Head > vlaue: has no such argument; it takes query, key, value, adds, "
            "scores, means, name, source; did you mean 'value'?"
        ),
    ),
    (
        "Head(value=t, output=t, adds=t)",
        "Head: output= is the older name of adds=; give one of them",
    ),
    (
        "Head(value=5)",
        "Head > value: say which lane this is for, as {lane: expression}; found 5",
    ),
    (
        'Head(value="a")',
        (
            "Head > value: an expression is made of lanes, slots and numbers, found "
            "str 'a'; a lane is written slot['label']"
        ),
    ),
    (
        'Head(value=[t["a"]])',
        (
            "Head > value: an expression is made of lanes, slots and numbers, found "
            "list [token:a]; lanes are added with +, or named as {lane: expression}"
        ),
    ),
    (
        'Head(value={t: "a"})',
        (
            "Head > value: an expression is made of lanes, slots and numbers, found "
            "str 'a'; a lane is written slot['label']"
        ),
    ),
    (
        'Head(value={"v"})',
        (
            "Head > value: an expression is made of lanes, slots and numbers, found "
            "set {'v'}; lanes are added with +, or named as {lane: expression}"
        ),
    ),
    (
        "Head(value={v: t})",
        (
            "Head > value: v is one lane, and the expression has token (2 lanes): "
            "choose one of them, such as token['a'], or add them up with .sum()"
        ),
    ),
    (
        'Head(value={v: t["a"] * t["b"]})',
        (
            "an expression can only be multiplied by a number, found the lane "
            "token:b; a lane times a flag is recipes.product(x, flag, most, {lane: "
            "1})"
        ),
    ),
    (
        "Head(query=LARGE, value=t)",
        (
            "Head > query: say which lane this is for, as {lane: expression}; found "
            "1024"
        ),
    ),
    (
        "Head(query={LARGE: p}, value=t)",
        (
            "Head > query: the left side of a map is a lane or a slot, as in {lane: "
            "expression}; found int 1024"
        ),
    ),
    (
        "Head(query=p, key=5, value=t)",
        "Head > key: say which lane this is for, as {lane: expression}; found 5",
    ),
    (
        "Head(query={p: None}, value=t)",
        (
            "Head > query: an expression is made of lanes, slots and numbers, found "
            "None"
        ),
    ),
    (
        'Neuron(t["a"], {v: 1})',
        (
            "Neuron: takes its arguments by name, found 2 without: write "
            "Neuron(when=..., adds=..., sharpness=..., means=...)"
        ),
    ),
    (
        'Neuron(when=t["a"])',
        "Neuron > adds: is required",
    ),
    (
        'Neuron(when=t["a"], adds=v * t["b"])',
        (
            "an expression can only be multiplied by a number, found the lane "
            "token:b; a lane times a flag is recipes.product(x, flag, most, {lane: "
            "1})"
        ),
    ),
    (
        'Neuron(when=t["a"], adds={v: t["b"]})',
        (
            "Neuron > adds: an amount to add is a number, found the lane token:b; "
            "what varies stands in when=, as in Neuron(when=x, adds={lane: 1})"
        ),
    ),
    (
        "Neuron(when=t, adds={v: 1})",
        (
            "Neuron > when: expected one expression, found token (2 lanes): choose "
            "one of them, such as token['a'], or add them up with .sum()"
        ),
    ),
    (
        'Neuron(when=t["a"] > 0, adds={v: 1})',
        (
            "an expression is a sum of lanes times numbers, and a comparison of "
            "token:a is none: neurons make it, recipes.threshold(x, {lane: 1}, "
            "above=0.5)"
        ),
    ),
    (
        'Neuron(when="a", adds={v: 1})',
        (
            "Neuron > when: an expression is made of lanes, slots and numbers, found "
            "str 'a'; a lane is written slot['label']"
        ),
    ),
    (
        'Neuron(when=t["a"], adds=5)',
        "Neuron > adds: says which lanes to add to, as {lane: number}; found 5",
    ),
    (
        "v ** 2",
        (
            "an expression is a sum of lanes times numbers, and a power of v is none:"
            " neurons make it, recipes.square(x, most, {lane: 1})"
        ),
    ),
    (
        't["a"] and t["b"]',
        (
            "token:a has no truth value before the model runs: for `and`, `or`, `not`"
            " and `if` write neurons, such as recipes.conjunction([x, y], {lane: 1})"
        ),
    ),
    (
        'not t["a"]',
        (
            "token:a has no truth value before the model runs: for `and`, `or`, `not`"
            " and `if` write neurons, such as recipes.conjunction([x, y], {lane: 1})"
        ),
    ),
    (
        "t > 0",
        (
            "an expression is a sum of lanes times numbers, and a comparison of token"
            " is none: neurons make it, recipes.threshold(x, {lane: 1}, above=0.5)"
        ),
    ),
    (
        't["a"] & t["b"]',
        (
            "an expression is a sum of lanes times numbers, and the AND of flags of "
            "token:a is none: neurons make it, recipes.conjunction([x, y], {lane: 1})"
        ),
    ),
    (
        '~t["a"]',
        (
            "an expression is a sum of lanes times numbers, and the NOT of a flag of "
            "token:a is none: neurons make it, 1 - x, or recipes.negation(x, {lane: "
            "1})"
        ),
    ),
    (
        "abs(v)",
        (
            "an expression is a sum of lanes times numbers, and a size of v is none: "
            "neurons make it, recipes.absolute(x, {lane: 1})"
        ),
    ),
    (
        "v % 2",
        (
            "an expression is a sum of lanes times numbers, and a remainder of v is "
            "none: neurons make it, recipes.modulo(x, modulus, most, {lane: 1})"
        ),
    ),
    (
        "v // 2",
        (
            "an expression is a sum of lanes times numbers, and a quotient of v is "
            "none: neurons make it, recipes.quotient(x, divisor, most, {lane: 1})"
        ),
    ),
    (
        "1 / v",
        "an expression is a sum of lanes times numbers; 1 divided by v is none",
    ),
    (
        'max(t["a"], t["b"])',
        (
            "an expression is a sum of lanes times numbers, and a comparison of "
            "token:b is none: neurons make it, recipes.threshold(x, {lane: 1}, "
            "above=0.5)"
        ),
    ),
    (
        "int(v)",
        "v has no value before the model runs: see it with model.trace(context)",
    ),
    (
        "t[0]",
        "token has no lane '0'; its lanes are 'a', 'b'",
    ),
    (
        't["c"]',
        "token has no lane 'c'; its lanes are 'a', 'b'",
    ),
    (
        "t.a",
        "Slot: there is no 'a'; a lane is written token['a']",
    ),
    (
        't["ab"]',
        "token has no lane 'ab'; its lanes are 'a', 'b'",
    ),
    (
        'v["a"]',
        "v has no lane 'a'; it is one lane, written v",
    ),
    (
        "p[5]",
        "position has no lane '5'; its lanes are '0', '1', '2', '3', '4'",
    ),
    (
        "p.prev",
        "Slot: there is no 'prev'; did you mean 'previous'?",
    ),
    (
        "p.next",
        (
            "Slot: there is no 'next'; for expressions position has .previous, "
            ".back(n) and .sum(labels)"
        ),
    ),
    (
        "t.first",
        "Slot: there is no 'first'; for expressions token has .sum(labels)",
    ),
    (
        "p.back(-1)",
        (
            "position has 5 positions: back takes a whole number from 0 to 4, found "
            "-1"
        ),
    ),
    (
        'p.back("1")',
        (
            "position has 5 positions: back takes a whole number from 0 to 4, found "
            "'1'"
        ),
    ),
    (
        "p.back(1.0)",
        (
            "position has 5 positions: back takes a whole number from 0 to 4, found "
            "1.0"
        ),
    ),
    (
        "at.previous",
        (
            "only a one-hot position slot has positions back, position is not one; "
            "where it holds the position as position['p'], write attend_to(position, "
            "position['p'] - 1, ...)"
        ),
    ),
    (
        "token(5)",
        (
            "token: the tokens must be a text of letters or a list of texts, such as "
            '"ab" or ["a", "b"]; found int 5'
        ),
    ),
    (
        "token()",
        "token > tokens: is required",
    ),
    (
        'token("a", "b")',
        (
            "token: takes the tokens as one list, found 2 arguments: write "
            "token(['a', 'b'])"
        ),
    ),
    (
        'token("^", "Anna", " Ben", " Carl", " Dora")',
        (
            "token: takes the tokens as one list, found 5 arguments: write "
            "token(['^', 'Anna', ' Ben', ' Carl', ... (5 in all)])"
        ),
    ),
    (
        'token("^", ["Anna"])',
        "token: takes 1 argument without a name, found 2: write token(tokens, name=...)",
    ),
    (
        'token("Anna")',
        (
            "token: a text is one token for each letter, and 'n' stands twice in "
            "'Anna'; words are given as a list: token(['Anna'])"
        ),
    ),
    (
        'token(["a", 5])',
        "token: the tokens must be texts, found int 5",
    ),
    (
        'token({"a", "b"})',
        (
            "token: the tokens are a set, which has no order: lanes would change "
            "places from run to run; pass a text or a list"
        ),
    ),
    (
        'token({"a": 1})',
        (
            'token: the tokens are a table; a table of numbers is slot("name", '
            "token={...})"
        ),
    ),
    (
        'token("")',
        (
            "token: the labels of token must be distinct, and at least one; there are"
            " none"
        ),
    ),
    (
        'token("aa")',
        (
            "token: a text is one token for each letter, and 'a' stands twice in "
            "'aa'; words are given as a list: token(['aa'])"
        ),
    ),
    (
        'token(a="b")',
        "token > tokens: is required",
    ),
    (
        "token(None)",
        (
            "token: the tokens must be a text of letters or a list of texts, such as "
            '"ab" or ["a", "b"]; found None'
        ),
    ),
    (
        'token(b"ab")',
        (
            "token: the tokens must be a text of letters or a list of texts, such as "
            '"ab" or ["a", "b"]; found bytes b\'ab\''
        ),
    ),
    (
        'position("5")',
        "position: n_ctx must be a whole number from 1 to 1048576, found '5'",
    ),
    (
        "position(0)",
        "position: n_ctx must be a whole number from 1 to 1048576, found 0",
    ),
    (
        "position(10**7)",
        "position: n_ctx must be a whole number from 1 to 1048576, found 10000000",
    ),
    (
        "position()",
        "position > n_ctx: is required",
    ),
    (
        "position(5, p=3)",
        (
            "position: position:p takes a function of the key, or a list of numbers; "
            "found int 3"
        ),
    ),
    (
        "position(5, p=lambda: 3)",
        (
            "position: position:p: the function raises TypeError for 0: <lambda>() "
            "takes 0 positional arguments but 1 was given"
        ),
    ),
    (
        'position(5, p=lambda i: "x")',
        "position: position:p takes a number, found str 'x'",
    ),
    (
        "position(5, p=[1, 2])",
        "position: position:p has 2 values for 5 rows of the table",
    ),
    (
        "position(5, p=lambda i: 1 / i)",
        (
            "position: position:p: the function raises ZeroDivisionError for 0: "
            "division by zero"
        ),
    ),
    (
        'slot("x")',
        (
            "x: has neither token= nor position=; lanes that start at zero are "
            'scratch("x")'
        ),
    ),
    (
        'slot("x", token={"a"})',
        "x: token= takes a table {token: number}, found set",
    ),
    (
        'slot("x", token="ab")',
        "x: token= takes a table {token: number}, found str",
    ),
    (
        'slot("x", token={"a": "b"})',
        "slot: x takes a number, found str 'b'",
    ),
    (
        'slot("x", position=5)',
        "x: position= takes a list of one number a position, found int",
    ),
    (
        'slot("x", position={0: 1})',
        "x: position= takes a list of one number a position, found dict",
    ),
    (
        'slot(token={"a": 1})',
        "slot > name: is required",
    ),
    (
        'slot("x", token={"a": [1, 2]})',
        (
            "slot: x has 1 lane, but its table has a row of 2; labels= names one lane"
            " a number"
        ),
    ),
    (
        'slot("x", token={"a": [1, 2]}, labels="abc")',
        (
            "slot: x has 3 lanes, but its table has a row of 2; labels= names one "
            "lane a number"
        ),
    ),
    (
        "scratch()",
        "scratch > names: is required",
    ),
    (
        "scratch(5)",
        'scratch: takes a name, or several in one text: "a b c"; found int 5',
    ),
    (
        'scratch("")',
        "scratch: a slot's name must be an identifier, found ''",
    ),
    (
        'scratch("1a")',
        "scratch: a slot's name must be an identifier, found '1a'",
    ),
    (
        'scratch("m", {"a", "b"})',
        (
            "scratch: the labels are a set, which has no order: lanes would change "
            "places from run to run; pass a text or a list"
        ),
    ),
    (
        'scratch("m", 3)',
        (
            "scratch: the labels must be a text of letters or a list of texts, such "
            'as "ab" or ["a", "b"]; found int 3'
        ),
    ),
    (
        'scratch("m", [1, 2])',
        "scratch: the labels must be texts, found int 1",
    ),
    (
        'scratch("m", "aa")',
        (
            "scratch: the labels of m must be distinct, and at least one; 'a' stands "
            "twice"
        ),
    ),
    (
        'scratch(v, "ab")',
        'scratch: takes a name, or several in one text: "a b c"; found the slot v',
    ),
    (
        'scratch("x", reuse="v")',
        "scratch: reuse= takes an earlier scratch slot, found str 'v'",
    ),
    (
        "MLP(head)",
        (
            "MLP > neurons: a head is no neuron: in a layer they stand side by side, "
            "(head, neurons)"
        ),
    ),
    (
        "MLP(neurons=5)",
        "MLP > neurons: must be a list or a tuple, found 5",
    ),
    (
        "MLP({v: 1})",
        (
            "MLP > neurons: constants are no neuron: MLP(neurons, adds={lane: "
            "number})"
        ),
    ),
    (
        "MLP([{v: 1}])",
        (
            "MLP > neurons: constants are no neuron: MLP(neurons, adds={lane: "
            "number})"
        ),
    ),
    (
        "Block(head, 5)",
        "Block > mlp: must be of type MLP, found 5",
    ),
    (
        "Block([Neuron(when=v, adds={v: 1})])",
        (
            "Block > heads: neurons stand in mlp=MLP([...]); or write the layer as "
            "(head, neurons)"
        ),
    ),
    (
        "Block()",
        "Block: a block needs at least one head or an MLP",
    ),
    (
        "build(5)",
        (
            "layers[0]: a layer is made of heads, neurons, MLPs, decoders and {lane: "
            "constant}; found int 5"
        ),
    ),
    (
        'build("head")',
        (
            "layers[0]: a layer is made of heads, neurons, MLPs, decoders and {lane: "
            "constant}; found str 'head'"
        ),
    ),
    (
        "build(None)",
        (
            "layers[0]: a layer is made of heads, neurons, MLPs, decoders and {lane: "
            "constant}; found None"
        ),
    ),
    (
        "build(p)",
        (
            "layers[0]: a layer is made of heads, neurons, MLPs, decoders and {lane: "
            "constant}; found the slot position"
        ),
    ),
    (
        "build(attend_to)",
        (
            "layers[0]: a layer is made of heads, neurons, MLPs, decoders and {lane: "
            "constant}; found the function attend_to"
        ),
    ),
    (
        "build(())",
        "layers[0]: a layer needs at least one head, neuron or MLP",
    ),
    (
        "build([t])",
        (
            "layers[0]: a layer is made of heads, neurons, MLPs, decoders and {lane: "
            "constant}; found the slot token"
        ),
    ),
    (
        "Program(embedding=(p, t), layers=head)",
        "layers: a single layer is written (layer,)",
    ),
    (
        "Program((p, t), (head,))",
        (
            "takes its arguments by name, found 2 without: write "
            "Program(embedding=..., layers=..., claim=..., vocabulary=...)"
        ),
    ),
    (
        "Program(embedding=p)",
        "embedding: a single slot is written (slot,)",
    ),
    (
        'Program(embedding=(p, "t"))',
        "embedding[1]: must be of type Slot, found 't'",
    ),
    (
        "Program(embedding=())",
        (
            "n_ctx: the context window must be 1 to 1048576; no slot has a table of "
            "positions: pass n_ctx= to Program"
        ),
    ),
    (
        'build(MLP(adds={"a": 1}))',
        (
            "layers[0] > adds: a is not a lane of the embedding (those are position, "
            "token, v); did you mean 'token:a'?"
        ),
    ),
    (
        "build(head, claim=residual('b', lambda context: 0))",
        (
            "claim: b is not a lane of the embedding (those are position, token, v); "
            "did you mean 'token:b'?"
        ),
    ),
    (
        "attend_to(at, -2, value=t)",
        (
            "attend_to > target: -2 is before the first position; 2 back is "
            'at["p"] - 2'
        ),
    ),
    (
        "attend_to(at, -0.5, value=t)",
        (
            "attend_to > target: -0.5 is before the first position; 0.5 back is "
            'at["p"] - 0.5'
        ),
    ),
    (
        "attend_to(at, 8, value=t)",
        "attend_to > target: 8 is past the last position, 7",
    ),
    (
        "build(head); program.answer",
        (
            "Program: there is no 'answer'; a built model has it: "
            "program.build().answer"
        ),
    ),
    (
        "build(head); program.run",
        (
            "Program: there is no 'run'; a built model has it: "
            "program.build().generate"
        ),
    ),
    (
        "Program(embedding=(p,))",
        (
            "embedding: no slot has a table of tokens: add token(...) or pass "
            "vocabulary="
        ),
    ),
    (
        "Program(embedding=(t,))",
        (
            "n_ctx: the context window must be 1 to 1048576; no slot has a table of "
            "positions: pass n_ctx= to Program"
        ),
    ),
    (
        "Program(layers=(head,))",
        "embedding: is required",
    ),
    (
        "Program(embedding=(p, t, t))",
        (
            "embedding[2]: the slot token is declared twice; give one of them another"
            " name"
        ),
    ),
    (
        'Program(embedding=(p, t, position(6, name="q")))',
        "embedding[2]: q has 6 positions, but the window is 5",
    ),
    (
        "Program(embedding=(p, t), layer=(head,))",
        (
            "layer: has no such argument; it takes embedding, layers, claim, "
            "vocabulary, n_ctx, name, activation, causal, d_head, source; did you "
            "mean 'layers'?"
        ),
    ),
    (
        'Program(embedding=(p, t), vocabulary={"a", "b"})',
        (
            "vocabulary: a set has no order, and the ids of the tokens are their "
            "places: pass a list"
        ),
    ),
    (
        'Program(embedding=(p, t), n_ctx="5")',
        "n_ctx: must be a whole number, found '5'",
    ),
    (
        'Program(embedding=(p, t), activation="tanh")',
        "activation: must be 'gelu' or 'relu', found 'tanh'",
    ),
    (
        'Program(embedding=(p, t), causal="no")',
        "causal: must be True or False, found 'no'",
    ),
    (
        'Program(embedding=(p, t), name="a b")',
        "a b > name: a name is made of letters, digits, _ . and -, found 'a b'",
    ),
    (
        "Program(embedding=(p, t), name=5)",
        "5 > name: must be a text, found 5",
    ),
    (
        'build(head, claim={"aa": "c"})',
        "claim: the token 'c' is not in the vocabulary 'a', 'b'",
    ),
    (
        'build(head, claim={"ac": "a"})',
        (
            "claim: no token matches 'c' at character 1 of the text; the vocabulary "
            "is 'a', 'b'"
        ),
    ),
    (
        'build(head, claim={"aa": 5})',
        (
            "claim > after > table[0]: what is right after 'aa' is a token, or a set "
            "of tokens such as {'a', 'b'}, found int 5"
        ),
    ),
    (
        'build(head, claim={"aa": None})',
        (
            "claim > after > table[0]: what is right after 'aa' is a token, or a set "
            "of tokens such as {'a', 'b'}, found None; leave the row out, so that "
            "nothing is claimed there"
        ),
    ),
    (
        'build(head, claim={5: "a"})',
        (
            "claim > after > table[0][0]: an ending is a text or a tuple of tokens, "
            "found int 5"
        ),
    ),
    (
        "build(head, claim={})",
        (
            "claim > after: takes {last tokens: next token} with at least one "
            "entry"
        ),
    ),
    (
        'build(head, claim={"": "a"})',
        "claim: the ending '' is empty",
    ),
    (
        'build(head, claim="ab")',
        (
            "claim: a claim is a table {last tokens: next token}, such as {'aa': "
            "'b'}, a claim such as answers(...), an expression, or a function of the "
            "context; found str 'ab'"
        ),
    ),
    (
        "build(head, claim=5)",
        (
            "claim: a claim is a table {last tokens: next token}, such as {'aa': "
            "'b'}, a claim such as answers(...), an expression, or a function of the "
            "context; found int 5"
        ),
    ),
    (
        'build(head, claim=after("aa", "b"))',
        "after: takes 1 argument without a name, found 2: write after(table)",
    ),
    (
        "build(head, claim=after())",
        "after > table: is required",
    ),
    (
        'build(head, claim=after({"aa": {"a", "b"}}))',
        (
            "claim: every token is right after 'aa', so the row says nothing: leave "
            "it out"
        ),
    ),
    (
        'build(head, claim={"aaaaaa": "b"})',
        "claim: the ending 'aaaaaa' is longer than n_ctx 5, so it never speaks",
    ),
    (
        'build(head, claim=distribution({"a": {"a": 0.5}}))',
        (
            "distribution > table: the probabilities after 'a' must sum to 1, found "
            "0.5"
        ),
    ),
    (
        'build(head, claim=distribution({"a": "b"}))',
        "distribution: takes {last tokens: {token: probability}}",
    ),
    (
        'build(head, claim=answers("a+", 5))',
        (
            "answers > answer: takes a function, a table, an expression or a "
            "transducer, found int 5"
        ),
    ),
    (
        'build(head, claim=answers("a(", lambda s: "b"))',
        "answers > prompts: 'a(': at character 2: this ( is never closed",
    ),
    (
        'build(head, claim=answers("a+"))',
        "answers > answer: is required",
    ),
    (
        'build(head, claim=answers("c+", lambda s: "b", length=1))',
        (
            "claim > prompts: the prompt 'c': no token matches 'c' at character 0 of "
            "the text; the vocabulary is 'a', 'b'"
        ),
    ),
    (
        'build(head, claim=answers("a", lambda s: "b", stop="c"))',
        "claim: the token 'c' is not in the vocabulary 'a', 'b'",
    ),
    (
        'build(head, claim=answers("a", lambda s: "b", lenght=1))',
        (
            "answers > lenght: has no such argument; it takes prompts, answer, stop, "
            "length, longest, framed; did you mean 'length'?"
        ),
    ),
    (
        "build(Head(query=p, key=t, value=t))",
        (
            "layers[0] > query: asks about position (5 lanes) but the key offers "
            "token (2 lanes)"
        ),
    ),
    (
        'build(Head(value={v: scratch("w")}))',
        (
            "layers[0] > value: w is not a lane of the embedding (those are position,"
            " token, v)"
        ),
    ),
    (
        'build(Head(value=t, adds={scratch("w"): t["a"]}))',
        (
            "layers[0] > adds: w is not a lane of the embedding (those are position, "
            "token, v)"
        ),
    ),
    (
        'build(head, embedding=(p, t, v, scratch("v")))',
        (
            "embedding[3]: the slot v is declared twice; give one of them another "
            "name"
        ),
    ),
    (
        'build(head, embedding=(p, t, v, local("w")))',
        "embedding[3]: w is local to a head and has no column; use scratch(...)",
    ),
    (
        "attend_to(p, 1, value=t)",
        (
            "attend_to > at: position must hold the position and its square: use "
            "addresses(n_ctx)"
        ),
    ),
    (
        'attend_to(at, at["p"] - 1)',
        "attend_to > value: is required",
    ),
    (
        'attend_to(at, at["p"] - 1, t)',
        (
            "attend_to: takes 2 arguments without a name, found 3: write "
            "attend_to(at, target, value=..., adds=..., range=..., missing=...)"
        ),
    ),
    (
        'attend_to(at, "p", value=t)',
        (
            "attend_to: an expression is made of lanes, slots and numbers, found str "
            "'p'; a lane is written slot['label']"
        ),
    ),
    (
        'attend_to(at, at["p"] + 1, value=t)',
        (
            "attend_to > target: position:p + 1 lies in the future of every position;"
            " causality hides it; in a program with causal=False, say"
            " causal=False here too"
        ),
    ),
    (
        'attend_to(at["p"] - 1, value=t)',
        "attend_to > target: is required",
    ),
    (
        "attend_to(addresses(2048), 1, value=t)",
        (
            "attend_to > at: 2048 positions are too many for one number, whose scores "
            "float32 tells apart up to 1024: use two_digits(2048) and attend_to_digits"
        ),
    ),
    (
        "attend_to(addresses(1024), 1, value=t, sharpness=8)",
        (
            "attend_to > sharpness: 8 leaks to neighbours over 1024 positions; 25.7 does "
            "not"
        ),
    ),
    (
        'attend_where({t["a"]: 1}, value=t, prefer="latest")',
        (
            "attend_where > at: a preference needs a slot with the position: "
            "at=addresses(n_ctx)"
        ),
    ),
    (
        'attend_where({t["a"]: 1}, value=t, at=at, prefer="last")',
        (
            "attend_where > prefer: must be None, 'latest' or 'first', found "
            "'last'"
        ),
    ),
    (
        "kernel(at, {1: 0.5}, value=t)",
        "kernel > at: position must be a one-hot position slot: position(n_ctx)",
    ),
    (
        "mean()",
        "mean > value: is required",
    ),
    (
        "mean(5)",
        "mean > value: say which lane this is for, as {lane: expression}; found 5",
    ),
    (
        'running_sum({v: t["a"]})',
        "running_sum > value: is required",
    ),
    (
        'conjunction(t["a"], t["b"], {v: 1})',
        (
            "conjunction: takes 2 arguments without a name, found 3: write "
            "conjunction(flags, adds, name=...)"
        ),
    ),
    (
        'conjunction([t["a"], t["b"]])',
        "conjunction > adds: is required",
    ),
    (
        'conjunction(t["a"], {v: 1})',
        (
            "conjunction > flags: token:a is one expression; where a list of them is taken, "
            "write [x]"
        ),
    ),
    (
        'conjunction([t["a"] == 1], {v: 1})',
        (
            "conjunction: an expression is made of lanes, slots and numbers, found "
            "False; == compares two expressions now, and is no flag: neurons make it,"
            " recipes.equals(x, number, {lane: 1})"
        ),
    ),
    (
        "threshold(v, {v: 1})",
        "threshold > above: is required",
    ),
    (
        'equals(v, "1", {v: 1})',
        (
            "equals: an expression is made of lanes, slots and numbers, found str "
            "'1'; a lane is written slot['label']"
        ),
    ),
    (
        "modulo(v, 0, 5, {v: 1})",
        (
            "modulo > modulus: needs a modulus of at least 2 and a range from 0, "
            "found 0 and 5"
        ),
    ),
    (
        'parabola(v, {t["a"]: "1"})',
        "parabola: a token stands for a number, found str '1'",
    ),
    (
        "parabola(v, [1, 2])",
        (
            "parabola > numbers: takes a table {token lane: its number}, found list "
            "[1, 2]"
        ),
    ),
    (
        "one_hot(t, 0.5)",
        (
            "one_hot > gain: 0.5 cannot beat the 1 of the current token's own logit; "
            "use more than 1"
        ),
    ),
    (
        "import numpy as np; Head(query=np.eye(5) * p, value=t)",
        (
            "an expression can only be multiplied by a number, found an array of "
            "shape (5, 5)"
        ),
    ),
    (
        "head.value = 5",
        (
            "Head > value: is frozen; a changed copy of it is "
            ".model_copy(update={'value': ...})"
        ),
    ),
    (
        "t['a'] = 1",
        (
            "token cannot be set: rules write into lanes, such as {lane: 1} in a "
            "layer, and tables fill them: slot(name, token={...})"
        ),
    ),
    (
        "del v[0]",
        (
            "v cannot be set: rules write into lanes, such as {lane: 1} in a "
            "layer, and tables fill them: slot(name, token={...})"
        ),
    ),
    (
        "t('a')",
        "a slot is not called; a lane of a slot is written slot['label']",
    ),
    (
        "t['a'](1)",
        "a lane is not called; a lane of a slot is written slot['label']",
    ),
    (
        'f"{v:.2f}"',
        (
            "v has no value before the model runs: see it with "
            "model.trace(context)"
        ),
    ),
    (
        'scratch("old", "seen")',
        (
            "scratch: the second text is one label for each letter, and a letter "
            "stands twice in 'seen'; two slots are written in one text: "
            '"old seen"'
        ),
    ),
    (
        "old, new = scratch('old', 'new')",
        (
            'scratch("old", "new") is one slot with a lane for each letter of '
            '"new"; two slots are scratch("old new")'
        ),
    ),
    (
        "old, new, more = local('old', 'ne')",
        (
            'local("old", "ne") is one slot with a lane for each letter of "ne"; '
            'two slots are local("old ne")'
        ),
    ),
    (
        "a, b, c = [1, 2]",
        "ValueError: not enough values to unpack (expected 3, got 2)",
    ),
    (
        'build({"a": 1})',
        (
            "layers[0] > adds: a is not a lane of the embedding (those are "
            "position, token, v); did you mean 'token:a'?"
        ),
    ),
    (
        "program = head",
        "`program` is of type Head; the file must define `program = Program(...)`",
    ),
    (
        "program = [head]",
        "`program` is of type list; the file must define `program = Program(...)`",
    ),
    (
        "program = Program",
        (
            "`program` is the class Program (not called); the file must define "
            "`program = Program(...)`"
        ),
    ),
    (
        "build(head); program = program.build",
        (
            "`program` is the function build (not called); the file must define "
            "`program = Program(...)`"
        ),
    ),
]
# what an author never wrote, or another library says
JARGON = (
    "Frozen",
    "discriminator",
    "valid dictionary",
    "valid string",
    "Input should",
    "pydantic",
    "Traceback",
    "handcraft.",
)


@pytest.mark.parametrize(("written", "answer"), MISTAKES)
def test_a_first_mistake_is_answered_in_the_authors_words(
    written: str, answer: str, tmp_path: Path
) -> None:
    """The whole answer: where it is, what was found, what would work, and the line."""
    answered(written, answer, tmp_path)


def answered(written: str, answer: str, tmp_path: Path) -> None:
    """Check what a program file with these lines after START is answered."""
    file = tmp_path / "bad.py"
    file.write_text(START + written)
    with pytest.raises(ProgramError) as caught:
        load_program(file)
    error = caught.value
    place, _, message = str(error).partition("bad")
    assert place == ""
    found = message.removeprefix(": ").removeprefix(" > ")
    text, _, where = found.rpartition(" (")
    assert text == answer
    assert where.startswith(str(file))


VALUED = "an expression has no value before there is a context, so"
COMPUTED = "expressions are computed with +, -, *, // and %, and not with"
TRUTH = (
    f"{VALUED} `if`, `and`, `or` and `not` cannot ask for its truth; write"
    " cases((condition, value), default)"
)
JOINED = (
    "{0} joins conditions: put each comparison in parentheses, such as"
    " (there(tokens) == 'a') {0} (there(indices) < indices); of two values that are 1 or"
    " 0 write"
)
OF_CLAIMS = [  # what a claim is written with, and the end of the answer
    (
        "x if x else 1",
        TRUTH,
    ),
    (
        "not x",
        TRUTH,
    ),
    (
        "'a' in x",
        (
            f"{VALUED} `in` cannot search it; write lookup({{token: 1, ...}}, x)"
            " or count({0: token})"
        ),
    ),
    (
        "[*x]",
        (
            f"{VALUED} it cannot be gone through; write token_at(i) for a token of the"
            " context, count(condition) and total(e) for all of them"
        ),
    ),
    (
        "x[0]",
        f"{VALUED} it has no items; write token_at(i) for a token, lookup(table, x) for an entry",
    ),
    (
        "x < 3",
        (
            f"{VALUED} < cannot compare it; write there(a) < b for a condition on"
            " positions, below(a, b) or equal(a, b) for 1 or 0, min_(a, b) or max_(a, b)"
            " for one of them"
        ),
    ),
    (
        "3 <= x",
        (
            f"{VALUED} >= cannot compare it; write there(a) >= b for a condition on"
            " positions, below(a, b) or equal(a, b) for 1 or 0, min_(a, b) or max_(a, b)"
            " for one of them"
        ),
    ),
    (
        "int(x)",
        f"{VALUED} it is no number; write token_at(i), or lookup(table, x)",
    ),
    (
        "'abc'[x]",
        f"{VALUED} it is no number; write token_at(i), or lookup(table, x)",
    ),
    ("x / 2", f"{COMPUTED} /: write a // b, or the exact ratio(a, b)"),
    ("2 / x", f"{COMPUTED} /: write a // b, or the exact ratio(a, b)"),
    ("x**2", f"{COMPUTED} **: write a * a"),
    ("-x", f"{COMPUTED} a sign alone: write 0 - a"),
    ("+x", f"{COMPUTED} a sign alone: write a"),
    ("abs(x)", f"{COMPUTED} abs: write max_(a, 0 - a)"),
    ("round(x)", f"{COMPUTED} round: write round_(a)"),
    ("x & x", f"{JOINED.format('&')} a * b"),
    ("1 & x", f"{JOINED.format('&')} a * b"),
    ("x | x", f"{JOINED.format('|')} cases((a, 1), b)"),
    ("~x", f"{COMPUTED} ~: write equal(a, 0)"),
    ("x ^ x", f"{COMPUTED} ^: write 1 - equal(a, b)"),
    ("x @ x", f"{COMPUTED} @: write a * b"),
    ("x << 1", f"{COMPUTED} <<: write a * 2"),
    ("x >> 1", f"{COMPUTED} >>: write a // 2"),
    (
        "x['a'] = 1",
        (
            f"{VALUED} it has no items to set; write lookup({{token: 1, ...}}, x) with"
            " the whole table"
        ),
    ),
    (
        "len(x)",
        (
            f"{VALUED} it has no length; write length for the number of tokens,"
            " count(condition) for that of positions"
        ),
    ),
    (
        "f'{x:.2f}'",
        f"{VALUED} it cannot be formatted; write claim(context) for a value",
    ),
]
IN_PYTHON = (
    f"{VALUED} Python cannot look it up; write lookup({{token: 1, ...}}, x)"
)


@pytest.mark.parametrize(
    ("written", "answer"),
    [
        *((written, f"claim: {answer}") for written, answer in OF_CLAIMS),
        ("{'a': 1}[x]", IN_PYTHON),
        ("x in 'aeiou'", IN_PYTHON),
    ],
)
def test_what_no_expression_of_a_claim_has_is_answered_with_its_word(
    written: str, answer: str, tmp_path: Path
) -> None:
    """Truth, order, items, division: each names the word of claims that is meant."""
    file = tmp_path / "bad.py"
    imports = "from handcraft.sequence.words import *\nx = token_at(end)\n"
    file.write_text(START + imports + written)
    with pytest.raises(ProgramError) as caught:
        load_program(file)
    line = START.count("\n") + 3
    outer, _, inner = answer.partition("claim: ")
    path = "bad > claim: " + inner if inner else "bad: " + outer
    assert str(caught.value) == f"{path} ({file}:{line})"


def test_what_is_written_instead_computes_the_same() -> None:
    """Python's own &, |, ~, ^, abs, round, << and >> on numbers, and the words that are named."""
    for a, b in product((0, 1), repeat=2):
        x, y = number(a), number(b)
        assert (x * y)("c") == a & b
        assert (cases((x, 1), y))("c") == a | b
        assert equal(x, 0)("c") == 1 - a
        assert (1 - equal(x, y))("c") == a ^ b
    for a in range(-9, 10):
        x = number(a)
        assert max_(x, 0 - x)("c") == abs(a)
        assert round_(ratio(x, 3))("c") == round(a / 3)
        assert (x * 2)("c") == a << 1
        assert (x // 2)("c") == a >> 1


def number(value: int) -> Expression:
    """An expression with this value on a text of one token."""
    return here + value


@pytest.mark.parametrize("name", OF_HANDCRAFT)
def test_what_handcraft_does_with_a_program_is_named(name: str) -> None:
    """A program has no method for it, and handcraft has the function."""
    program = Program(embedding=(position(2), token("ab")))
    assert callable(getattr(handcraft, name))
    with pytest.raises(ProgramError) as caught:
        getattr(program, name)
    says = f"Program: there is no {name!r}; write handcraft.{name}(program)"
    assert str(caught.value).startswith(says)


def test_what_a_model_has_is_named() -> None:
    """What a program lacks and its model has is known, and built first."""
    program = Program(embedding=(position(2), token("ab")))
    model = program.build()
    for name in {*OF_MODELS} - {"answers", "run"}:
        assert hasattr(model, name), name
        assert not hasattr(program, name), name


def test_no_answer_is_machinery() -> None:
    """None of them names a class that no author knows, or another library."""
    assert len(MISTAKES) > 100
    for _, answer in MISTAKES:
        assert not any(word in answer for word in JARGON), answer
