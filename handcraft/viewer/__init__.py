"""Makes one HTML file of a model: it runs the model in a browser, with nothing from any network.

    page.py       the HTML of one model, or of two side by side
    payload.py    a model as the page reads it: a header that is JSON, and bytes
    packing.py    numbers as bytes, deflated, as base64
    accepted.py   which texts the claim speaks about, as data
    parts/        what the page is made of: index.html, style.css and plain JavaScript modules

Rules of this package: text of a program never becomes markup; a page is a function of what is put
into it, byte for byte.
"""

from __future__ import annotations
