"""Full-width characters, as Chinese input methods write them, brought to their ASCII form."""

from __future__ import annotations

_HALF_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
_WIDE_SPACES = {0x3000: 0x20, 0xA0: 0x20}


def half_width(text: str) -> str:
    """`text` with full-width letters, digits, signs and spaces in their ASCII form, and nothing else changed.

    Not NFKC: that would also read `1²` as `12` and `①` as `1`, which in an amount or a code is a wrong guess.
    """
    return text.translate(_HALF_WIDTH)


def is_printable(text: str) -> bool:
    """Whether people can read every character of a line: `str.isprintable`, but full-width and no-break spaces pass.

    Chinese input methods write the former, and what is copied from a document often has the latter.
    """
    return text.isprintable() or text.translate(_WIDE_SPACES).isprintable()
