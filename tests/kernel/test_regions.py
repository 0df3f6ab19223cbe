"""GB/T 2260 codes at their three levels."""

from __future__ import annotations

import pytest

from app.kernel.regions import covers, is_region, region_name, regions_named


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("330000", "浙江省"),
        ("330100", "杭州市"),
        ("330106", "西湖区"),
        ("330113", "临平区"),
        ("330114", "钱塘区"),
        ("330206", "北仑区"),
        ("330282", "慈溪市"),
        ("330302", "鹿城区"),
        ("110000", "北京市"),
        ("650000", "新疆维吾尔自治区"),
    ],
)
def test_every_level_has_its_name_of_today(code: str, name: str) -> None:
    assert is_region(code)
    assert region_name(code) == name


@pytest.mark.parametrize(
    "code", ["", "33", "3301", "33010", "3301060", "990000", "339900", "330199", "33010a", "３３０１００", "330100\n"]
)
def test_what_is_no_code_of_a_region_is_refused(code: str) -> None:
    assert not is_region(code)
    with pytest.raises(ValueError, match="GB/T 2260"):
        region_name(code)


@pytest.mark.parametrize("code", ["330103", "330104", "330222", "332500"])
def test_a_dissolved_region_no_longer_counts(code: str) -> None:
    assert not is_region(code)


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ("330000", "330000"),
        ("330000", "330100"),
        ("330000", "330282"),
        ("330100", "330106"),
        ("330106", "330106"),
    ],
)
def test_a_region_covers_itself_and_what_lies_within(outer: str, inner: str) -> None:
    assert covers(outer, inner)


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ("330100", "330000"),
        ("330106", "330100"),
        ("330100", "330282"),
        ("330000", "310100"),
        ("330282", "330283"),
    ],
)
def test_a_region_covers_neither_its_neighbour_nor_what_contains_it(outer: str, inner: str) -> None:
    assert not covers(outer, inner)


def test_a_name_is_looked_for_within_a_region() -> None:
    assert regions_named("西湖区", "330100") == ("330106",)
    assert regions_named("西湖区", "330106") == ("330106",)
    assert regions_named("西湖区", "330200") == ()
    assert regions_named("杭州市", "330000") == ("330100",)
    assert regions_named("临平区", "330100") == ("330113",)
