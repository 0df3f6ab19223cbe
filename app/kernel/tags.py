"""Recognitions of firms (企业标签) that policies everywhere ask for, and the other ways in which they are written.

The list is closed for nobody: a name that is not here stands for itself. What a variant means is added to what was
written, never put in its place.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import lru_cache

KNOWN_TAGS: Mapping[str, tuple[str, ...]] = {
    "高新": ("高新技术企业", "国家高新技术企业", "国高企", "高企", "国高新", "国家级高新技术企业"),
    "科技型中小企业": ("科技中小企业", "国家科技型中小企业", "科小"),
    "创新型中小企业": ("创新中小企业", "省级创新型中小企业"),
    "专精特新": ("专精特新中小企业", "专精特新企业", "省级专精特新", "省级专精特新中小企业", "市级专精特新"),
    "小巨人": (
        "专精特新小巨人",
        "专精特新小巨人企业",
        "国家级专精特新小巨人",
        "国家专精特新小巨人",
        "国家级专精特新小巨人企业",
        "国家级小巨人",
        "小巨人企业",
    ),
    "单项冠军": ("制造业单项冠军", "制造业单项冠军企业", "国家级制造业单项冠军", "单项冠军企业"),
    "培育库": ("培育库企业", "入库培育企业", "入库企业", "专精特新培育库", "高企培育库", "高新技术企业培育库"),
    "规上": ("规模以上", "规上企业", "规上工业企业", "规模以上企业", "规模以上工业企业"),
    "初创": ("初创企业", "初创型企业", "初创期企业"),
    "瞪羚": ("瞪羚企业",),
    "独角兽": ("独角兽企业",),
    "雏鹰": ("雏鹰企业",),
    "链主": ("链主企业", "产业链链主企业"),
}
"""The usual name, and what else says the same."""

_MARKS = str.maketrans("", "", "\"'“”‘’「」『』《》·")


def _even(name: str) -> str:
    return "".join(unicodedata.normalize("NFKC", name).translate(_MARKS).casefold().split())


_USUAL = {_even(word): usual for usual, others in KNOWN_TAGS.items() for word in (usual, *others)}


@lru_cache(maxsize=4096)
def usual_tag(name: str) -> str:
    """The usual name of a recognition: `专精特新“小巨人”企业` is `小巨人`. One that nobody knows is as it was given."""
    return _USUAL.get(_even(name), name)


def same_tag(a: str, b: str) -> bool:
    """Whether two names mean one recognition."""
    return _even(usual_tag(a)) == _even(usual_tag(b))
