"""Ids say what they name and where it lives."""

from __future__ import annotations

import re

import pytest

from app.kernel.ids import SHARED, Prefix, is_id, new_id, region_of, require_region
from app.kernel.problems import AppError, Code


def test_a_regional_id_names_its_kind_and_region() -> None:
    voucher = new_id("vch", "330100")
    assert re.fullmatch(r"vch_330100_[0-7][0-9a-hjkmnp-tv-z]{25}", voucher)
    assert is_id(voucher, "vch")
    assert not is_id(voucher, "rdm")
    assert region_of(voucher) == "330100"


def test_a_shared_id_has_no_region() -> None:
    organisation = new_id("org")
    assert re.fullmatch(r"org_[0-7][0-9a-hjkmnp-tv-z]{25}", organisation)
    assert is_id(organisation, "org")
    assert region_of(organisation) is None


def test_an_id_that_has_to_be_regional_is_refused_as_what_it_should_have_been() -> None:
    assert require_region(new_id("vch", "330100"), what="voucher") == "330100"
    with pytest.raises(AppError) as refused:
        require_region(new_id("org"), what="voucher")
    assert (refused.value.code, refused.value.context) == (Code.NOT_FOUND, {"what": "voucher"})


def test_ids_sort_by_creation() -> None:
    ids = [new_id(Prefix.ENTRY, "330100") for _ in range(5_000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("prefix", list(Prefix))
def test_every_kind_makes_ids_that_it_knows_again(prefix: Prefix) -> None:
    assert is_id(new_id(prefix, None if prefix in SHARED else "330282"), prefix)


@pytest.mark.parametrize(("prefix", "region_code"), [("xxx", "330100"), ("vch", None), ("org", "330100")])
def test_an_id_of_the_wrong_shape_is_never_made(prefix: str, region_code: str | None) -> None:
    with pytest.raises(ValueError, match=prefix):
        new_id(prefix, region_code)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "vch",
        "vch_330100_",
        "vch_330100_01m85n89dxe89r5nbcv3kzdyy",
        "vch_330100_01m85n89dxe89r5nbcv3kzdyyaa",
        "vch_330100_01M85N89DXE89R5NBCV3KZDYYA",
        "vch_330100_81m85n89dxe89r5nbcv3kzdyya",
        "vch_330100_01m85n89dxe89r5nbcv3kzdyyu",
        "vch_33010_01m85n89dxe89r5nbcv3kzdyya",
        "vch_01m85n89dxe89r5nbcv3kzdyya",
        "vch_330100_01m85n89dxe89r5nbcv3kzdyya\n",
        "vch_٣30100_01m85n89dxe89r5nbcv3kzdyya",
    ],
)
def test_what_is_malformed_is_no_id(text: str) -> None:
    assert not is_id(text, "vch")
    assert region_of(text) is None
