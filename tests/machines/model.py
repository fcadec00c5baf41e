"""What must be true of money, written again from the rules in plain Python: nothing here comes from the portal.

Amounts are whole minor units. A charge is owed, money is paid or waits in suspense, a waiver is forgiven.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

COMPONENTS = ("cost", "fee", "penalty_interest", "interest", "principal")
#: Civil Code art. 561 for loans and young card debts; art. 57 for card debts of more than 90 days.
CHARGES_FIRST, PRINCIPAL_FIRST = COMPONENTS, ("principal", "cost", "fee", "penalty_interest", "interest")
PLACES = (*COMPONENTS, "suspense")
MOVES_OWED = ("disbursement", "interest", "penalty_interest", "fee", "cost")
FORGIVING, TAKINGS = ("waiver", "write_down"), ("charge_back", "refund")
#: How far a payment has come: news can raise it, never lower it.
CLOSED = {"failed": {"created", "processing"}, "expired": {"created", "processing", "failed"}}
OPEN = ("created", "processing")
CREDITED = ("posted", "part_refund", "refunded", "disputed")


@dataclass(eq=False)
class Account:
    """One loan: what was charged, paid, forgiven by component, and when its principal falls due."""

    ref: str
    product_class: str
    currency: str
    rate: int
    instalments: tuple[tuple[date, int], ...]
    today: date
    owed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COMPONENTS, 0))
    paid: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COMPONENTS, 0))
    forgiven: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COMPONENTS, 0))
    suspense: int = 0

    def left(self, component: str) -> int:
        return self.owed[component] - self.paid[component] - self.forgiven[component]

    def held(self, place: str) -> int:
        """What stands as paid of a component, or as money no component could take."""
        return self.suspense if place == "suspense" else self.paid[place]

    @property
    def all_left(self) -> int:
        return sum(self.left(component) for component in COMPONENTS)

    @property
    def _settled(self) -> int:
        return self.paid["principal"] + self.forgiven["principal"]

    @property
    def principal_due(self) -> int:
        fallen = sum(minor for day, minor in self.instalments if day <= self.today)
        return min(max(0, fallen - self._settled), self.left("principal"))

    @property
    def due_now(self) -> int:
        return self.all_left - self.left("principal") + self.principal_due

    @property
    def days_overdue(self) -> int:
        covered = self._settled
        for day, minor in self.instalments:
            covered -= minor
            if day > self.today:
                return 0
            if covered < 0:
                return (self.today - day).days
        return 0

    def split(self, amount: int) -> tuple[dict[str, int], int]:
        """Where money goes, and what is left for suspense."""
        steps = self.steps(amount)
        parts: dict[str, int] = {}
        for place, minor in steps:
            parts[place] = parts.get(place, 0) + minor
        rest = parts.pop("suspense", 0)
        return parts, rest

    def steps(self, amount: int) -> list[tuple[str, int]]:
        """Where money goes: what is due in its order, then principal in advance; the rest is suspense."""
        is_old_card = self.product_class == "card" and self.days_overdue > 90
        order = PRINCIPAL_FIRST if is_old_card else CHARGES_FIRST
        claims = [(name, self.principal_due if name == "principal" else self.left(name)) for name in order]
        claims.append(("principal", self.left("principal") - self.principal_due))
        made = []
        for place, claim in claims:
            made.append((place, min(amount, claim)))
            amount -= min(amount, claim)
        return [one for one in (*made, ("suspense", amount)) if one[1]]


@dataclass(eq=False)
class Entry:
    """One line: `parts` as it charged, paid or forgave them, below nought where it took money back; `attempt`
    where a payment made it, `of` the payment it takes back or the first line of its transfer."""

    account: Account
    kind: str
    parts: dict[str, int]
    suspense: int = 0
    attempt: Attempt | None = None
    is_core: bool = False
    undone: bool = False
    of: Entry | None = None
    #: the bank's own line that took this one's place
    instead: Entry | None = None
    #: in the order in which it was placed; what it goes back for
    steps: tuple[tuple[str, int], ...] = ()
    source: object = None
    #: moved to or from suspense because of what the bank's lines left
    parked: bool = False
    #: the bank counted less of the payment than was taken back: what stays of this taking, if anything
    is_shrunk: bool = False
    rest: Entry | None = None

    @property
    def places(self) -> dict[str, int]:
        """The parts and the suspense together."""
        return self.parts | ({"suspense": self.suspense} if self.suspense else {})


@dataclass(eq=False)
class Plan:
    """Instalments over some accounts, and what was counted: by an attempt's number, or by a line of the bank's."""

    accounts: list[Account]
    instalments: list[int]
    counted: dict[int | Entry, int] = field(default_factory=dict)
    ended: bool = False

    @property
    def left(self) -> int:
        return sum(self.instalments) - sum(self.counted.values())


@dataclass(eq=False)
class Attempt:
    """One payment: what it is for, how far it came, and which of the provider's moneys is its own."""

    number: int
    accounts: list[Account]
    plan: Plan | None
    amount: int
    state: str = "created"
    money: str | None = None
    decline: bool = False


