"""One installation's outgoing side: its folders, its mapping, its cut-off, and the turns the worker takes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from pathlib import Path

import structlog

from portal.bank_files.mapping import load_mapping
from portal.installation import Installation
from portal.outgoing import operations, queries
from portal.outgoing.acknowledging import Answered, BadAnswer, apply_answer, read_answer
from portal.outgoing.making import BatchMade, Step, finish, make_batch
from portal.outgoing.mapping import outgoing_of

log = structlog.get_logger()


@dataclass(frozen=True)
class Station:
    """Where batches are put, where answers are found, and under which mapping."""

    portal: Installation
    folder: Path
    mapping_name: str
    #: on the bank's clock; None: batches are made by command only
    cut_off: time | None

    @classmethod
    def of(cls, portal: Installation) -> Station:
        """The station of an installation's settings."""
        outgoing = portal.settings.bank.outgoing
        cut_off = str(outgoing.get("cut_off", ""))
        return cls(
            portal=portal,
            folder=portal.settings.outgoing_dir or portal.settings.data_dir / "outgoing",
            mapping_name=str(outgoing.get("mapping", "portal")),
            cut_off=time.fromisoformat(cut_off) if cut_off else None,
        )

    @property
    def answers(self) -> Path:
        """The folder in which the core's answers are found."""
        return self.folder / "answers"

    def make(self, *, due_by: datetime | None = None, step: Step = lambda name: None) -> list[BatchMade]:
        """Make a batch of what waits. Raises BadMapping and UnableToMake."""
        portal = self.portal
        sender = operations.Sender(
            bank=portal.settings.bank.code,
            business_date=portal.clock.today(),
            mapping_text=load_mapping(self.mapping_name).text,
            demonstration=portal.settings.is_demonstration,
        )
        now = portal.clock.now()
        return make_batch(portal.db, sender=sender, folder=self.folder, now=now, due_by=due_by, step=step)

    def acknowledge(self, raw: bytes) -> Answered:
        """Apply one answer. Raises BadAnswer, BadMapping and UnableToMake."""
        now = self.portal.clock.now()
        if self.folder.exists():
            finish(self.portal.db, folder=self.folder, now=now)
        answer = read_answer(raw, outgoing_of(load_mapping(self.mapping_name)).answer)
        return self.portal.db.write(lambda session: apply_answer(session, answer=answer, now=now))

    def turn(self) -> None:
        """The worker's turn: collect what there is to tell, apply the answers found, and past the cut-off
        make the day's batch of what had waited by then."""
        now, db = self.portal.clock.now(), self.portal.db
        while db.write(lambda session: operations.collect(session, now=now, look_back=operations.LOOK_BACK)):
            pass
        db.write(lambda session: operations.follow_core(session, now=now))
        self._take_answers()
        due_by = self._cut_off_before(now)
        if due_by is None:
            return
        with db.read() as connection:
            is_due = queries.waiting(connection, due_by=due_by) or queries.unfinished(connection)
        if is_due:
            for made in self.make(due_by=due_by):
                log.info("outgoing_batch_made", sequence=made.sequence, counts=made.counts)

    def _cut_off_before(self, now: datetime) -> datetime | None:
        """Today's cut-off as an instant, once it has passed."""
        if self.cut_off is None:
            return None
        local = self.portal.clock.local(now)
        cut = local.replace(hour=self.cut_off.hour, minute=self.cut_off.minute, second=0, microsecond=0)
        return cut if cut <= local else None

    def _take_answers(self) -> None:
        """Apply every `*.json` in the folder of answers and move it out of the way: to `applied`, or to
        `refused`, which an alarm in the log names."""
        for path in sorted(self.answers.glob("*.json")):
            place = "applied"
            try:
                answered = self.acknowledge(path.read_bytes())
                log.info("outgoing_answer_applied", sequence=answered.sequence, refused=answered.refused)
            except BadAnswer as error:
                place = "refused"
                log.error("outgoing_answer_refused", file=path.name, reason=error.reason)
            target = self.answers / place
            target.mkdir(exist_ok=True)
            path.replace(target / path.name)
