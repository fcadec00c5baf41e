"""Which online ways to pay this device is offered: the bank's choice, without what its screen cannot use."""

from __future__ import annotations

from flask import request

from portal.web.context import portal

#: What the provider's page may offer, where the bank's policy names nothing else.
ONLINE_METHODS = ("alipay", "wechat_pay", "card")


def online_methods() -> tuple[str, ...]:
    """The online methods in the order in which this device can use them; none without a provider."""
    settings = portal().settings
    if not portal().stripe.available:
        return ()
    named = tuple(settings.bank.policy.get("online_methods", ONLINE_METHODS))
    allowed = [method for method in named if method != "card" or settings.card_payments]
    if "Mobi" in request.headers.get("User-Agent", ""):
        # a phone cannot scan the code that its own screen shows
        allowed.sort(key=lambda method: ("alipay", "card", "wechat_pay").index(method))
    return tuple(allowed)
