"""The stable codes of reasons and of what may be asked for; what a machine found is always among them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from portal.plans.policy import Finding, Severity

#: What a reviewer may add to the findings of the rules.
OWN_REASONS = (
    "papers_missing",
    "figures_differ",
    "concession_not_granted",
    "earlier_plan_broken",
    "dispute_open",
    "other",
)
#: What may be asked for: papers by the kinds of documents, and answers.
PAPERS = (
    "income_proof",
    "unemployment_proof",
    "medical",
    "disaster",
    "bereavement",
    "hardship_statement",
    "other",
)
QUESTIONS = ("income", "spending", "what_happened", "how_it_will_work")

#: Findings that speak against a plan. A concession or a large sum asks for a second person, no more.
_AGAINST = (Severity.BLOCKS, Severity.NEEDS_COMMENT, Severity.NOTE)


def found_against(findings: Iterable[Finding]) -> tuple[str, ...]:
    """The codes of every rule the plan does not meet, in the order of the rules."""
    return tuple(finding.code for finding in findings if finding.severity in _AGAINST)


def declining(findings: Iterable[Finding], own: Sequence[str]) -> tuple[str, ...]:
    """The reasons a refusal carries: all that the rules found, then the reviewer's own.

    Own codes that are not listed are dropped: nobody can claim a rule was broken that was not.
    """
    return (*found_against(findings), *(code for code in OWN_REASONS if code in own))


def asked(wanted: Sequence[str]) -> tuple[str, ...]:
    """The listed papers (``paper:<kind>``) and answers (``answer:<topic>``) among `wanted`."""
    listed = (*(f"paper:{kind}" for kind in PAPERS), *(f"answer:{topic}" for topic in QUESTIONS))
    return tuple(code for code in listed if code in wanted)
