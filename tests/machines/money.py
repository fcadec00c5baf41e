"""A machine that does with three loans whatever a bank, a payer, a provider and a calendar can do, in any order, and
compares the portal with the model after every step."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import date
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from portal.accounts.corrections import (
    post_charge_back,
    post_refund,
    post_reversal,
    post_transfer,
    post_write_down,
)
from portal.accounts.operations import UnableToPost, post_waiver
from portal.db import Database
from portal.gateways.stripe import Report
from portal.keys import Keys
from portal.payments.operations import UnableToPay
from portal.signing import Signer
from tests.machines.model import (
    COMPONENTS,
    MOVES_OWED,
    OPEN,
    PLACES,
    Account,
    Attempt,
    Books,
    Entry,
    Plan,
)
from tests.machines.stage import FIRST_DAY, Stage

T = TypeVar("T")
#: Which of several, whatever their number.
WHICH = st.integers(0, 59)
#: How much, in hundredths of what is left; above a hundred is too much.
SHARE = st.sampled_from((1, 7, 33, 50, 99, 100, 101, 140))
CHARGED = {"interest": "interest", "penalty_interest": "penalty_interest", "fee": "fee", "cost": "cost"}
FORGIVES = {"waiver": post_waiver, "write_down": post_write_down}
TAKES = {"charge_back": post_charge_back, "refund": post_refund}
NEWS = {"processing": Report.PROCESSING, "declined": Report.DECLINED, "failed": Report.FAILED}
NEWS |= {"expired": Report.EXPIRED}


def accounts() -> list[Account]:
    """A loan long overdue, a card about to be 90 days overdue, and a loan in dollars that falls due at once."""
    months = [date(2026, month, 15) for month in range(6, 13)]
    made = [
        Account("L-1", "loan", "CNY", 1_200, tuple((day, 100_000 if day.month < 12 else 100_003) for day in months), FIRST_DAY),
        Account("C-1", "card", "CNY", 1_800, tuple((date(2026, month, 5), 50_000) for month in (9, 10, 11, 12)), FIRST_DAY),
        Account("U-1", "loan", "USD", 600, ((date(2027, 1, 31), 80_000),), FIRST_DAY),
    ]  # fmt: skip
    for account in made:
        account.owed["principal"] = sum(minor for _, minor in account.instalments)
    return made


def pick(many: Sequence[T], which: int) -> T:
    """One of several."""
    return many[which % len(many)]


class MoneyMachine(RuleBasedStateMachine):
    """See the module. `at` gives the database; a subclass sets it."""

    database: Database
    keys: Keys
    signer: Signer

    def __init__(self) -> None:
        super().__init__()
        self.books = Books(accounts())
        for account in self.books.accounts:
            lent = Entry(account, "disbursement", {"principal": account.owed["principal"]}, is_core=True)
            account.owed["principal"] = 0
            self.books.post(lent)
        self.stage = Stage(
            self.database,
            self.keys,
            self.signer,
            self.books.accounts,
        )
        self.real: dict[Attempt, Any] = {}
        self.line_of: dict[Entry, int] = {}
        self.undone: set[int] = set()
        self.seen: dict[int, tuple[int, ...]] = {}
        self.told: list[tuple[Any, ...]] = []
        self.forms = self.steps = 0
        self.at_start = True

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:  # what failed before says more than what it left behind
                self.whole()
        finally:
            self.stage.close()

    # what the bank's file brings

    @rule(which=WHICH, kind=st.sampled_from(sorted(CHARGED)), minor=st.integers(1, 90_000))
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
        self.stage.batch(
            [(account.ref, "payment", stored, None, "")], back=[self.line_of[one] for one in given]
        )
        self.books.settle()

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

    @precondition(lambda self: self.steps % 4 == 3)
    @rule(days=st.sampled_from((1, 5, 14, 31)))
    def days_pass(self, days: int) -> None:
        if (self.stage.today - FIRST_DAY).days > 500:
            return
        self.stage.pass_days(days)
        for account in (*self.books.accounts, *self.books.bank.values()):
            account.today = self.stage.today

    # what the portal does

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
        assert self._refused(unit) == wanted
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
        assert self._refused(unit) == wanted
        if not wanted:
            self.books.transfer(one, two, {place: -minor}, {to: minor})

    @precondition(lambda self: self._of_payments())
    @rule(which=WHICH, place=WHICH, share=SHARE, kind=st.sampled_from(sorted(TAKES)))
    def taken_back(self, which: int, place: int, share: int, kind: str) -> None:
        """A part of one payment's money goes back."""
        entry = pick(self._of_payments(), which)
        where = pick(sorted(entry.places), place)
        minor = max(1, entry.places[where] * share // 100)
        ref = f"B-{len(self.books.entries)}-{len(self.undone)}"

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

        wanted = self.books.why_not_take(entry, where, minor)
        if kind == "charge_back" and where == "suspense" and wanted == "moved":
            return  # moves are undone first: see the tests of corrections
        assert self._refused(unit) == wanted
        if not wanted:
            self.books.take(entry, kind, where, minor)

    # what payers and the provider do

    @rule(which=WHICH, share=SHARE)
    def payment_begins(self, which: int, share: int) -> None:
        account = pick(self.books.accounts, which)
        minor = max(1, account.all_left * share // 100)
        self._begin(account.ref, [account], None, minor, account.all_left)

    def _begin(self, ref: str | None, over: list[Account], plan: Any, minor: int, most: int) -> None:
        self.forms += 1
        try:
            real = self.stage.begin(ref, minor, over[0].currency, f"form-{self.forms}")
        except UnableToPay:
            refused = True
        else:
            refused = False
        assert refused == (minor > most)
        if refused:
            return
        same = [
            one
            for one in self.books.attempts
            if one.state in OPEN and one.amount == minor and (one.accounts, one.plan) == (over, plan)
        ]
        assert real.repeated == bool(same)
        if not same:
            attempt = Attempt(len(self.books.attempts), over, plan, minor)
            self.books.attempts.append(attempt)
            self.real[attempt] = real

    @precondition(lambda self: self.books.attempts)
    @rule(which=WHICH, what=st.sampled_from(sorted(NEWS)), copies=st.integers(1, 2))
    def provider_tells(self, which: int, what: str, copies: int) -> None:
        attempt = pick(self.books.attempts, which)
        event = f"{attempt.number}-{what}"
        key = f"pi_{self.real[attempt].reference}"
        for _ in range(copies):
            self._tell(event, attempt, NEWS[what], key)
        self.books.news(attempt, event, key, what)
        self.books.events.add(event)

    @precondition(lambda self: self.books.attempts)
    @rule(which=WHICH, flavour=st.integers(0, 9), copies=st.integers(1, 3))
    def money_comes(self, which: int, flavour: int, copies: int) -> None:
        """Mostly what was asked for, told once or in two events; sometimes another amount, currency or payment."""
        attempt = pick(self.books.attempts, which)
        real = self.real[attempt]
        odd = {7: "more", 8: "foreign", 9: "again"}.get(flavour, "")
        event = f"{attempt.number}-paid-{odd or flavour % 2}"
        key = f"pi_{real.reference}" + ("_2" if odd == "again" else "")
        minor = attempt.amount + (odd == "more")
        currency = "EUR" if odd == "foreign" else real.amount.currency
        for _ in range(copies):
            self._tell(event, attempt, Report.PAID, key, amount_minor=minor, currency=currency)
        self.books.money(attempt, event, key, minor, currency)
        self.books.events.add(event)

    @precondition(lambda self: self.steps % 3 == 2 and not any(plan.left for plan in self.books.plans))
    @rule(count=st.integers(1, 4))
    def plan_is_agreed(self, count: int) -> None:
        """Proposed, approved and accepted over what is due now on the loans of the currency."""
        covered = {
            one.ref: one.due_now for one in self.books.accounts if one.currency == "CNY" and one.due_now
        }
        made = self.stage.plan(count) if covered else None
        if made is None:
            return  # the bank's rules refuse: tests/plans
        loans, instalments = made
        assert loans == covered
        assert sum(instalments) == sum(covered.values())
        over = [one for one in self.books.accounts if one.ref in loans]
        self.books.plans.append(Plan(over, instalments))
        assert self.stage.plan(count) is None

    @precondition(lambda self: any(plan.left for plan in self.books.plans))
    @rule(share=SHARE)
    def payment_for_the_plan_begins(self, share: int) -> None:
        plan = next(plan for plan in self.books.plans if plan.left)
        most = min(plan.left, sum(one.all_left for one in plan.accounts))
        self._begin(None, plan.accounts, plan, max(1, most * share // 100), most)

    def _tell(self, event: str, attempt: Attempt, report: Report, key: str, **changes: Any) -> None:
        self.stage.tell(event, self.real[attempt], report, key, **changes)

    # what must hold after every step

    @invariant()
    def balances_are_the_models(self) -> None:
        """M1, M3, M4, M5, M7, M14, M19 by way of the model; M8 by the lines themselves."""
        self.steps += 1
        rows = self.stage.balances()
        for account in self.books.accounts:
            row = rows[self.stage.loans[account.ref]]
            found = {name: row[name] for name in row if name.endswith("_minor") or name == "days_overdue"}
            wanted = expected(account)
            differs = {name: (found[name], wanted[name]) for name in wanted if found[name] != wanted[name]}
            assert not differs, f"{account.ref}: (portal, model) {differs}"
            assert all(minor >= 0 for minor in found.values()), account.ref
        self._new_lines()
        if self.steps % 25 == 0:
            self.whole()

    def whole(self) -> None:
        """What looks at everything: the portal's own proof, the sums per currency, lines that never change."""
        assert self.stage.faults() == []
        lines = self.stage.lines_since(0)
        assert {line.id: amounts(line) for line in lines} == self.seen
        totals: dict[str, int] = {}
        for account in self.books.accounts:
            minor = account.all_left - account.suspense
            totals[account.currency] = totals.get(account.currency, 0) + minor
        assert self.stage.total() == totals
        assert self.stage.receipts() == [
            list(plan.counted.values()) for plan in self.books.plans if plan.counted
        ]
        states = self.stage.states()
        assert states == {self.real[one].payment_id: one.state for one in self.books.attempts}

    def _new_lines(self) -> None:
        """Every new line is the one the model expects, in its order."""
        fresh = self.stage.lines_since(max(self.seen, default=0))
        posted = [line for line in fresh if line.kind != "reversal"]
        wanted = self.books.entries[len(self.line_of) :]
        assert [shape(line) for line in posted] == [wanted_shape(one, self.stage) for one in wanted]
        self.line_of |= {one: line.id for one, line in zip(wanted, posted, strict=True)}
        undone = {self.line_of[one] for one in self.books.entries if one.undone}
        assert {line.reverses_id for line in fresh if line.kind == "reversal"} == undone - self.undone
        self.undone = undone
        self.seen |= {line.id: amounts(line) for line in fresh}

    # which lines can be what

    def _of_portal(self) -> list[Entry]:
        return [one for one in self.books.entries if one.attempt is not None and not one.undone]

    def _of_bank(self) -> list[Entry]:
        return [
            one for one in self.books.entries if one.is_core and not one.undone and one.kind != "disbursement"
        ]

    def _forgiven_here(self) -> list[Entry]:
        return [
            one for one in self.books.entries if one.kind in FORGIVES and not one.is_core and not one.undone
        ]

    def _undoable(self) -> list[Entry]:
        return [one for one in self.books.entries if not one.is_core and not one.undone]

    def _of_payments(self) -> list[Entry]:
        return [one for one in self.books.entries if one.kind == "payment"]

    def _refused(self, unit: Any) -> str:
        try:
            self.stage.db.write(unit)
        except UnableToPost as refused:
            return refused.reason
        return ""


def expected(account: Account) -> dict[str, int]:
    """The figures of a balance row as the model has them."""
    made = {"suspense_minor": account.suspense, "principal_due_minor": account.principal_due}
    made |= {"due_now_minor": account.due_now, "days_overdue": account.days_overdue}
    for name in COMPONENTS:
        made[f"{name}_owed_minor"] = account.owed[name]
        made[f"{name}_paid_minor"] = account.paid[name]
        made[f"{name}_forgiven_minor"] = account.forgiven[name]
    return made


def amounts(line: Any) -> tuple[int, ...]:
    """A line's amounts by component, suspense last."""
    return tuple(getattr(line, f"{name}_minor") for name in PLACES)


def shape(line: Any) -> tuple[int, str, tuple[int, ...]]:
    """What of a line the model says too."""
    return line.loan_id, line.kind, amounts(line)


def wanted_shape(entry: Entry, stage: Stage) -> tuple[int, str, tuple[int, ...]]:
    """The same, of the model's entry."""
    sign = 1 if entry.kind in MOVES_OWED else -1
    parts = tuple(sign * entry.parts.get(name, 0) for name in COMPONENTS)
    return stage.loans[entry.account.ref], entry.kind, (*parts, -entry.suspense)
