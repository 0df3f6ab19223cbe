"""Recognitions under any of their names."""

from __future__ import annotations

import pytest

from app.kernel.tags import KNOWN_TAGS, same_tag, usual_tag


@pytest.mark.parametrize(
    ("written", "usual"),
    [
        ("高新", "高新"),
        ("国家高新技术企业", "高新"),
        ("专精特新“小巨人”企业", "小巨人"),
        ("国家级专精特新「小巨人」企业", "小巨人"),
        ("专精特新 中小企业", "专精特新"),
        ("入库培育企业", "培育库"),
        ("本地独有的称号", "本地独有的称号"),
    ],
)
def test_a_variant_has_its_usual_name_and_any_other_stands_for_itself(written: str, usual: str) -> None:
    assert usual_tag(written) == usual
    assert same_tag(written, usual)


def test_no_word_means_two_recognitions() -> None:
    words = [word for usual, others in KNOWN_TAGS.items() for word in (usual, *others)]
    assert len(set(words)) == len(words)
    assert not same_tag("专精特新", "小巨人")
