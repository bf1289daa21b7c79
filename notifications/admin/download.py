"""Download: a file that somebody has begun to read, one at a time for each person and web process.

However slowly it is read, a thread of the process is held meanwhile, so that a few impatient clicks
would leave none for any other page. The threads are this process's own, and so is what is kept here
about them: it ends with the process, and a lock of the database would have to outlive each
transaction, which no transaction pooler allows.
"""

from __future__ import annotations

import threading
from weakref import WeakValueDictionary


class Download:
    """Lasts until it is ended, or until nobody has it any more: an answer that a middleware threw
    away is closed by nobody."""

    def __init__(self, by: str) -> None:
        self._by = by

    def end(self) -> None:
        with _lock:
            if _under_way.get(self._by) is self:
                del _under_way[self._by]


_under_way: WeakValueDictionary[str, Download] = WeakValueDictionary()
_lock = threading.Lock()


def begin(*, by: str) -> Download | None:
    """None: theirs before is still read. by: a user's name."""
    with _lock:
        if by in _under_way:
            return None
        download = _under_way[by] = Download(by)
        return download
