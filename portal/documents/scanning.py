"""What the QR codes in a stranger's picture say, read in a child process; nothing of the picture is kept."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass

from portal.documents.kinds import Limits
from portal.documents.media import picture_type_of
from portal.documents.rendering import Unreadable, in_child
from portal.documents.scan import MOST

#: Children at once in one server process; who finds none free waits a little, then is asked to type.
CHILDREN = 2
WAIT_SECONDS = 3.0
#: No QR code holds more.
LONGEST = 7089

_turns = threading.BoundedSemaphore(CHILDREN)
#: Of those children one at most looks at frames of a camera: whoever has a picture is never kept waiting by them.
_frames = threading.BoundedSemaphore(1)


@dataclass(frozen=True)
class Codes:
    """What the codes in a picture say, from top to bottom; `unread`: there seems to be one more."""

    texts: tuple[str, ...]
    unread: bool


class Busy(Exception):
    """No child is free just now."""


def codes_in(data: bytes, *, limits: Limits) -> Codes:
    """The codes in a JPEG, PNG, HEIC or WebP, each once.

    Raises media.Refused, Unreadable, Busy.
    """
    return _scanned(data, limits, WAIT_SECONDS)


def codes_in_frame(data: bytes, *, limits: Limits) -> Codes:
    """The codes in one frame of a live camera, looked for once and not harder: the next frame comes soon. Raises as
    `codes_in`; Busy at once where no child is free."""
    if not _frames.acquire(blocking=False):
        raise Busy
    try:
        return _scanned(data, limits, 0, "quick")
    finally:
        _frames.release()


def _scanned(data: bytes, limits: Limits, wait: float, *how: str) -> Codes:
    media_type = picture_type_of(data)
    if not _turns.acquire(timeout=wait):
        raise Busy
    try:
        answer = in_child("portal.documents.scan", media_type, str(limits.pixels), *how, data=data)
    finally:
        _turns.release()
    return _codes(answer)


def _codes(answer: bytes) -> Codes:
    """The child's answer; a child that was taken over can only send odd texts."""
    try:
        texts = json.loads(answer)
    except ValueError:
        raise Unreadable("damaged") from None
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise Unreadable("damaged")
    return Codes(tuple(text[:LONGEST] for text in texts[:MOST] if text), "" in texts)
