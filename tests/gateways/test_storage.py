"""The store of encrypted objects: written once, whole or not at all, under names nobody can steer."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from portal.gateways.storage import AlreadyStored, FolderStorage, NotStored, new_key


@pytest.fixture
def storage(tmp_path: Path) -> FolderStorage:
    return FolderStorage(tmp_path / "documents")


def files(storage: FolderStorage) -> list[Path]:
    return [path for path in storage.root.rglob("*") if path.is_file()]


def test_what_was_put_comes_back_until_it_is_deleted(storage: FolderStorage) -> None:
    key = new_key()
    storage.put(key, b"sealed")

    assert storage.get(key) == b"sealed"
    storage.delete(key)
    storage.delete(key)
    with pytest.raises(NotStored):
        storage.get(key)
    assert files(storage) == []


def test_an_object_is_never_overwritten(storage: FolderStorage) -> None:
    key = new_key()
    storage.put(key, b"first")

    with pytest.raises(AlreadyStored):
        storage.put(key, b"second")

    assert storage.get(key) == b"first"
    assert len(files(storage)) == 1


def test_of_twenty_writers_of_one_name_one_wins(storage: FolderStorage) -> None:
    key, barrier, outcomes = new_key(), threading.Barrier(20), []

    def write(number: int) -> None:
        barrier.wait()
        try:
            storage.put(key, bytes([number]) * 1000)
            outcomes.append(number)
        except AlreadyStored:
            pass

    threads = [threading.Thread(target=write, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(outcomes) == 1
    assert storage.get(key) == bytes(outcomes) * 1000
    assert len(files(storage)) == 1


@pytest.mark.parametrize("key", ["", "../x", "a" * 63, "A" * 64, "/" + "a" * 63, "a" * 65, "a" * 63 + "\n"])
def test_only_keys_of_ours_name_objects(storage: FolderStorage, key: str) -> None:
    for attempt in (lambda: storage.put(key, b"x"), lambda: storage.get(key), lambda: storage.delete(key)):
        with pytest.raises(ValueError, match="64 hex"):
            attempt()


def test_only_the_portals_user_reads_the_files(storage: FolderStorage) -> None:
    storage.put(new_key(), b"x")

    (path,) = files(storage)
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


def test_old_objects_are_named_and_old_halves_swept(storage: FolderStorage) -> None:
    old, young = new_key(), new_key()
    storage.put(old, b"x")
    storage.put(young, b"x")
    half = storage._path(old).with_name(f"{old}.00.part")
    half.write_bytes(b"ha")
    for path in (storage._path(old), half):
        os.utime(path, (0, 0))

    assert list(storage.keys_older_than(3600)) == [old]
    assert not half.exists()


def test_keys_are_random() -> None:
    assert len({new_key() for _ in range(1000)}) == 1000
