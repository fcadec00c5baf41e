"""The picture of a report: opened in a limited child process, kept as a JPEG of our own making."""

from __future__ import annotations

import threading

from portal.documents.kinds import Limits
from portal.documents.media import picture_type_of
from portal.documents.rendering import render

#: One child at once; who finds none free is asked to send the words, or to try again.
WAIT_SECONDS = 3.0
_turn = threading.BoundedSemaphore(1)


class Busy(Exception):
    """No child is free just now."""


def plain_picture(data: bytes, *, limits: Limits) -> bytes:
    """The picture's pixels and nothing else of it. Raises media.Refused, rendering.Unreadable, Busy."""
    media_type = picture_type_of(data)
    if not _turn.acquire(timeout=WAIT_SECONDS):
        raise Busy
    try:
        return render(data, media_type, limits=limits)[0].jpeg
    finally:
        _turn.release()
