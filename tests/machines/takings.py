"""The model's second half: money that goes back. Refunds and disputes say how much left and when; what stands on the
ledger follows, the last that was placed going back first."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.machines.model import COMPONENTS, CREDITED, TAKINGS, Account, Attempt, Books, Entry, entry_of

#: The states a word of a refund leads on from.
REFUND_WORDS = {
    "pending": ("created",),
    "succeeded": ("created", "pending"),
    "cancelled": ("created", "pending"),
    "failed": ("created", "pending", "succeeded"),
}


@dataclass(eq=False)
class Return:
    """One refund or dispute, as the provider tells of it."""

    name: str
    kind: str
    attempt: Attempt
    minor: int
    state: str = "created"
    told: set[str] = field(default_factory=set)

    @property
    def is_gone(self) -> bool:
        """Whether its money has left and not come back."""
        if self.kind == "refund":
            return self.state == "succeeded"
        return bool(self.told & {"withdrawn", "lost"}) and "reinstated" not in self.told


class Ledger(Books):
    """The books, with what goes back."""

    def __init__(self, accounts: list[Account]) -> None:
        super().__init__(accounts)
        self.returns: list[Return] = []

    def word(self, one: Return, word: str) -> None:
        """The provider tells of a refund or a dispute; the same word again says nothing."""
        if word in one.told:
            return
        says_nothing = word == "withdrawn" and "lost" in one.told
        one.told.add(word)
        if one.kind == "refund":
            says_nothing = one.state not in REFUND_WORDS[word]
            one.state = one.state if says_nothing else word
        if not says_nothing:
            self.bring(one.attempt)

    def bring(self, attempt: Attempt) -> None:
        """Ledger, plan and state become what refunds and disputes say; together never more than was received."""
        gone = [one for one in self.returns if one.attempt is attempt and one.is_gone]
        lines = self._lines(attempt)
        rest = received = sum(sum(line.places.values()) for line in lines)
        wanted = []
        for one in gone:
            minor = min(one.minor, rest)
            rest -= minor
            wanted += [(one, minor)] if minor else []
        standing = self._standing(lines)
        kept = 0
        while kept < min(len(wanted), len(standing)) and wanted[kept] == _shape(standing[kept]):
            kept += 1
        for _, entries in reversed(standing[kept:]):
            for entry in reversed(entries):
                if entry.is_shrunk:
                    entry.is_shrunk, entry.source = False, None
                    if entry.rest is not None and not entry.rest.undone:
                        self.undo_all(entry.rest)
                else:
                    self.undo_all(entry)
        for one, minor in wanted[kept:]:
            self._take(attempt, one, minor)
        if lines:
            back = sum(minor for _, minor in map(_shape, self._standing(lines)))
            self._recount(attempt, received - back)
        whole = sum(one.minor for one in gone) >= attempt.amount
        disputed = any(one.kind == "charge_back" for one in gone)
        attempt.state = (
            "disputed" if disputed else "refunded" if whole else "part_refund" if gone else "posted"
        )

    def _lines(self, attempt: Attempt) -> list[Entry]:
        return [
            one
            for one in self.entries
            if one.attempt is attempt
            and one.kind == "payment"
            and (not one.undone or (one.instead is not None and not one.instead.undone))
        ]

    def _standing(self, lines: list[Entry]) -> list[tuple[object, list[Entry]]]:
        found: dict[object, list[Entry]] = {}
        for one in self.entries:
            is_rest = isinstance(one.source, Entry)
            if one.of in lines and one.kind in TAKINGS and (not one.undone or one.is_shrunk) and not is_rest:
                found.setdefault(one.source, []).append(one)
        return list(found.items())

    def _take(self, attempt: Attempt, one: Return, minor: int) -> None:
        """All of it, or none and an alarm."""
        lines = self._lines(attempt)
        gone = {(line, place): self.taken(line, place) for line in lines for place in line.places}
        parts: dict[Entry, dict[str, int]] = {}
        for line in reversed(lines):
            for place, placed in reversed(line.steps):
                already = min(gone[line, place], placed)
                gone[line, place] -= already
                taken = min(minor, placed - already)
                minor -= taken
                if taken:
                    of_line = parts.setdefault(line, {})
                    of_line[place] = of_line.get(place, 0) + taken
        before = self.snapshot()
        if minor or any(self.take_line(line, one.kind, found, one) for line, found in parts.items()):
            self.restore(before)

    def take_line(self, line: Entry, kind: str, parts: dict[str, int], source: object = None) -> str:
        """Money of one line goes back; of a charge-back, what was moved on from suspense comes back first. Why not, or
        nothing."""
        account = line.account
        if line.undone and line.instead is None:
            return "reversed"
        if any(minor > line.places.get(place, 0) - self.taken(line, place) for place, minor in parts.items()):
            return "taken"
        if kind == "charge_back" and (why := self._bring_back(account, parts.get("suspense", 0))):
            return why
        if any(minor > account.held(place) for place, minor in parts.items()):
            return "moved"
        self.post(
            entry_of(account, kind, {place: -minor for place, minor in parts.items()}, of=line)
        ).source = source
        return ""

    def _bring_back(self, account: Account, needed: int) -> str:
        for one in reversed(self.standing(account, ("transfer",))):
            if account.suspense >= needed:
                break
            if one.suspense < 0:
                if why := self.why_not_undo(one):
                    return why
                self.undo_all(one)
        return ""

    def _recount(self, attempt: Attempt, net: int) -> None:
        for plan in self.plans:
            if attempt.number in plan.counted:
                counted = plan.counted[attempt.number]
                plan.counted[attempt.number] = min(net, counted + plan.left)
                plan.ended = plan.ended or not plan.left

    def snapshot(self) -> object:
        """The ledger as it stands, to come back to."""
        figures = [
            (one, dict(one.owed), dict(one.paid), dict(one.forgiven), one.suspense)
            for one in (*self.accounts, *self.bank.values())
        ]
        return figures, list(self.entries), [one.undone for one in self.entries]

    def restore(self, before: object) -> None:
        """Nothing happened."""
        figures, entries, undone = before  # type: ignore[misc]
        for one, owed, paid, forgiven, suspense in figures:
            one.owed, one.paid, one.forgiven, one.suspense = owed, paid, forgiven, suspense
        self.entries[:] = entries
        for one, was in zip(entries, undone, strict=True):
            one.undone = was

    def is_credited(self, attempt: Attempt) -> bool:
        """Whether its money is on the ledger."""
        return attempt.state in CREDITED


def _shape(standing: tuple[object, list[Entry]]) -> tuple[object, int]:
    source, entries = standing
    return source, -sum(
        sum(entry.parts.get(name, 0) for name in COMPONENTS) + entry.suspense for entry in entries
    )
