"""The residual stream of the last position, stage by stage.

    stage        a block whose heads are needed at the last position only
    query class  last positions whose residual stream is the same as far as it still matters
    row          a query class together with the summaries of all stages so far: everything that
                 the stream of the last position depends on

Rules of this file: weights and summaries in, zonotopes out; it knows nothing of the claim.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.prover.graph import Summaries, classes
from handcraft.proof.prover.network import HeadPart, Network
from handcraft.proof.prover.positions import PositionStates
from handcraft.proof.prover.views import HeadQuery, Slots
from handcraft.proof.prover.zonotope import Zonotope

Row = tuple[int, Summaries]  # a query class, the summaries so far


class LastPosition:
    """The residual stream of the last position: the part of the prover that follows it."""

    network: Network
    position_states: PositionStates
    slots: Slots
    stages: list[int]  # the block of each stage
    streams: Zonotope  # [n_position_states, n_embd], at the first stage's input

    def _through(
        self,
        start: int,
        stop: int,
        x: Zonotope,
        position_states: Array,
        means: dict[tuple[int, int], Zonotope],
        *,
        shared: bool,
    ) -> Zonotope:
        """Return the stream at one block's input from that at another's, for last positions
        in these position states [n, n_embd].
        """
        for i in range(start, stop):
            seen = {
                head.name: self.position_states.mean(head.name)[position_states]
                for head in self.network.forward[i]
            }
            seen |= {
                head.name: means[head.name]
                for head in self.network.query_class[i]
            }
            x = self.network.after_attention(
                i, x, seen, shared=shared or "mlp" in self.network.blocks[i]
            )
            x = (
                self.network.after_mlp(i, x.with_generators())
                if "mlp" in self.network.blocks[i]
                else x
            )
        return x

    def _queries(
        self, stage: int, x: Zonotope, names: Array
    ) -> Iterator[tuple[list[HeadQuery], Array]]:
        """Yield the rows of a stage [n, n_embd] grouped by what its heads ask, with the
        head queries.
        """
        heads = self.network.query_class[self.stages[stage]]
        x = x.to_interval()
        asked = [
            self.network.precision.linear(x, *head.query) for head in heads
        ]
        keys = [
            b"".join(part[i].tobytes() for q in asked for part in (q.c, q.r))
            for i in range(len(x.c))
        ]
        for indices in classes(keys):
            yield (
                [
                    self.slots(h, q[indices[0]])
                    for h, q in zip(heads, asked, strict=True)
                ],
                names[indices],
            )

    def _stream(
        self, rows: Sequence[Row], slots: list[HeadQuery], stages: int
    ) -> Zonotope:  # -> [n_rows, n_embd]
        """Return the stream of each row after so many stages, at the next stage's input or
        at the end.
        """
        return self._after(*self._arrived(rows, slots, stages), stages)

    def _arrived(
        self, rows: Sequence[Row], slots: list[HeadQuery], stages: int
    ) -> tuple[Array, dict[tuple[int, int], Zonotope]]:
        """Return the query class of each row [n_rows], and for each head of so many stages
        its mean value [n_rows, n_value].
        """
        finals = np.array([query_class for query_class, _ in rows])
        heads: list[HeadPart] = [
            head
            for i in self.stages[:stages]
            for head in self.network.query_class[i]
        ]
        means = {}
        for k, (head, slot) in enumerate(zip(heads, slots, strict=True)):
            means[head.name] = Zonotope(
                *slot.means.means([summaries[k] for _, summaries in rows])
            )
        return finals, means

    def _after(
        self, finals: Array, means: dict[tuple[int, int], Zonotope], stages: int
    ) -> Zonotope:  # [n_rows] -> [n_rows, n_embd]
        """Return the stream after so many stages."""
        stop = (
            self.stages[stages]
            if stages < len(self.stages)
            else len(self.network.blocks)
        )
        first = self.stages[0] if self.stages else stop
        return self._through(
            first, stop, self.streams[finals], finals, means, shared=True
        )
