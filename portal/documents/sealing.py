"""Encryption of one file and its pages under the file's own key; the master key only wraps that key."""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from portal.keys import Keys, Unsealable

PURPOSE = "document.file_key"


def new_file_key(keys: Keys) -> bytes:
    """A fresh AES-256 key, sealed by the master key: the form that is stored. Deleting it shreds the file."""
    return keys.seal_bytes(PURPOSE, AESGCM.generate_key(256))


def seal(keys: Keys, file_key_sealed: bytes, storage_key: str, data: bytes) -> bytes:
    """`data` under the file's key, bound to the name it is stored under."""
    nonce = os.urandom(12)
    file_key = keys.unseal_bytes(PURPOSE, file_key_sealed)
    return nonce + AESGCM(file_key).encrypt(nonce, data, storage_key.encode())


def unseal(keys: Keys, file_key_sealed: bytes, storage_key: str, sealed: bytes) -> bytes:
    """What `seal` was given. Raises Unsealable for another key, another name or changed bytes."""
    file_key = keys.unseal_bytes(PURPOSE, file_key_sealed)
    try:
        return AESGCM(file_key).decrypt(sealed[:12], sealed[12:], storage_key.encode())
    except InvalidTag:
        raise Unsealable(PURPOSE) from None
