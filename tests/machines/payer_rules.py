"""What payers do, what the provider tells, and what plans are made: in any order, any number of times."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from portal.gateways.stripe import Report
from portal.payments.operations import UnableToPay
from tests.machines.ground import SHARE, WHICH, Ground, pick
from tests.machines.model import OPEN, Account, Attempt, Plan
from tests.machines.takings import Return

NEWS = {
    "processing": Report.PROCESSING,
    "declined": Report.DECLINED,
    "failed": Report.FAILED,
    "expired": Report.EXPIRED,
}


class PayerRules(Ground):
    """See the module."""

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

    @precondition(lambda self: self.steps % 3 == 2 and all(plan.ended for plan in self.books.plans))
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

    @precondition(lambda self: any(not plan.ended for plan in self.books.plans))
    @rule(share=SHARE)
    def payment_for_the_plan_begins(self, share: int) -> None:
        plan = next(plan for plan in self.books.plans if not plan.ended)
        most = min(plan.left, sum(one.all_left for one in plan.accounts))
        self._begin(None, plan.accounts, plan, max(1, most * share // 100), most)

    @rule(which=WHICH, share=st.sampled_from((1, 7, 33, 50, 99, 100)))
    def somebody_pays(self, which: int, share: int) -> None:
        """The ordinary way: begun and paid."""
        known = len(self.books.attempts)
        self.payment_begins(which, share)
        if len(self.books.attempts) > known:
            self.money_comes(known, 0, 1)

    @rule(which=WHICH, share=st.sampled_from((7, 50, 100)), odd=st.sampled_from((7, 8, 9)))
    def somebody_pays_oddly(self, which: int, share: int, odd: int) -> None:
        """Another amount, currency or payment first, and then what was asked for."""
        known = len(self.books.attempts)
        self.payment_begins(which, share)
        if len(self.books.attempts) > known:
            self.money_comes(known, odd, 1)
            self.money_comes(known, 0, 1)

    @precondition(lambda self: self._credited())
    @rule(
        which=WHICH,
        share=SHARE,
        word=st.sampled_from(("pending", "succeeded", "cancelled", "failed")),
        again=st.booleans(),
        copies=st.integers(1, 2),
    )
    def provider_tells_of_a_refund(self, which: int, share: int, word: str, again: bool, copies: int) -> None:
        one = self._return("refund", which, share, again)
        for _ in range(copies):
            self.stage.tell_of_refund(
                one.name, self.real[one.attempt], one.attempt.money or "", word, one.minor
            )
        self.books.word(one, word)

    @precondition(lambda self: self._credited())
    @rule(which=WHICH, share=SHARE, end=st.booleans(), again=st.booleans(), copies=st.integers(1, 2))
    def provider_tells_of_a_dispute(
        self, which: int, share: int, end: bool, again: bool, copies: int
    ) -> None:
        one = self._return("charge_back", which, share, again)
        word = ("lost" if len(one.name) % 2 else "reinstated") if end else "withdrawn"
        for _ in range(copies):
            self.stage.tell_of_dispute(
                one.name, self.real[one.attempt], one.attempt.money or "", word, one.minor
            )
        self.books.word(one, word)

    def _return(self, kind: str, which: int, share: int, again: bool) -> Return:
        """A refund or dispute that was told of before, or another."""
        known = [one for one in self.books.returns if one.kind == kind]
        if again and known:
            return pick(known, which)
        attempt = pick(self._credited(), which)
        name = f"{kind}-{'x' * (len(self.books.returns) % 3)}-{len(self.books.returns)}"
        one = Return(name, kind, attempt, max(1, attempt.amount * min(share, 100) // 100))
        self.books.returns.append(one)
        return one

    def _credited(self) -> list[Attempt]:
        return [one for one in self.books.attempts if self.books.is_credited(one)]

    def _tell(self, event: str, attempt: Attempt, report: Report, key: str, **changes: Any) -> None:
        self.stage.tell(event, self.real[attempt], report, key, **changes)
