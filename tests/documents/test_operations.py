"""Rows of documents on both databases: limits under parallel uploads, first answers, who sees what."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from portal.audit import Actor, AuditEntry
from portal.documents import operations, queries
from portal.documents.kinds import Limits
from portal.documents.lifecycle import DOCUMENTS, DocumentAction, DocumentState
from portal.documents.media import Refused
from portal.documents.models import Document
from portal.documents.operations import NoSuchDocument, Original
from portal.states import NotAllowed
from tests import people
from tests.documents import corpus
from tests.documents.stage import NOW, Stage

pytestmark = pytest.mark.slow

MEI = Actor("staff", "7")


def together(count: int, act: Callable[[int], object]) -> list[object]:
    """`act` by `count` threads at once; answers or exceptions."""
    barrier, answers = threading.Barrier(count), [None] * count

    def run(number: int) -> None:
        barrier.wait()
        try:
            answers[number] = act(number)  # type: ignore[call-overload]
        except Exception as error:  # the outcome is what is tested
            answers[number] = error  # type: ignore[call-overload]

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers  # type: ignore[return-value]


def documents_in(stage: Stage) -> int:
    with stage.database.read() as connection:
        return connection.execute(select(func.count()).select_from(Document)).scalar_one()


def events(stage: Stage, subject: str) -> list[tuple[str, str, str]]:
    with stage.database.read() as connection:
        rows = connection.execute(
            select(AuditEntry.actor_kind, AuditEntry.actor_ref, AuditEntry.event)
            .where(AuditEntry.subject_ref == subject)
            .order_by(AuditEntry.id)
        )
        return [tuple(row) for row in rows]  # type: ignore[misc]


def test_fifty_parallel_uploads_keep_to_twenty_files(stage: Stage) -> None:
    picture = corpus.picture((8, 8))

    answers = together(50, lambda number: stage.receive(picture, key=f"k{number}"))

    refused = [answer for answer in answers if isinstance(answer, Refused)]
    assert [answer for answer in answers if not isinstance(answer, Refused | Original)] == []
    assert (len(answers) - len(refused), len(refused)) == (20, 30)
    assert {error.reason for error in refused} == {"case_full"}
    assert documents_in(stage) == 20


def test_parallel_uploads_keep_to_the_bytes_of_a_case(stage: Stage) -> None:
    limits, picture = Limits(case_bytes=1_000), corpus.picture((8, 8))

    answers = together(
        20, lambda number: stage.receive(picture, key=f"k{number}", limits=limits, size_bytes=300)
    )

    assert sum(isinstance(answer, Original) for answer in answers) == 3
    assert stage.allowance() == (3, 900)


def test_the_same_upload_key_gives_the_first_answer(stage: Stage) -> None:
    picture = corpus.picture((8, 8))

    answers = together(20, lambda number: stage.receive(picture, key="one"))

    assert len({answer.public_ref for answer in answers if isinstance(answer, Original)}) == 1
    assert all(isinstance(answer, Original) for answer in answers)
    assert documents_in(stage) == 1
    assert stage.allowance() == (1, len(picture))
    assert len(stage.objects()) == 1


def test_removing_gives_the_room_back_and_shreds_the_file(stage: Stage) -> None:
    original = stage.ready(name="私密.jpg")

    stage.remove(original)
    stage.remove(original)

    row = stage.row(original)
    assert (row.state, row.file_key_sealed) == (DocumentState.REMOVED, None)
    assert stage.keys.unseal("document.name", row.name_sealed) == ""
    assert stage.objects() == set()
    assert stage.allowance() == (0, 0)
    with stage.database.read() as connection:
        assert queries.documents_for(connection, stage.keys, stage.lin) == ()


def test_an_unreadable_file_gives_its_bytes_back_at_once_and_its_place_when_removed(stage: Stage) -> None:
    original = stage.ready(corpus.encrypted_pdf())

    assert stage.allowance() == (1, 0)
    stage.remove(original)
    assert stage.allowance() == (0, 0)


def test_what_was_sent_cannot_be_taken_back(stage: Stage) -> None:
    original = stage.ready()
    assert stage.send() == 1
    assert stage.send() == 0

    with pytest.raises(NotAllowed):
        stage.remove(original)

    assert stage.state(original) is DocumentState.READY


def test_sending_and_removing_at_once_end_in_one_of_both(stage: Stage) -> None:
    for number in range(6):
        original = stage.ready(corpus.picture((8 + number, 8)))
        together(2, lambda which, it=original: stage.remove(it) if which else stage.send())  # type: ignore[misc]

        row = stage.row(original)
        assert (row.sent_at is None) == (row.state == DocumentState.REMOVED)


def test_a_file_that_cannot_be_read_is_not_sent(stage: Stage) -> None:
    stage.ready(corpus.encrypted_pdf())

    assert stage.send() == 0


def test_papers_about_health_need_the_separate_consent_once(stage: Stage) -> None:
    with pytest.raises(Refused) as refused:
        stage.receive(corpus.picture(), kind="medical")
    stage.receive(corpus.picture(), kind="medical", consents=True)
    stage.receive(corpus.picture((9, 9)), kind="bereavement")

    assert refused.value.reason == "consent"
    assert documents_in(stage) == 2


def test_a_strangers_file_is_not_there(stage: Stage) -> None:
    original = stage.ready()
    zhao = stage.database.write(lambda session: people.zhao(session, stage.keys))
    mine = {"public_ref": original.public_ref, "number": 1}

    with stage.database.read() as connection:
        assert queries.documents_for(connection, stage.keys, zhao) == ()
        assert operations.page_for_borrower(connection, borrower_id=stage.lin, **mine)  # type: ignore[arg-type]
        with pytest.raises(NoSuchDocument):
            operations.page_for_borrower(connection, borrower_id=zhao, **mine)  # type: ignore[arg-type]
    with pytest.raises(NoSuchDocument):
        stage.database.write(
            lambda session: operations.remove(
                session, keys=stage.keys, borrower_id=zhao, public_ref=original.public_ref, now=NOW
            )
        )
    assert stage.state(original) is DocumentState.READY


def open_as_reviewer(stage: Stage, original: Original, number: int = 1) -> bytes:
    sealed = stage.database.write(
        lambda session: operations.page_for_reviewer(
            session, public_ref=original.public_ref, number=number, actor=MEI, now=NOW
        )
    )
    return operations.open_page(stage.storage, stage.keys, sealed)


def test_a_reviewer_opens_a_rendered_page_and_that_is_written_down(stage: Stage) -> None:
    original = stage.ready()
    stage.send()

    jpeg = open_as_reviewer(stage, original)

    assert jpeg.startswith(b"\xff\xd8\xff")
    assert jpeg != corpus.picture()
    assert events(stage, original.public_ref)[-1] == ("staff", "7", "document.page_opened")


def test_a_reviewer_sees_nothing_that_is_unsent_unread_or_absent(stage: Stage) -> None:
    draft = stage.ready()
    with pytest.raises(NoSuchDocument):
        open_as_reviewer(stage, draft)
    waiting = stage.receive(corpus.picture((9, 9)))
    unreadable = stage.ready(corpus.encrypted_pdf())
    stage.send()

    for original, number in ((waiting, 1), (unreadable, 1), (draft, 0), (draft, 2)):
        with pytest.raises(NoSuchDocument):
            open_as_reviewer(stage, original, number)
    assert not [event for event in events(stage, draft.public_ref) if event[2] == "document.page_opened"]


def test_pages_of_a_file_that_is_not_clean_are_not_served_even_if_they_lie_there(stage: Stage) -> None:
    original = stage.ready()
    stage.send()
    stage.database.write(
        lambda session: session.execute(update(Document).values(state=DocumentState.UNREADABLE))
    )

    with pytest.raises(NoSuchDocument):
        open_as_reviewer(stage, original)


def judge(stage: Stage, original: Original, reason: str | None) -> None:
    def unit(session: object) -> None:
        common = {"public_ref": original.public_ref, "actor": MEI, "now": NOW}
        if reason is None:
            operations.accept(session, **common)  # type: ignore[arg-type]
        else:
            operations.mark_unsuitable(session, reason=reason, **common)  # type: ignore[arg-type]

    stage.database.write(unit)


def test_a_reviewer_accepts_or_marks_unsuitable_with_a_reason(stage: Stage) -> None:
    original = stage.ready()
    with pytest.raises(NoSuchDocument):
        judge(stage, original, None)
    stage.send()

    judge(stage, original, "illegible")
    assert (stage.state(original), stage.row(original).reason) == (DocumentState.UNSUITABLE, "illegible")
    judge(stage, original, None)
    assert (stage.state(original), stage.row(original).reason) == (DocumentState.ACCEPTED, None)
    with pytest.raises(NotAllowed):
        judge(stage, original, None)
    with pytest.raises(ValueError, match="unknown reason"):
        judge(stage, original, "ugly")
    assert [event for _, _, event in events(stage, original.public_ref)][-2:] == [
        "document.unsuitable",
        "document.accepted",
    ]


def test_of_two_reviewers_accepting_at_once_one_does(stage: Stage) -> None:
    original = stage.ready()
    stage.send()

    answers = together(2, lambda number: judge(stage, original, None))

    assert sorted(type(answer).__name__ for answer in answers) == ["NoneType", "NotAllowed"]


def test_one_worker_checks_a_file_and_a_dead_ones_lease_runs_out(stage: Stage) -> None:
    original = stage.receive(corpus.picture())

    def claim(real_now: object) -> operations.Claim | None:
        return stage.database.write(
            lambda session: operations.claim(
                session,
                document_id=original.document_id,
                real_now=real_now,  # type: ignore[arg-type]
            )
        )

    first = together(8, lambda number: claim(NOW + timedelta(microseconds=number)))
    leases = [lease for lease in first if isinstance(lease, operations.Claim)]
    late = claim(NOW + timedelta(minutes=3))

    assert len(leases) == 1
    assert late is not None
    finish = {"pages": (), "now": NOW}
    assert not stage.database.write(
        lambda session: operations.finish_ready(session, lease=leases[0], **finish)  # type: ignore[arg-type]
    )
    assert stage.database.write(
        lambda session: operations.finish_ready(session, lease=late, **finish)  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("state", list(DocumentState))
@pytest.mark.parametrize("action", list(DocumentAction))
def test_only_listed_moves_exist(state: DocumentState, action: DocumentAction) -> None:
    if DOCUMENTS.allows(state, action):
        assert DOCUMENTS.after(state, action) in DocumentState
    else:
        with pytest.raises(NotAllowed):
            DOCUMENTS.after(state, action)
