"""The demonstration bank: its export, phone, staff page and payment sandbox. Refuses production."""

from __future__ import annotations

from pathlib import Path

from portal.settings import BadSettings, Settings

#: The export the demonstration takes in.
EXPORT = Path(__file__).parent / "harbour"
MAPPING = "harbour"
#: The API key that means: no key, use the sandbox.
SANDBOX_KEY = "sk_test_sandbox"
#: The borrower the demonstration starts with: two card accounts, a visit announced.
FIRST_BORROWER = "C800138"


def refuse_production(settings: Settings) -> None:
    """Stop where the settings are those of a real installation (BadSettings)."""
    if not settings.is_demonstration:
        raise BadSettings("PORTAL_ENVIRONMENT is production: the demonstration does not run there")
