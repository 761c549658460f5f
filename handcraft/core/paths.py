"""Says what stands at a path, so that a FIFO or a device is never read, or replaced, as a file.

Rules of this file: it opens nothing.
"""

from __future__ import annotations

import errno
import stat
from pathlib import Path

FILE, DIRECTORY, VACANT = "a file", "a directory", ""
_KINDS = {
    stat.S_IFREG: FILE,
    stat.S_IFDIR: DIRECTORY,
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)


def kind_at(path: Path) -> str:
    """The kind of what stands at the path, behind its links; VACANT where there is nothing.

    Raises OSError where that cannot be seen, as in a folder that is closed to the user.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "a link to itself"
        if error.errno in _NOT_THERE:
            return VACANT
        raise
    except ValueError:  # a null character
        return VACANT
    return _KINDS.get(stat.S_IFMT(mode), "no file")
