"""Regions of China by their GB/T 2260 code: six digits, two each for province, prefecture and county.

The names come from python-stdnum's table. It keeps codes that are no longer in use, with their years; those do not
count here, because nobody issues vouchers for a county that has been dissolved.
"""

from __future__ import annotations

import re
from functools import lru_cache

from stdnum import numdb

_REGION = re.compile("[0-9]{6}")
_DATED_NAME = re.compile(r"\[[0-9]*-(?P<until>[0-9]*)\](?P<name>.+)")

_NEWER = {"330113": "临平区", "330114": "钱塘区"}
"""In force since the change of Hangzhou's districts in 2021; python-stdnum 2.2 has only its abolished ones."""


def is_region(code: str) -> bool:
    """Whether `code` is a province, prefecture or county of today."""
    return _name(code) is not None


def region_name(code: str) -> str:
    """The Chinese name, `浙江省`, `杭州市`, `西湖区`. Raises ValueError for a code that is not in use."""
    name = _name(code)
    if name is None:
        raise ValueError(f"{code!r} is not the code of a region in use (GB/T 2260).")
    return name


def covers(outer: str, inner: str) -> bool:
    """Whether region `outer` is `inner` or contains it: 330000 and 330100 cover 330106, 330200 does not."""
    if outer == inner:
        return True
    if outer.endswith("0000"):
        return inner[:2] == outer[:2]
    return outer.endswith("00") and inner[:4] == outer[:4]


def city_of(code: str) -> str:
    """The code of the prefecture a region lies in: 330106 is in 330100. A province is its own."""
    return f"{code[:4]}00"


@lru_cache(maxsize=64)
def regions_named(name: str, within: str) -> tuple[str, ...]:
    """The regions of that name in a province or city, itself included: `西湖区` in 330100 is 330106."""
    prefix = within.removesuffix("00").removesuffix("00")
    free = 6 - len(prefix)
    codes = [f"{prefix}{number:0{free}d}" for number in range(10**free)] if free else [within]
    return tuple(code for code in codes if _name(code) == name)


@lru_cache(maxsize=4096)
def _name(code: str) -> str | None:
    if _REGION.fullmatch(code) is None:
        return None
    if code in _NEWER:
        return _NEWER[code]
    properties = {key: value for _, found in numdb.get("cn/loc").info(code) for key, value in found.items()}
    for dated in properties.get("county", "").split(","):
        match = _DATED_NAME.fullmatch(dated)
        if match is None or not match["until"]:
            return (match["name"] if match else dated) or None
    return None
