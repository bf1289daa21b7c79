"""Shortages: the operating system refuses what a process, or its machine, has used up for now."""

from __future__ import annotations

import errno
import os

from notifications.exceptions import TransientError

_USED_UP = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC})
"""Files that may be open (the process's, the system's), memory, room on a disk. A template, a
locale or a module is read at its first use, and so meets it; another event, a moment later, not."""


def shortage(error: BaseException) -> TransientError | None:
    """What such an error is to us: worth trying again, as its event is not to blame. None for any
    other. The file's name is left out."""
    if not isinstance(error, OSError) or error.errno not in _USED_UP:
        return None
    return TransientError(os.strerror(error.errno), errno.errorcode[error.errno])
