"""What every rule of the money machine stands on: the portal, the model beside it, and what must hold after each step."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import date
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant

from portal.accounts.operations import UnableToPost
from portal.db import Database
from portal.keys import Keys
from portal.signing import Signer
from tests.machines import views
from tests.machines.model import COMPONENTS, FORGIVING, MOVES_OWED, PLACES, Account, Attempt, Entry
from tests.machines.stage import FIRST_DAY, Stage
from tests.machines.takings import Ledger

T = TypeVar("T")
#: Which of several, whatever their number.
WHICH = st.integers(0, 59)
#: How much, in hundredths of what is left; above a hundred is too much.
SHARE = st.sampled_from((1, 7, 33, 50, 99, 100, 101, 140))


#: What is charged on each account before the first step, so that every order of allocation matters.
CHARGED = {"cost": 3_000, "fee": 1_500, "penalty_interest": 700, "interest": 2_100}


def accounts() -> list[Account]:
    """A loan long overdue, a card 89 days overdue, and a loan in dollars that falls due at once."""
    months = [date(2026, month, 15) for month in range(6, 13)]
    loan = tuple((day, 100_000 if day.month < 12 else 100_003) for day in months)
    card = tuple((date(2026, month, 23), 50_000) for month in (8, 9, 10, 11))
    made = [
        Account("L-1", "loan", "CNY", 1_200, loan, FIRST_DAY),
        Account("C-1", "card", "CNY", 1_800, card, FIRST_DAY),
        Account("U-1", "loan", "USD", 600, ((date(2027, 1, 31), 80_000),), FIRST_DAY),
    ]
    for account in made:
        account.owed["principal"] = sum(minor for _, minor in account.instalments)
    return made


def pick(many: Sequence[T], which: int) -> T:
    """One of several."""
    return many[which % len(many)]


class Ground(RuleBasedStateMachine):
    """See the module. `at` gives the database; a subclass sets it."""

    database: Database
    keys: Keys
    signer: Signer

    def __init__(self) -> None:
        super().__init__()
        self.books = Ledger(accounts())
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
        self.forms = self.steps = 0
        for account in self.books.accounts:
            for kind, minor in CHARGED.items():
                self.books.post(Entry(account, kind, {kind: minor}, is_core=True))
        charges = [
            (one.ref, kind, {kind: minor}) for one in self.books.accounts for kind, minor in CHARGED.items()
        ]
        self.stage.batch([(*charge, None, "") for charge in charges])

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:  # what failed before says more than what it left behind
                self.whole()
        finally:
            self.stage.close()

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
        if self.steps % 50 == 25:  # and once more at the end
            self.whole()

    def whole(self) -> None:
        """What looks at everything: the portal's own proof, the sums per currency, lines that never change."""
        assert self.stage.faults() == []
        figures = {account.ref: views.wanted(account) for account in self.books.accounts}
        for name, found in views.shown(self.stage).items():
            assert found == figures, f"{name}: (portal, model) {found} {figures}"
        assert views.unexplained(self.stage) == []
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
            one for one in self.books.entries if one.kind in FORGIVING and not one.is_core and not one.undone
        ]

    def _undoable(self) -> list[Entry]:
        return [one for one in self.books.entries if not one.is_core and not one.undone]

    def _of_payments(self) -> list[Entry]:
        return [one for one in self.books.entries if one.kind == "payment" and one.attempt is None]

    def _refuses(self, unit: Any, wanted: str) -> None:
        found = self._refused(unit)
        assert found == wanted, f"(portal, model) {found or 'posted'} {wanted or 'posted'}"

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
