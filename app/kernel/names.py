"""Company names: stored as given, compared without the accidents of typing."""

from __future__ import annotations

import unicodedata

_ENDINGS = {
    "有限责任公司": "有限公司",
    "股份公司": "股份有限公司",
    "companylimited": "co.,ltd",
    "co.,limited": "co.,ltd",
    "co.,ltd.": "co.,ltd",
    "co.ltd.": "co.,ltd",
    "co.ltd": "co.,ltd",
    "coltd": "co.,ltd",
    "limited": "ltd",
    "ltd.": "ltd",
    "incorporated": "inc",
    "inc.": "inc",
}
"""Endings that say the same; the first that fits counts. Those that name another form of company are not among them."""


def comparable_name(name: str) -> str:
    """The name with widths, brackets, case, spaces and ending evened out.

    `ＡＢ（杭州） 有限责任公司` gives `ab(杭州)有限公司`.

    For comparing only; what is stored and shown is the name as it was given.
    """
    even = "".join(unicodedata.normalize("NFKC", name).casefold().split())
    for ending, usual in _ENDINGS.items():
        if even.endswith(ending) and even != ending:
            return even.removesuffix(ending) + usual if not even.endswith(usual) else even
    return even


def same_name(a: str, b: str) -> bool:
    """Whether two names differ in nothing but widths, brackets, case, spaces and the way their ending is written."""
    return comparable_name(a) == comparable_name(b)


def name_core(name: str) -> str:
    """What of a name is looked for in others: evened out, and without the ending that most names share."""
    even = comparable_name(name)
    return even.removesuffix("有限公司") or even
