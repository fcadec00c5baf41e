"""The parent's side of rendering: start the child, wait a bounded time, read a bounded answer.

The file travels through memory only, and the child gets an empty environment: no key and no address
of ours is within its reach.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from portal.documents.kinds import Limits
from portal.documents.render import FRAME, OUTPUT_BYTES, STATUS

#: Wall-clock seconds after which the child is killed; its own limit is 10 s of processor.
WAIT_SECONDS = 15
_ROOT = Path(__file__).resolve().parents[2]
_REASON = {status: reason for reason, status in STATUS.items()}


class Unreadable(Exception):
    """A file that cannot be made into pages. `reason` is one of kinds.UNREADABLE_REASONS."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class RenderedPage:
    """One page of pixels: a JPEG without metadata, and its size."""

    width: int
    height: int
    jpeg: bytes


def render(data: bytes, media_type: str, *, limits: Limits) -> tuple[RenderedPage, ...]:
    """The file's pages, made in a child process. Raises Unreadable; the caller's memory stays flat."""
    answer = in_child("portal.documents.render", media_type, str(limits.pages), str(limits.pixels), data=data)
    pages = tuple(_frames(answer))
    if not 0 < len(pages) <= limits.pages:
        raise Unreadable("damaged")
    return pages


def in_child(module: str, *arguments: str, data: bytes) -> bytes:
    """What `module` of ours, run as a child, writes about `data`. Raises Unreadable."""
    with _in_memory("file", data) as source, _in_memory("answer") as target:
        status = _run([sys.executable, "-m", module, *arguments], source, target)
        if status != 0:
            raise Unreadable(_REASON.get(status, "too_complex"))
        os.lseek(target, 0, os.SEEK_SET)
        return os.read(target, OUTPUT_BYTES)


def _run(command: list[str], source: int, target: int) -> int:
    child = subprocess.Popen(  # noqa: S603 - our own module, arguments of our own making
        command,
        stdin=source,
        stdout=target,
        stderr=subprocess.DEVNULL,
        cwd=_ROOT,
        env={"LANG": "C.UTF-8", "PATH": os.defpath},
    )
    try:
        return child.wait(timeout=WAIT_SECONDS)
    except subprocess.TimeoutExpired:
        return STATUS["too_complex"]
    finally:
        child.kill()
        child.wait()


@contextlib.contextmanager
def _in_memory(name: str, data: bytes = b"") -> Iterator[int]:
    """An anonymous file that never touches a disk, standing at its start."""
    handle = os.memfd_create(name)
    try:
        with os.fdopen(os.dup(handle), "wb") as file:
            file.write(data)
        os.lseek(handle, 0, os.SEEK_SET)
        yield handle
    finally:
        os.close(handle)


def _frames(answer: bytes) -> Iterator[RenderedPage]:
    """The pages of the child's answer; a child that was taken over can only send odd frames."""
    view, place = memoryview(answer), 0
    while place < len(view):
        if place + FRAME.size > len(view):
            raise Unreadable("damaged")
        width, height, length = FRAME.unpack_from(view, place)
        place += FRAME.size
        jpeg = bytes(view[place : place + length])
        if len(jpeg) != length or not jpeg.startswith(b"\xff\xd8\xff"):
            raise Unreadable("damaged")
        yield RenderedPage(width, height, jpeg)
        place += length
