"""Base64 as notes and checkpoints write it: the standard alphabet, padded, and only the one canonical spelling.

Two spellings of one signature or root would be two notes that say the same.
"""

from __future__ import annotations

import base64
import binascii


def encode_base64(data: bytes) -> str:
    """The canonical spelling."""
    return base64.b64encode(data).decode()


def decode_base64(text: str) -> bytes | None:
    """The bytes, or None where the text is not their canonical spelling."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if encode_base64(data) == text else None
