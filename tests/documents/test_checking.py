"""From bytes to pages: what lies in the store, what the rows say, and that the two agree (H3, H4)."""

from __future__ import annotations

import os
import time
from datetime import timedelta

import pytest

from portal.documents import checking, queries, sealing
from portal.documents.kinds import DEFAULT_LIMITS
from portal.documents.lifecycle import DocumentState
from portal.keys import Keys, Unsealable
from tests.documents import corpus
from tests.documents.stage import NOW, Stage


def known(stage: Stage) -> set[str]:
    with stage.database.read() as connection:
        return queries.storage_keys(connection)


def test_a_good_file_is_kept_sealed_with_its_pages(stage: Stage) -> None:
    data = corpus.pdf(3)
    original = stage.ready(data)

    with stage.database.read() as connection:
        (view,) = queries.documents_for(connection, stage.keys, stage.lin)
    assert (view.state, view.page_count, len(view.pages)) == (DocumentState.READY, 3, 3)
    assert stage.objects() == known(stage)
    assert len(stage.objects()) == 4
    for key in stage.objects():
        sealed = stage.storage.get(key)
        assert not sealed.startswith((b"%PDF", b"\xff\xd8"))
        assert b"PDF" not in sealed[:64]
    kept = sealing.unseal(
        stage.keys, original.file_key_sealed, original.storage_key, stage.storage.get(original.storage_key)
    )
    assert kept == data


def test_a_file_opens_only_under_its_own_name_and_key(stage: Stage) -> None:
    one, two = stage.ready(), stage.ready(corpus.picture((9, 9)))
    sealed = stage.storage.get(one.storage_key)

    with pytest.raises(Unsealable):
        sealing.unseal(stage.keys, one.file_key_sealed, two.storage_key, sealed)
    with pytest.raises(Unsealable):
        sealing.unseal(stage.keys, two.file_key_sealed, one.storage_key, sealed)
    other = Keys(pepper=stage.keys.pepper, master=bytes(reversed(stage.keys.master)))
    with pytest.raises(Unsealable):
        sealing.unseal(other, one.file_key_sealed, one.storage_key, sealed)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (corpus.encrypted_pdf(), "encrypted"),
        (corpus.image_bomb(), "too_many_pixels"),
        (corpus.picture((800, 600))[:3000], "damaged"),
    ],
)
def test_a_bad_file_says_why_and_is_not_kept(stage: Stage, data: bytes, reason: str) -> None:
    original = stage.ready(data)

    assert (stage.state(original), stage.row(original).reason) == (DocumentState.UNREADABLE, reason)
    assert stage.objects() == set()
    assert stage.row(original).file_key_sealed is None


def test_a_file_whose_bytes_never_arrived_is_asked_for_again(stage: Stage) -> None:
    original = stage.receive(corpus.picture())
    stage.storage.delete(original.storage_key)

    stage.check(original)

    assert stage.row(original).reason == "lost"


def test_a_file_removed_while_it_was_checked_leaves_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = stage.receive(corpus.picture())
    real = checking.render

    def removed_meanwhile(*arguments: object, **options: object) -> object:
        pages = real(*arguments, **options)  # type: ignore[arg-type]
        stage.remove(original)
        return pages

    monkeypatch.setattr(checking, "render", removed_meanwhile)
    stage.check(original)

    assert stage.state(original) is DocumentState.REMOVED
    assert stage.objects() == set()


def test_files_left_behind_are_checked_later(stage: Stage) -> None:
    waiting = stage.receive(corpus.picture())
    died = stage.receive(corpus.picture((9, 9)))
    stage.database.write(
        lambda session: checking.operations.claim(session, document_id=died.document_id, real_now=NOW)
    )

    def check(real_now: object) -> int:
        return checking.check_waiting(
            stage.database,
            stage.storage,
            stage.keys,
            limits=DEFAULT_LIMITS,
            now=NOW,
            real_now=real_now,  # type: ignore[arg-type]
        )

    assert check(NOW) == 1
    assert (stage.state(waiting), stage.state(died)) == (DocumentState.READY, DocumentState.CHECKING)
    assert check(NOW + timedelta(minutes=3)) == 1
    assert stage.state(died) is DocumentState.READY


def test_with_every_child_busy_the_file_waits(stage: Stage) -> None:
    original = stage.receive(corpus.picture())
    for _ in range(checking.CHILDREN):
        assert checking._turns.acquire(timeout=1)
    began = time.monotonic()
    try:
        checking.check_one(
            stage.database,
            stage.storage,
            stage.keys,
            document_id=original.document_id,
            limits=DEFAULT_LIMITS,
            now=NOW,
            real_now=NOW,
        )
    finally:
        for _ in range(checking.CHILDREN):
            checking._turns.release()

    assert stage.state(original) is DocumentState.RECEIVED
    assert time.monotonic() - began < 1, "the thread is needed for everybody else"


def test_objects_no_row_names_are_swept_after_an_hour(stage: Stage) -> None:
    stage.ready()
    kept = stage.objects()
    stage.storage.put("a" * 64, b"orphan")
    stage.storage.put("b" * 64, b"on its way")
    for path in stage.storage.root.rglob("*"):
        if path.is_file() and path.name != "b" * 64:
            os.utime(path, (0, 0))

    assert checking.sweep(stage.database, stage.storage) == 1
    assert stage.objects() == kept | {"b" * 64}
