"""What papers are asked for, how much a case may hold, and the codes of what can be wrong. Pure."""

from __future__ import annotations

from dataclasses import dataclass

#: The papers banks ask for; words in the templates.
KINDS = (
    "income_proof",
    "unemployment_proof",
    "hardship_statement",
    "medical",
    "bereavement",
    "disaster",
    "other",
)

#: Papers that tell something about health: separate consent first (PIPL art. 29).
SENSITIVE_KINDS = frozenset({"medical", "bereavement"})

#: Why a reviewer cannot use a paper; the borrower is told in these words' translation.
UNSUITABLE_REASONS = ("illegible", "incomplete", "wrong_kind", "out_of_date", "not_yours")

#: Why a file could not be turned into pages, as the child that tried says it by exit status.
UNREADABLE_REASONS = (
    "damaged",
    "encrypted",
    "too_many_pages",
    "too_many_pixels",
    "too_complex",
    "lost",
)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is taken in: bytes a file, files and bytes a case, pages and pixels a file."""

    file_bytes: int = 10 * 2**20
    case_files: int = 20
    case_bytes: int = 100 * 2**20
    pages: int = 20
    pixels: int = 40_000_000


DEFAULT_LIMITS = Limits()
