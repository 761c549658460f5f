"""Says of the parts of a rule where their value is looked at, and what needs them.

    looked_at(root)        the nodes that are asked at the query itself
    read_elsewhere(root)   those that are asked at other positions too
    needed(root)           those without whose value the root has none, wherever it is looked at
    place_fetched(node)         the position that a fetch names

Rules of this file: what is not sure is not said.
"""

from __future__ import annotations

from collections.abc import Iterator

from handcraft.lowering.reading.bases import bases_of
from handcraft.lowering.reading.nodes import Node
from handcraft.sequence.operations import branches_of


def is_of_key(node: Node) -> bool:
    """True if nothing in a node is read at the query."""
    return all(x.op == "there" for x in bases_of(node))


def scoped(bases: tuple[Node, ...]) -> list[Node]:
    """Those that the place alone decides: the position, and the end of the prompt."""
    return [x for x in bases if x.op in ("index", "end")]


def place_fetched(node: Node) -> Node | None:
    """The position that a fetch names."""
    part = node.condition
    if node.data != "fetch" or part.op != "equal":
        return None
    for key, query in (part.args, part.args[::-1]):
        is_key = key.op == "there" and key.args[0].op == "index"
        if is_key and all(x.op != "there" for x in bases_of(query)):
            return query
    return None


def holds_behind(part: Node) -> bool:
    """True for a condition that a key is not behind the query, which always holds."""
    if part.op != "negate" or part.args[0].op != "below":
        return False
    query, key = part.args[0].args
    return (
        query.op == "index" and key.op == "there" and key.args[0].op == "index"
    )


def is_earlier(part: Node) -> bool:
    """True for there(indices) < indices, which says the same of all positions moved by one."""
    if part.op != "below":
        return False
    key, query = part.args
    return (
        query.op == "index" and key.op == "there" and key.args[0].op == "index"
    )


def parts_below(node: Node) -> Iterator[Node]:
    """A node and all that it is made of, each once."""
    known, waiting = set[int](), [node]
    while waiting:
        part = waiting.pop()
        if id(part) not in known:
            known.add(id(part))
            yield part
            waiting.extend(part.args)


def looked_at(root: Node) -> Iterator[Node]:
    """The nodes whose value is asked at the query itself."""
    known, waiting = set[int](), [root]
    while waiting:
        part = waiting.pop()
        if id(part) in known or part.op == "there":
            continue
        known.add(id(part))
        yield part
        waiting.extend(_parts_at_query(part))


def _parts_at_query(node: Node) -> tuple[Node, ...]:
    """The parts of a node, but for what a selection reads at its keys."""
    if node.op != "select":
        return node.args
    default = () if node.default is None else (node.default,)
    return (node.condition, *default)


def read_elsewhere(root: Node) -> Iterator[Node]:
    """The nodes whose value is asked at other positions too."""
    for node in parts_below(root):
        if node.op == "there":
            yield from parts_below(node.args[0])
        if node.op == "select":
            yield from parts_below(node.value)


def needed(root: Node) -> set[int]:
    """The nodes without whose value the root has none, wherever that value is looked at.

    What only one branch of a choice needs may be undefined where another is taken; so it must
    not stand in a condition too, or in the first part of an `otherwise`.
    """
    sure, maybe, loose = set[int](), set[int](), set[int]()
    waiting = [(root, True)]
    while waiting:
        part, certain = waiting.pop()
        if id(part) in (sure if certain else sure | maybe):
            continue
        (sure if certain else maybe).add(id(part))
        strict, chosen, rest = _ways(part)
        waiting += [(x, certain) for x in strict]
        waiting += [(x, False) for x in chosen]
        for x in rest:
            loose |= {id(y) for y in looked_at(x)}
    return sure | (maybe - loose)


def _ways(node: Node) -> tuple[list[Node], list[Node], list[Node]]:
    """The nodes that a node needs, those that it chooses, and what else it looks at."""
    if node.op == "cases":
        pairs, default = branches_of(node.args)
        values = [then for _, then in pairs]
        values += [] if default is None else [default]
        return [], values, [when for when, _ in pairs]
    if node.op == "otherwise":
        return [], [node.args[1]], [node.args[0]]
    if node.op in ("both", "either", "negate", "there"):
        return [], [], [*node.args]
    if node.op == "select":
        place = place_fetched(node)
        if place is not None and node.default is None:
            return [place], [], []
        return [], [], [*_parts_at_query(node)]
    return [*node.args], [], []