class Books:
    """Every account, line, attempt and plan, and the verbs that move them."""

    def __init__(self, accounts: list[Account]) -> None:
        self.accounts = accounts
        self.bank = {
            one.ref: Account(one.ref, one.product_class, one.currency, one.rate, one.instalments, one.today)
            for one in accounts
        }
        self.entries: list[Entry] = []
        self.attempts: list[Attempt] = []
        self.plans: list[Plan] = []
        self.aside: dict[str, tuple[int, str]] = {}
        self.events: set[str] = set()

    def post(self, entry: Entry) -> Entry:
        self.entries.append(entry)
        _move(entry.account, entry, 1)
        if entry.is_core:
            _move(self.bank[entry.account.ref], entry, 1)
        return entry

    def undo(self, entry: Entry) -> None:
        entry.undone = True
        _move(entry.account, entry, -1)
        if entry.is_core:
            _move(self.bank[entry.account.ref], entry, -1)

    def settle(self) -> None:
        """After the bank's lines: what the bank has done itself gives way, and then no component holds more money
        than it can take, or less than none."""
        turn = list(self.accounts)
        for account in turn:
            for one in self.standing(account, TAKINGS):
                core = one.of if one.of.is_core else one.of.instead
                if core is not None and core.undone:
                    self.undo(one)
            self._forgive_less(account)
            for one in reversed(self.standing(account, ("transfer",))):
                if sum(account.paid.values()) + account.suspense >= 0:
                    break
                if one.of is None and (other := self.pair(one)[1]).account is not account:
                    for line in (one, other):
                        self.undo(line)
                    turn.append(other.account)
        for account in turn:
            self._take_less(account)
        for account in self.accounts:
            self._even_out(account)

    def _take_less(self, account: Account) -> None:
        """No more goes back than came: what was taken back last shrinks, from suspense first."""
        for one in reversed(self.standing(account, TAKINGS)):
            short = -(sum(account.paid.values()) + account.suspense)
            if short <= 0:
                return
            places = {place: -minor for place, minor in one.places.items()}
            for place in reversed(PLACES):
                less = min(short, places.get(place, 0))
                places[place], short = places.get(place, 0) - less, short - less
            self.undo(one)
            one.is_shrunk = True
            rest = {place: -minor for place, minor in places.items() if minor}
            if rest:
                one.rest = self.post(entry_of(account, one.kind, rest, of=one.of))
                one.rest.source = one

    def standing(self, account: Account, kinds: tuple[str, ...]) -> list[Entry]:
        """The lines of ours that nothing undid."""
        return [
            one
            for one in self.entries
            if one.account is account and one.kind in kinds and not one.is_core and not one.undone
        ]

    def _forgive_less(self, account: Account) -> None:
        for one in reversed(self.standing(account, FORGIVING)):
            beyond = {name: max(0, account.forgiven[name] - account.owed[name]) for name in one.parts}
            if any(min(beyond[name], minor) for name, minor in one.parts.items()):
                self.undo(one)
                rest = {name: minor - min(beyond[name], minor) for name, minor in one.parts.items()}
                if any(rest.values()):
                    self.post(Entry(account, one.kind, rest))

    def _even_out(self, account: Account) -> None:
        room = {name: account.owed[name] - account.forgiven[name] for name in COMPONENTS}
        there = {name: min(max(account.paid[name], 0), room[name]) for name in COMPONENTS}
        rest = sum(account.paid.values()) + account.suspense - sum(there.values())
        for name in ("principal", "interest", "penalty_interest", "fee", "cost"):
            less = min(max(-rest, 0), there[name])
            there[name], rest = there[name] - less, rest + less
        for name in COMPONENTS:
            parked = -sum(
                one.parts.get(name, 0) for one in self.standing(account, ("transfer",)) if one.parked
            )
            back = max(0, min(room[name] - there[name], parked, rest))
            there[name], rest = there[name] + back, rest - back
        moved = {place: (there | {"suspense": rest})[place] - account.held(place) for place in PLACES}
        if any(moved.values()):
            take = {place: minor for place, minor in moved.items() if minor < 0}
            give = {place: minor for place, minor in moved.items() if minor > 0}
            self.transfer(account, account, take, give, parked=True)

    def transfer(
        self,
        one: Account,
        other: Account,
        take: dict[str, int],
        give: dict[str, int],
        *,
        parked: bool = False,
    ) -> None:
        """Two lines of sum nought: `take` below nought, `give` above."""
        out = self.post(entry_of(one, "transfer", take))
        self.post(entry_of(other, "transfer", give, of=out)).parked = parked
        out.parked = parked

    def why_not_transfer(self, one: Account, other: Account, place: str, to: str, minor: int) -> str:
        """Why money cannot be moved, or nothing."""
        if one.currency != other.currency:
            return "currency"
        if minor > one.held(place):
            return "moved"
        freed = minor if (one, place) == (other, to) else 0
        return "overpaid" if to != "suspense" and minor - freed > other.left(to) else ""

    def taken(self, entry: Entry, place: str) -> int:
        """What was taken back of a payment and not restored."""
        takings = [one for one in self.entries if one.of is entry and one.kind in TAKINGS and not one.undone]
        return -sum(one.places.get(place, 0) for one in takings)

    def why_not_undo(self, entry: Entry) -> str:
        """Why a line cannot be undone, or nothing: money must still be there, and charges unpaid."""
        if entry.kind == "payment" and any(self.taken(entry, place) for place in entry.places):
            return "taken"
        pair = self.pair(entry)
        for account in [one for one in self.accounts if any(line.account is one for line in pair)]:
            net = {
                place: sum(one.places.get(place, 0) for one in pair if one.account is account)
                for place in PLACES
            }
            gone = any(minor > account.held(place) for place, minor in net.items())
            if gone and entry.kind in ("payment", "transfer"):
                return "moved"
            if entry.kind in ("charge_back", "refund"):
                continue
            if entry.kind in MOVES_OWED:
                net = {place: -minor for place, minor in net.items()}
            if any(
                -minor > account.left(name) for name, minor in net.items() if name != "suspense" and minor < 0
            ):
                return "overpaid"
        return ""

    def pair(self, entry: Entry) -> list[Entry]:
        """The line, and of a transfer the other one too."""
        if entry.kind != "transfer":
            return [entry]
        first = entry.of or entry
        return [first, next(one for one in self.entries if one.of is first)]

    def undo_all(self, entry: Entry) -> None:
        """Undo a line or a pair; what its components can no longer take waits in suspense."""
        for one in self.pair(entry):
            self.undo(one)
        if entry.kind in TAKINGS:
            over = {name: -entry.account.left(name) for name in COMPONENTS if entry.account.left(name) < 0}
            if over:
                take = {name: -minor for name, minor in over.items()}
                self.transfer(entry.account, entry.account, take, {"suspense": sum(over.values())})

    def plan_over(self, account: Account) -> Plan | None:
        return next((plan for plan in self.plans if account in plan.accounts and not plan.ended), None)

    def count_at_counter(self, entry: Entry) -> None:
        """A payment the bank posted by itself counts for the plan over its account."""
        plan = self.plan_over(entry.account)
        if plan is not None:
            plan.counted[entry] = min(sum(entry.parts.values()), plan.left)
            plan.ended = not plan.left

    def count_no_more(self, entry: Entry) -> None:
        """The bank undid it; a plan that has ended stays ended."""
        for plan in self.plans:
            if entry in plan.counted:
                plan.counted[entry] = 0

    def money(self, attempt: Attempt, event: str, key: str, amount: int, currency: str) -> None:
        """The provider says that money came: the first that fits is credited, everything else is kept apart."""
        fits = amount == attempt.amount and currency == attempt.accounts[0].currency
        another = attempt.money is not None and attempt.money != key
        if event in self.events or (attempt.state in CREDITED and not another):
            return
        if not fits or another:
            self.aside.setdefault(key, (amount, currency))
            if not fits and attempt.state not in CREDITED:
                attempt.state = "succeeded"
        elif key not in self.aside:
            attempt.state, attempt.money = "posted", key
            self._credit(attempt)
        else:
            attempt.money = key

    def news(self, attempt: Attempt, event: str, key: str, what: str) -> None:
        """News without money."""
        if event in self.events or (attempt.money is not None and attempt.money != key):
            return
        attempt.money = key
        if what == "processing" and attempt.state == "created":
            attempt.state = "processing"
        elif what in CLOSED and attempt.state in CLOSED[what]:
            attempt.state = {"failed": "failed", "expired": "cancelled"}[what]

    def _credit(self, attempt: Attempt) -> None:
        rest = attempt.amount
        turn = sorted(attempt.accounts, key=lambda a: (not a.due_now, -a.rate, -a.days_overdue, a.ref))
        shares = dict.fromkeys((a.ref for a in turn), 0)
        for limit in ("due_now", "all_left"):
            for account in turn:
                taken = min(rest, getattr(account, limit) - shares[account.ref])
                shares[account.ref] += taken
                rest -= taken
        shares[turn[0].ref] += rest
        for account in turn:
            if shares[account.ref]:
                steps = tuple(account.steps(shares[account.ref]))
                parts, suspense = account.split(shares[account.ref])
                self.post(Entry(account, "payment", parts, suspense, attempt, steps=steps))
        plan = attempt.plan or self.plan_over(attempt.accounts[0])
        if plan is not None and not plan.ended:
            plan.counted[attempt.number] = min(attempt.amount, plan.left)
            plan.ended = not plan.left


def entry_of(account: Account, kind: str, places: dict[str, int], *, of: Entry | None = None) -> Entry:
    parts = {name: minor for name, minor in places.items() if name != "suspense"}
    return Entry(account, kind, parts, places.get("suspense", 0), of=of)


def _move(account: Account, entry: Entry, sign: int) -> None:
    sums = (
        account.forgiven
        if entry.kind in FORGIVING
        else account.owed
        if entry.kind in MOVES_OWED
        else account.paid
    )
    for name, minor in entry.parts.items():
        sums[name] += sign * minor
    account.suspense += sign * entry.suspense
