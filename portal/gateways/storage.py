"""Where encrypted files lie: objects under random names, written once, read and deleted.

What comes in is already encrypted (portal/documents/sealing.py); no key, person or type is known here.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from portal.settings import Settings

_KEY = re.compile(r"[0-9a-f]{64}")
_PART = ".part"


class AlreadyStored(Exception):
    """An object of that name exists; objects are never overwritten."""


class NotStored(Exception):
    """No object of that name."""


class Storage(Protocol):
    """A store of opaque objects. Keys come from `new_key`."""

    def put(self, key: str, data: bytes) -> None:
        """Keep `data` under `key` for good before returning. Raises AlreadyStored."""

    def get(self, key: str) -> bytes:
        """What was put. Raises NotStored."""

    def delete(self, key: str) -> None:
        """Remove it; one that is not there is no error."""

    def keys_older_than(self, seconds: float) -> Iterator[str]:
        """The names of objects put longer ago than that, for the sweeper of orphans."""


def new_key() -> str:
    """A name nobody can guess: 256 random bits as 64 hex digits."""
    return secrets.token_hex(32)


def storage_for(settings: Settings) -> Storage:
    """The store these settings ask for: a folder under the data directory."""
    return FolderStorage(settings.data_dir / "documents")


class FolderStorage:
    """A folder of files, readable by the portal's own user only; two levels deep."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, key: str, data: bytes) -> None:
        """Write beside, sync, then link: the name appears with the whole content or not at all."""
        target = self._path(key)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = target.with_name(f"{key}.{secrets.token_hex(8)}{_PART}")
        try:
            _write_synced(beside, data)
            os.link(beside, target)
        except FileExistsError:
            raise AlreadyStored(key) from None
        finally:
            beside.unlink(missing_ok=True)
        _sync_folder(target.parent)

    def get(self, key: str) -> bytes:
        """The object's bytes. Raises NotStored."""
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError:
            raise NotStored(key) from None

    def delete(self, key: str) -> None:
        """Remove the object, if it is there."""
        self._path(key).unlink(missing_ok=True)

    def keys_older_than(self, seconds: float) -> Iterator[str]:
        """Names of objects older than that; half-written files of that age are removed on the way."""
        before = time.time() - seconds
        for path in self.root.glob("*/*"):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime >= before:
                    continue
                if path.name.endswith(_PART):
                    path.unlink(missing_ok=True)
                elif _KEY.fullmatch(path.name):
                    yield path.name

    def _path(self, key: str) -> Path:
        if _KEY.fullmatch(key) is None:
            raise ValueError("a storage key is 64 hex digits")
        return self.root / key[:2] / key


def _write_synced(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
