"""Signatures anybody can check: the bank's Ed25519 keys, what they sign, and the set that is published."""

from portal.signing import encoding as encoding
from portal.signing.jws import BadJws as BadJws
from portal.signing.jws import Jws as Jws
from portal.signing.jws import read_jws as read_jws
from portal.signing.ring import BadKeyRing as BadKeyRing
from portal.signing.ring import KeyRing as KeyRing
from portal.signing.ring import PublishedKey as PublishedKey
from portal.signing.signer import Signer as Signer
from portal.signing.signer import canonical as canonical
