"""Voucher codes: what people read out and type. Region, eleven random characters, one check character.

The alphabet has no letter that is taken for another sign (I, L, O, U). The check character is ISO 7064 mod 37,36: it
finds every single wrong character and nearly every swap of neighbours. Eleven characters are 55 random bits, so a
code cannot be guessed; even so a code alone spends nothing.
"""

from __future__ import annotations

import re
import secrets
from functools import lru_cache

from stdnum.iso7064 import mod_37_36

from app.kernel.widths import half_width

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_LENGTH = 18

_REGION = re.compile("[0-9]{6}")
_RANDOM_LENGTH = 11
_OF_BYTES = bytes(ALPHABET[byte % len(ALPHABET)].encode()[0] for byte in range(256))
"""For every byte a character: 256 is a multiple of 32, so each is as likely as any other."""
_SEPARATORS = re.compile(r"[\s\-_.·\u2010-\u2015\u2212]+")
_LOOK_ALIKES = str.maketrans("OIL", "011")


def new_code(region_code: str) -> str:
    """A new random code in its stored form, `330100XXXXXXXXXXXX` (about 8 µs).

    Raises ValueError unless the region is six digits.
    """
    if _REGION.fullmatch(region_code) is None:
        raise ValueError(f"{region_code!r} is not a region code of six digits.")
    while True:
        body = region_code + secrets.token_bytes(_RANDOM_LENGTH).translate(_OF_BYTES).decode()
        check = mod_37_36.calc_check_digit(body)
        if check in ALPHABET:  # the check runs over all 36 signs; a look-alike one is drawn again
            return body + check


@lru_cache(maxsize=8192)
def parse_code(text: str) -> str:
    """Read a code as it was typed and return its stored form.

    Case, width, spaces and separators do not count, and after the region O is read as 0, I and L as 1. Raises
    ValueError with a sentence in English and Chinese that says what is wrong: the length, a character and its place, or
    the check character.
    The last ones read are remembered: a voucher's code comes with each of its bills.
    """
    typed = _SEPARATORS.sub("", half_width(text)).upper()
    if len(typed) != CODE_LENGTH:
        raise ValueError(
            f"A voucher code has {CODE_LENGTH} characters; this one has {len(typed)}."
            f" / 券码为 {CODE_LENGTH} 位，现为 {len(typed)} 位。"
        )
    region_code, rest = typed[:6], typed[6:].translate(_LOOK_ALIKES)
    if _REGION.fullmatch(region_code) is None:
        raise ValueError("A voucher code begins with a region code of six digits. / 券码以六位行政区划代码开头。")
    for place, character in enumerate(rest, start=7):
        if character not in ALPHABET:
            raise ValueError(
                f"Character {place} of the voucher code, {character!r}, does not occur in such codes."
                f" / 券码第 {place} 位 {character!r} 不是券码字符。"
            )
    code = region_code + rest
    if not mod_37_36.is_valid(code):
        raise ValueError(
            "The voucher code's check character does not fit. A character is mistyped or two are swapped."
            " / 券码校验位不符，可能有一位输错或两位颠倒。"
        )
    return code


def format_code(code: str) -> str:
    """The form for people, `330100-XXXX-XXXX-XXXX`, of a stored code."""
    return f"{code[:6]}-{code[6:10]}-{code[10:14]}-{code[14:]}"


def region_of_code(code: str) -> str:
    """The issuing region's code within a stored code."""
    return code[:6]
