"""Draws what a program is and does: pictures as SVG, and the small pages that notebooks show.

    svg.py        elements, texts and colours, and how drawings stand beside each other
    grid.py       a table of numbers with names on both sides: every matrix, attention, the stream
    matrices.py   `explain`: the matrices with the rule of each cell
    passes.py     `trace`: attention, the residual stream, the logits
    wiring.py     `circuit` as data: which slot, head and neuron feeds which
    layers.py     boxes in columns, so that lines cross little
    circuits.py   the same as a drawing; circuit_files.py as .svg, .dot, .mmd and .json
    states_svg.py `states`: the Markov chain; states_files.py as .svg, .dot, .mmd and .json
    endings.py    which file a picture is written to
    drawn.py      a trace that shows itself in notebooks
    notebooks.py  the pages of `_repr_html_`: static HTML, of a bounded size, without a script

Rules of this package: the same input gives the same bytes; nothing is fetched from anywhere and
nothing runs; every text of a program passes `printable` and is escaped; no sign and no kind is
shown by a colour alone; every colour is an attribute, so that a picture can be read where a
renderer knows no style sheet, and a style sheet turns it dark where the reader wants that.
"""
