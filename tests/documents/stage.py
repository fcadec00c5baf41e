"""Lin's draft and the steps of an upload, for tests over a database."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select

from portal.db import Database
from portal.documents import checking, operations
from portal.documents.kinds import DEFAULT_LIMITS, Limits
from portal.documents.lifecycle import DocumentState
from portal.documents.media import media_type_of
from portal.documents.models import Document, DocumentAllowance
from portal.documents.operations import Original, Upload
from portal.gateways.storage import FolderStorage
from portal.hardship import operations as hardship
from portal.keys import Keys
from tests import people
from tests.documents import corpus

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)


class Stage:
    """One borrower with a draft, and the store beside the database."""

    def __init__(self, database: Database, keys: Keys, folder: Path) -> None:
        self.database, self.keys = database, keys
        self.storage = FolderStorage(folder / "documents")
        self.lin = database.write(lambda session: people.lin(session, keys))
        self.report = database.write(
            lambda session: hardship.draft_id(session, borrower_id=self.lin, now=NOW)
        )

    def receive(
        self,
        data: bytes,
        *,
        key: str | None = None,
        kind: str = "income_proof",
        consents: bool = False,
        limits: Limits = DEFAULT_LIMITS,
        name: str = "slip.jpg",
        size_bytes: int | None = None,
    ) -> Original:
        """Take a file in without checking it."""
        digest = hashlib.sha256(data).hexdigest()
        size = len(data) if size_bytes is None else size_bytes
        upload = Upload(key or digest, kind, name, media_type_of(data), size, digest)
        original = self.database.write(
            lambda session: hardship.add_document(
                session,
                keys=self.keys,
                borrower_id=self.lin,
                upload=upload,
                consents=consents,
                limits=limits,
                now=NOW,
            )
        )
        checking.keep_original(self.storage, self.keys, original, data)
        return original

    def check(self, original: Original, *, real_now: datetime = NOW) -> None:
        """Render it."""
        checking.check_one(
            self.database,
            self.storage,
            self.keys,
            document_id=original.document_id,
            limits=DEFAULT_LIMITS,
            now=NOW,
            real_now=real_now,
        )

    def ready(self, data: bytes | None = None, **options: str) -> Original:
        """A file that is rendered."""
        original = self.receive(corpus.picture() if data is None else data, **options)  # type: ignore[arg-type]
        self.check(original)
        return original

    def remove(self, original: Original) -> None:
        """Take it back."""
        objects = self.database.write(
            lambda session: operations.remove(
                session, keys=self.keys, borrower_id=self.lin, public_ref=original.public_ref, now=NOW
            )
        )
        checking.delete_objects(self.storage, objects)

    def send(self) -> int:
        """Hand the files over."""
        return self.database.write(
            lambda session: operations.send(session, borrower_id=self.lin, report_id=self.report, now=NOW)
        )

    def row(self, original: Original) -> Document:
        """The row as it stands."""
        found = self.database.write(lambda session: session.get(Document, original.document_id))
        assert found is not None
        return found

    def state(self, original: Original) -> DocumentState:
        """Where the file stands."""
        return DocumentState(self.row(original).state)

    def allowance(self) -> tuple[int, int]:
        """How many files and bytes the case holds."""
        held = select(DocumentAllowance.files, DocumentAllowance.bytes).where(
            DocumentAllowance.report_id == self.report
        )
        with self.database.read() as connection:
            files, size = connection.execute(held).one()
        return files, size

    def objects(self) -> set[str]:
        """What lies in the store."""
        return {path.name for path in self.storage.root.rglob("*") if path.is_file()}
