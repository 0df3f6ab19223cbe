"""统一社会信用代码, the identifier of every legal person in China (GB 32100-2015).

Eighteen characters: registering body and kind (2), region (6), organisation code with a check character of its own
(9, GB 11714), check character (1).
"""

from __future__ import annotations

import re
from operator import mul

from stdnum.cn import uscc

from app.kernel.widths import half_width

USCC_LENGTH = 18

_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_WEIGHTS = tuple(3**place % 31 for place in range(17))
_USUAL = re.compile(f"[{_ALPHABET}]{{2}}[0-9]{{6}}[{_ALPHABET}]{{8}}[0-9X][{_ALPHABET}]")
_VALUES = {ord(character): value for value, character in enumerate(_ALPHABET)}
_VALUES_36 = {ord(character): int(character, 36) for character in _ALPHABET}
_SPACES = re.compile(r"[\s\-]+")


class UsccError(ValueError):
    """Not a valid 统一社会信用代码; the message is a sentence that says why."""


class UsccLengthError(UsccError):
    """Too short or too long; `length` says by how much."""

    def __init__(self, length: int) -> None:
        self.length = length
        super().__init__(f"A unified social credit code has {USCC_LENGTH} characters; this one has {length}.")


class UsccCharacterError(UsccError):
    """A character that cannot stand at that `position` (counted from 1)."""

    def __init__(self, position: int, character: str) -> None:
        self.position, self.character = position, character
        super().__init__(f"Character {position} of the unified social credit code cannot be {character!r}.")


class UsccCheckError(UsccError):
    """The check character at `position` (17 organisation code, 18 the whole) does not follow from those before it."""

    def __init__(self, position: int, *, expected: str, found: str) -> None:
        self.position, self.expected, self.found = position, expected, found
        part = "whole code" if position == USCC_LENGTH else "organisation code (characters 9 to 17)"
        super().__init__(
            f"Character {position} of the unified social credit code, the check character of the {part}, "
            f"should be {expected!r} but is {found!r}. Some character is mistyped."
        )


def parse_uscc(text: str) -> str:
    """Read a code as it was typed, whatever its width, case and spaces, and return it in its one stored form.

    Raises UsccLengthError, UsccCharacterError or UsccCheckError, the first that applies.
    """
    if _is_sound(text):
        return text
    code = _SPACES.sub("", half_width(text)).upper()
    if len(code) != USCC_LENGTH:
        raise UsccLengthError(len(code))
    for position, character in enumerate(code, start=1):
        if character not in _ALPHABET or (3 <= position <= 8 and not character.isdigit()):
            raise UsccCharacterError(position, character)
    _check(18, expected=uscc.calc_check_digit(code), found=code[17])
    _check(17, expected=organisation_check(code[8:16]), found=code[16])
    return code


def _is_sound(code: str) -> bool:
    """Whether it is a valid code as it stands: a tenth of the time that it takes to say what is wrong with one."""
    if _USUAL.fullmatch(code) is None:
        return False
    body = map(ord, code.translate(_VALUES))
    if _ALPHABET[-sum(map(mul, body, _WEIGHTS)) % 31] != code[17]:
        return False
    organisation = map(ord, code[8:16].translate(_VALUES_36))
    return "0123456789X"[-sum(map(mul, organisation, _ORGANISATION_WEIGHTS)) % 11] == code[16]


def _check(position: int, *, expected: str, found: str) -> None:
    if expected != found:
        raise UsccCheckError(position, expected=expected, found=found)


def organisation_check(body: str) -> str:
    """The check character of an organisation code's eight characters (GB 11714): weighted sum, mod 11, 10 is X."""
    total = sum(int(character, 36) * weight for character, weight in zip(body, _ORGANISATION_WEIGHTS, strict=True))
    return "0123456789X"[-total % 11]
