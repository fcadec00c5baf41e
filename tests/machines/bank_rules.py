"""What the bank's file brings: charges, payments, its own posting of ours, lines taken back, days."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.machines.ground import SHARE, WHICH, Ground, pick
from tests.machines.model import Account, Attempt, Entry
from tests.machines.stage import FIRST_DAY

CHARGED = ("interest", "penalty_interest", "fee", "cost")


class BankRules(Ground):
    """See the module."""

    @rule(which=WHICH, kind=st.sampled_from(CHARGED), minor=st.integers(1, 90_000))
    def bank_charges(self, which: int, kind: str, minor: int) -> None:
        account = pick(self.books.accounts, which)
        self.books.post(Entry(account, kind, {kind: minor}, is_core=True))
        self.stage.batch([(account.ref, kind, {kind: minor}, None, "")])
        self.books.settle()

    @rule(which=WHICH, share=SHARE)
    def bank_receives(self, which: int, share: int) -> None:
        """Money paid at a branch, placed by the bank on its own books."""
        account = pick(self.books.accounts, which)
        minor = min(self.books.bank[account.ref].all_left, account.all_left * share // 100)
        if minor > 0:
            self._core_payment(account, minor)

    def _core_payment(self, account: Account, minor: int, *, of: Attempt | None = None) -> None:
        parts, _ = self.books.bank[account.ref].split(minor)
        back = [
            one
            for one in self.books.entries
            if of is not None and one.attempt is of and one.account is account
        ]
        if not parts:
            return
        core = self.books.post(Entry(account, "payment", parts, is_core=True))
        given = [one for one in back if not one.undone and one.kind == "payment"]
        for one in given:
            self.books.undo(one)
            one.instead = core
        stored = {name: -amount for name, amount in parts.items()}
        named = self.real[of].reference if of is not None else ""
        self.stage.batch(
            [(account.ref, "payment", stored, None, named)], back=[self.line_of[one] for one in given]
        )
        self.books.settle()
        if of is None:
            self.books.count_at_counter(core)

    @precondition(lambda self: self._forgiven_here())
    @rule(which=WHICH)
    def bank_posts_a_waiver_of_ours(self, which: int) -> None:
        """The core has forgiven what was forgiven here, so far as its books allow."""
        entry = pick(self._forgiven_here(), which)
        bank = self.books.bank[entry.account.ref]
        parts = {name: min(minor, bank.left(name)) for name, minor in entry.parts.items() if bank.left(name)}
        if parts:
            core = self.books.post(Entry(entry.account, "waiver", parts, is_core=True))
            self.books.undo(entry)
            entry.instead = core
            stored = {name: -minor for name, minor in parts.items()}
            line = (entry.account.ref, "waiver", stored, None, "")
            self.stage.batch([line], back=[self.line_of[entry]])
            self.books.settle()

    @precondition(lambda self: self._of_portal())
    @rule(which=WHICH)
    def bank_posts_a_payment_of_ours(self, which: int) -> None:
        """The core has booked what was paid here, in its own order."""
        entry = pick(self._of_portal(), which)
        minor = sum(entry.parts.values()) + entry.suspense
        left = self.books.bank[entry.account.ref].all_left
        self._core_payment(entry.account, min(minor, left), of=entry.attempt)

    @precondition(lambda self: self._of_bank())
    @rule(which=WHICH)
    def bank_takes_back_a_line(self, which: int) -> None:
        entry = pick(self._of_bank(), which)
        after = self.books.bank[entry.account.ref]
        if entry.kind not in ("payment", "waiver") and any(
            after.left(name) < minor for name, minor in entry.parts.items()
        ):
            return  # a bank does not undo a charge that its own books hold paid
        sign = -1 if entry.kind in ("payment", "waiver") else 1
        stored = {name: -sign * minor for name, minor in entry.parts.items()}
        self.books.undo(entry)
        self.stage.batch([(entry.account.ref, "reversal", stored, self.line_of[entry], "")])
        self.books.settle()
        self.books.count_no_more(entry)

    @precondition(lambda self: self.steps % 4 == 3)
    @rule(days=st.sampled_from((1, 5, 14, 31)))
    def days_pass(self, days: int) -> None:
        if (self.stage.today - FIRST_DAY).days > 500:
            return
        self.stage.pass_days(days)
        for account in (*self.books.accounts, *self.books.bank.values()):
            account.today = self.stage.today
