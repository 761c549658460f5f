"""The language of claims: words, the expressions that they build, and their values.

    from handcraft.sequence import *

brings every word of handcraft.sequence.words, and no name of Python's own.
"""

from handcraft.sequence.words import *  # noqa: F403  # its words are this room's
from handcraft.sequence.words import __all__ as __all__
