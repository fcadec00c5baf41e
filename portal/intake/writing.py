"""Writing a checked batch: whole files from the staging tables, inside the caller's transaction.

People and contracts are brought up to date; ledger lines are only added. Every loan moves to the
business date.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import audit
from portal.accounts.balance import COMPONENTS
from portal.accounts.operations import rebalance
from portal.accounts.reconcile_core import give_way, park_overpaid
from portal.bank_files.manifest import Manifest
from portal.bank_files.mapping import Mapping as BankMapping
from portal.contacts.log import Rules
from portal.contacts.models import Hold
from portal.contacts.queries import rests_all
from portal.intake import contact_writing, merges, transfer_writing
from portal.intake.models import IntakeBatch
from portal.keys import Keys
from portal.notices.operations import sync_faces
from portal.payments.counter import count_postings
from portal.reconciliation.posted_back import posted_back
from portal.staging.checks import Checked, Progress
from portal.staging.stage import Stage
from portal.staging.sums import JOINS, line_count, sum_of
from portal.visits.changes import refuse_unwanted
from portal.visits.models import Visit
from portal.visits.notice_days import cancel_short
from portal.visits.operations import cancel_visits, pause_visits

#: Loans that the portal posted to, worked on with one statement.
CHUNK = 1000

#: Who acts, in the record, when a batch is taken in.
OPERATOR = audit.Actor("operator", "intake")


class BatchWriter:
    """Writes one staged batch through one session, whose connection is the stage's."""

    def __init__(
        self,
        session: Session,
        *,
        stage: Stage,
        batch_id: int,
        manifest: Manifest,
        mapping: BankMapping,
        checked: Checked,
        keys: Keys,
        now: datetime,
        progress: Progress,
        rules: Rules,
    ) -> None:
        self.session, self.stage, self.batch_id = session, stage, batch_id
        self.manifest, self.mapping, self.checked, self.keys = manifest, mapping, checked, keys
        self.now, self.progress, self.rules = now, progress, rules

    def write(self) -> None:
        """All files of the batch, then the balances of every loan as of the business date."""
        for kind, writer in WRITERS:
            listed = self.manifest.files.get(kind)
            if listed is not None:
                name = f"apply {self.mapping.files[kind].file}"
                self.progress(name, 0, listed.rows)
                writer(self)
                self.progress(name, listed.rows, listed.rows)
        self._rest_where_held()
        self._balances()
        self._plans()

    @property
    def instant(self) -> Any:
        """This batch's instant as the database keeps it."""
        if self.stage.is_sqlite:
            return f"{self.now.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"
        return self.now

    def merge(self, how: merges.Merge) -> None:
        """Bring one table up to date."""
        how.run(self.stage, batch_id=self.batch_id, now=self.instant, sequence=self.manifest.sequence)

    def _loans(self) -> None:
        self.merge(merges.loans(self.mapping.files["loans"].header_of))

    def _ledger(self) -> None:
        """The new lines in the order of the file, reversals after what they undo."""
        amounts = {
            **{f"{name}_minor": f"s.{name}" for name in COMPONENTS},
            "cost_minor": "COALESCE(x.cost, s.cost)",
            "fee_minor": "COALESCE(x.fee, s.fee + s.open)",
        }
        values = {
            "created_at": "%(now)s",
            "loan_id": "l.id",
            "line_ref": "s.line_ref",
            "source": "'core'",
            "posted_on": "s.posted_on",
            "kind": "s.kind",
            **amounts,
            "suspense_minor": "0",
            "memo": "COALESCE(s.memo, '')",
            "external_ref": "COALESCE(s.external_ref, '')",
        }
        names = ", ".join((*values, "reverses_id"))
        source = f"""FROM {self.checked.lines} s JOIN loan l ON l.loan_ref = s.loan_ref
            LEFT JOIN in_split x ON x.line = s.line"""
        plain = (
            f"SELECT {', '.join(values.values())}, NULL {source} WHERE s.kind <> 'reversal' ORDER BY s.line"
        )
        undoing = f"""SELECT {", ".join(values.values())}, o.id {source}
            JOIN ledger_line o ON o.source = 'core' AND o.line_ref = s.reverses_ref
            WHERE s.kind = 'reversal' ORDER BY s.line"""
        for lines in (plain, undoing):
            self.stage.run(f"INSERT INTO ledger_line ({names}) {lines}", now=self.instant)

    def _notices(self) -> None:
        self.merge(merges.NOTICES)
        added = """
            FROM in_notice_loans s JOIN notice n ON n.notice_ref = s.notice_ref
            JOIN loan l ON l.loan_ref = s.loan_ref
            WHERE NOT EXISTS (SELECT 1 FROM notice_loan t WHERE t.notice_id = n.id AND t.loan_id = l.id)"""
        self.stage.run(
            f"""INSERT INTO intake_before (created_at, batch_id, table_name, row_id, content)
            SELECT %(now)s, %(batch)s, 'notice_loan', n.id, CAST(l.id AS text) {added}""",
            now=self.instant,
            batch=self.batch_id,
        )
        self.stage.run(f"INSERT INTO notice_loan (notice_id, loan_id) SELECT n.id, l.id {added}")
        sync_faces(self.session)

    def _rest_where_held(self) -> None:
        """A visit the bank announces to somebody whose contacts rest here does not stand: it is called off
        where collection has stopped, and paused where it pauses."""
        statement = (
            select(Hold.borrower_id, Hold.kind, Hold.reason)
            .join(Visit, Visit.borrower_id == Hold.borrower_id)
            .where(Visit.state == "planned", rests_all(self.now))
            .distinct()
            .order_by(Hold.borrower_id, Hold.kind.desc())
        )
        for borrower_id, kind, reason in self.session.execute(statement).all():
            move = cancel_visits if kind == "stop" else pause_visits
            move(self.session, borrower_id=borrower_id, reason=reason, actor=OPERATOR, now=self.now)
        refuse_unwanted(self.session, now=self.now)
        cancel_short(self.session, rules=self.rules, now=self.now)

    def _balances(self) -> None:
        """Every loan moves to the business date: an instalment can fall due without a line. Loans on which
        the portal posted lines of its own are worked out from all their lines; lines posted here that the
        bank has now posted itself give way first."""
        total = self.stage.value("SELECT count(*) FROM in_figures")
        self.progress("balances", 0, total)
        if not self.stage.is_sqlite:
            # whoever would post to a loan waits; pages go on reading
            self.stage.run("LOCK TABLE loan_balance IN EXCLUSIVE MODE")
        give_way(self.session, posted_back=posted_back(self.session), now=self.now)
        self.session.flush()
        self.stage.run("CREATE TEMPORARY TABLE in_portal (loan_id bigint PRIMARY KEY)")
        self.stage.run("""
            INSERT INTO in_portal SELECT DISTINCT g.loan_id FROM ledger_line g
            WHERE g.source = 'portal' AND EXISTS (SELECT 1 FROM loan_balance h WHERE h.loan_id = g.loan_id)""")
        self._set_figures()
        loan_ids = [
            loan_id for (loan_id,) in self.stage.all("SELECT loan_id FROM in_portal ORDER BY loan_id")
        ]
        label, day = str(self.manifest.sequence), self.manifest.business_date
        parts = [loan_ids[start : start + CHUNK] for start in range(0, len(loan_ids), CHUNK)]
        for part in parts:
            park_overpaid(self.session, loan_ids=part, posted_on=day, label=label, now=self.now)
        # only then: what is parked on one loan may come back from another
        for part in parts:
            rebalance(self.session, loan_ids=part, as_of=day, now=self.now)
        self.stage.run("DROP TABLE in_portal")
        self.progress("balances", total, total)

    def _plans(self) -> None:
        """What the core posted itself on loans under a plan in force counts for the plan."""
        marks = self.session.scalar(select(IntakeBatch.marks).where(IntakeBatch.id == self.batch_id))
        if marks:
            zone = ZoneInfo(self.mapping.forms.zone)
            count_postings(
                self.session,
                after_line_id=int(marks["ledger_line"]),
                day_of=lambda at: at.astimezone(zone).date(),
                now=self.now,
            )

    def _set_figures(self) -> None:
        """The balance row of every loan that the portal posted nothing to."""
        figures = {
            **{f"{name}_{what}_minor": sum_of(name, what) for name in COMPONENTS for what in _WHAT},
            "principal_due_minor": "b.principal_due",
            "due_now_minor": "b.due_now",
            "days_overdue": "b.days_overdue",
            "line_count": line_count(),
        }
        day = f"'{self.manifest.business_date.isoformat()}'"
        named = ", ".join(f"{value} AS {name}" for name, value in figures.items())
        source = f"FROM in_figures b {JOINS} WHERE hl.id NOT IN (SELECT loan_id FROM in_portal)"  # noqa: S608
        sets = ", ".join(f"{name} = q.{name}" for name in figures)
        differs = " OR ".join(f"t.{name} <> q.{name}" for name in figures)
        later = f"CASE WHEN t.as_of > {day} THEN t.as_of ELSE {day} END"
        self.stage.run(f"""
            UPDATE loan_balance AS t SET as_of = {later}, version = t.version + 1, {sets}
            FROM (SELECT hl.id AS loan_id, {named} {source} AND h.loan_id IS NOT NULL) AS q
            WHERE t.loan_id = q.loan_id AND (t.as_of < {day} OR {differs})""")  # noqa: S608
        self.stage.run(f"""
            INSERT INTO loan_balance (loan_id, as_of, version, suspense_minor, {", ".join(figures)})
            SELECT hl.id, {day}, 1, 0, {", ".join(figures.values())} {source} AND h.loan_id IS NULL""")


_WHAT = ("owed", "paid", "forgiven")

#: How each file is written, in this order.
WRITERS: Sequence[tuple[str, Callable[[BatchWriter], None]]] = (
    ("agencies", lambda batch: batch.merge(merges.AGENCIES)),
    ("officers", lambda batch: batch.merge(merges.OFFICERS)),
    ("customers", lambda batch: batch.merge(merges.CUSTOMERS)),
    ("loans", BatchWriter._loans),
    ("rate_changes", transfer_writing.rate_changes),
    ("ledger", BatchWriter._ledger),
    ("transfers", transfer_writing.transfers),
    ("notices", BatchWriter._notices),
    ("visits", contact_writing.visits),
    ("contacts", contact_writing.contacts),
)
