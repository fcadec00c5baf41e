"""What the portal does by itself or at the desk: waivers, reversals, transfers, money given back by hand."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from portal.accounts.corrections import (
    post_charge_back,
    post_refund,
    post_reversal,
    post_transfer,
    post_write_down,
)
from portal.accounts.operations import post_waiver
from tests.machines.ground import SHARE, WHICH, Ground, pick
from tests.machines.model import COMPONENTS, PLACES, Entry

FORGIVES = {"waiver": post_waiver, "write_down": post_write_down}
TAKES = {"charge_back": post_charge_back, "refund": post_refund}


class DeskRules(Ground):
    """See the module."""

    @rule(
        which=WHICH,
        component=st.sampled_from(COMPONENTS),
        share=SHARE,
        kind=st.sampled_from(sorted(FORGIVES)),
    )
    def waiver(self, which: int, component: str, share: int, kind: str) -> None:
        account = pick(self.books.accounts, which)
        minor = max(1, account.left(component) * share // 100)
        ref = f"W-{len(self.books.entries)}"
        fits = minor <= account.left(component)

        def unit(session: Any) -> None:
            for _ in range(2):  # said twice, done once
                FORGIVES[kind](
                    session,
                    loan_id=self.stage.loans[account.ref],
                    parts={component: minor},
                    posted_on=self.stage.today,
                    line_ref=ref,
                    memo="",
                    now=self.stage.now,
                )

        assert self._refused(unit) == ("" if fits else "overpaid")
        if fits:
            self.books.post(Entry(account, kind, {component: minor}))

    @precondition(lambda self: self._undoable())
    @rule(which=WHICH)
    def reversal(self, which: int) -> None:
        entry = pick(self._undoable(), which)
        line_id = self.line_of[entry]

        def unit(session: Any) -> None:
            for _ in range(2):
                post_reversal(
                    session,
                    line_id=line_id,
                    posted_on=self.stage.today,
                    line_ref=f"R-{line_id}",
                    memo="",
                    now=self.stage.now,
                )

        wanted = self.books.why_not_undo(entry)
        self._refuses(unit, wanted)
        if not wanted:
            self.books.undo_all(entry)

    @rule(which=WHICH, other=WHICH, place=st.sampled_from(PLACES), to=st.sampled_from(PLACES), share=SHARE)
    def transfer(self, which: int, other: int, place: str, to: str, share: int) -> None:
        """Paid money moves between loans, or within one."""
        one, two = pick(self.books.accounts, which), pick(self.books.accounts, other)
        minor = max(1, one.held(place) * share // 100)
        ref = f"M-{len(self.books.entries)}"

        def unit(session: Any) -> None:
            for _ in range(2):
                post_transfer(
                    session,
                    from_loan_id=self.stage.loans[one.ref],
                    to_loan_id=self.stage.loans[two.ref],
                    take={place: minor},
                    give={to: minor},
                    posted_on=self.stage.today,
                    line_ref=ref,
                    memo="",
                    now=self.stage.now,
                )

        wanted = self.books.why_not_transfer(one, two, place, to, minor)
        self._refuses(unit, wanted)
        if not wanted:
            self.books.transfer(one, two, {place: -minor}, {to: minor})

    @precondition(lambda self: self._of_payments())
    @rule(which=WHICH, place=WHICH, share=SHARE, kind=st.sampled_from(sorted(TAKES)), more=st.booleans())
    def taken_back(self, which: int, place: int, share: int, kind: str, more: bool) -> None:
        """A part of one payment's money goes back, and perhaps once more as much."""
        entry = pick(self._of_payments(), which)
        where = pick(sorted(entry.places), place)
        minor = max(1, entry.places[where] * share // 100)
        for turn in range(1 + more):
            self._take(entry, kind, where, minor, f"B-{self.steps}-{turn}")

    def _take(self, entry: Entry, kind: str, where: str, minor: int, ref: str) -> None:

        def unit(session: Any) -> None:
            for _ in range(2):
                TAKES[kind](
                    session,
                    line_id=self.line_of[entry],
                    parts={} if where == "suspense" else {where: minor},
                    suspense_minor=minor if where == "suspense" else 0,
                    posted_on=self.stage.today,
                    line_ref=ref,
                    memo="",
                    now=self.stage.now,
                )

        before = self.books.snapshot()
        parts = {where: minor}
        refused = self.books.take_line(entry, kind, parts, ref)
        if refused:
            self.books.restore(before)
        self._refuses(unit, refused)
