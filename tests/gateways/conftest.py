"""The provider the contract is kept with: Stripe itself where a key is given, else the sandbox."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from portal.demo.stripe_sandbox import Sandbox
from portal.gateways.stripe import StripeGateway

SECRET = "whsec_one"


@pytest.fixture
def provider() -> Iterator[StripeGateway]:
    """The gateway over Stripe where a key is given, else over a sandbox on a free port."""
    key = os.environ.get("STRIPE_CONTRACT_KEY")
    if key:
        yield StripeGateway(api_key=key, webhook_secrets=(SECRET,))
        return
    sandbox = Sandbox(webhook_url="http://127.0.0.1:9/none", secret=SECRET)
    sandbox.start()
    yield StripeGateway(api_key="sk_test_portal", webhook_secrets=(SECRET,), api_base=sandbox.origin)
    sandbox.stop()
