"""Company names: stored as given, compared without the accidents of typing."""

from __future__ import annotations

import unicodedata


def comparable_name(name: str) -> str:
    """The name with widths, brackets, case and spaces evened out: `ＡＢ（杭州） 有限公司` gives `ab(杭州)有限公司`.

    For comparing only; what is stored and shown is the name as it was given.
    """
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())


def same_name(a: str, b: str) -> bool:
    """Whether two names differ in nothing but widths, brackets, case and spaces."""
    return comparable_name(a) == comparable_name(b)
