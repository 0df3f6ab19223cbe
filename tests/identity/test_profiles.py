from __future__ import annotations

from typing import Any

import pytest

from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import OrganisationKind
from app.services.profiles import checked_profile

FIRM, PROVIDER = OrganisationKind.FIRM, OrganisationKind.PROVIDER


def places(kind: OrganisationKind, given: object) -> list[str]:
    with pytest.raises(AppError) as refusal:
        checked_profile(kind, given)
    assert refusal.value.code is Code.VALIDATION_FAILED
    return [error.pointer for error in refusal.value.errors]


def test_a_firms_profile_is_stored_complete_as_plain_json() -> None:
    given = {"size": "small", "tags": [{"name": " 高新 ", "since_on": "2024-05-01"}]}
    assert checked_profile(FIRM, given) == {
        "size": "small",
        "industry": None,
        "tags": [{"name": "高新", "since_on": "2024-05-01", "until_on": None}],
        "group": None,
        "registered_on": None,
        "facts": {},
    }


def test_a_providers_profile_names_its_sites() -> None:
    site = {"code": "lz-1", "name": "一号机房", "region_code": "330110"}
    given = {"provider_kind": "compute", "facility_class": "domestic", "capacity_cards": 4096, "sites": [site]}
    assert checked_profile(PROVIDER, given) == given | {
        "capacity_pflops": None,
        "racks": 0,
        "facts": {},
        "sites": [site | {"facility_class": None, "capacity_cards": 0, "capacity_pflops": None}],
    }


def test_facts_that_rules_declare_are_kept_with_their_types() -> None:
    given = {
        "facts": {"listed_613": True, "parks": ["张江AI创新小镇"], "credit_score": 720, "held_since": "2024-05-01"}
    }
    assert checked_profile(FIRM, given)["facts"] == given["facts"]
    assert places(FIRM, {"facts": {"Listed": True}}) == ["/profile/facts/Listed"]


@pytest.mark.parametrize("kind", set(OrganisationKind) - {FIRM, PROVIDER})
def test_others_have_none(kind: OrganisationKind) -> None:
    assert checked_profile(kind, {}) == {}
    assert places(kind, {"size": "small"}) == ["/profile/size"]


@pytest.mark.parametrize(
    ("kind", "given", "pointer"),
    [
        (FIRM, {"sise": "small"}, "/profile/sise"),
        (FIRM, {"a/b~c": 1}, "/profile/a~1b~0c"),
        (FIRM, {"size": "huge"}, "/profile/size"),
        (FIRM, {"industry": "软件\x00"}, "/profile/industry"),
        (FIRM, {"tags": [{"name": "高新"}]}, "/profile/tags/0/since_on"),
        (FIRM, {"tags": [{"name": "x", "since_on": "2024-05-02", "until_on": "2024-05-01"}]}, "/profile/tags/0"),
        (FIRM, [], "/profile"),
        (FIRM, None, "/profile"),
        (PROVIDER, {}, "/profile/provider_kind"),
        (PROVIDER, {"provider_kind": "compute", "capacity_cards": -1}, "/profile/capacity_cards"),
        (PROVIDER, {"provider_kind": "compute", "capacity_cards": 1.0}, "/profile/capacity_cards"),
        (
            PROVIDER,
            {"provider_kind": "compute", "sites": [{"code": "a", "name": "a", "region_code": "339999"}]},
            "/profile/sites/0/region_code",
        ),
    ],
    ids=str,
)
def test_what_does_not_belong_is_named_in_its_place(kind: OrganisationKind, given: Any, pointer: str) -> None:
    assert places(kind, given) == [pointer]


def test_two_sites_need_two_codes() -> None:
    site = {"code": "a", "name": "a", "region_code": "330110"}
    assert places(PROVIDER, {"provider_kind": "compute", "sites": [site, site]}) == ["/profile"]


def test_the_registrys_own_facts_are_not_told_twice() -> None:
    assert places(FIRM, {"facts": {"region_code": "110101"}}) == ["/profile/facts"]
    assert places(PROVIDER, {"provider_kind": "compute", "facts": {"capacity_cards": 99999}}) == ["/profile/facts"]


SITE = {"code": "lz-1", "name": "一号机房", "region_code": "330110"}


@pytest.mark.parametrize(
    ("changes", "pointer", "limit", "actual"),
    [
        ({"capacity_cards": -1}, "/profile/capacity_cards", 0, -1),
        ({"capacity_cards": 10_000_001}, "/profile/capacity_cards", 10_000_000, 10_000_001),
        ({"capacity_cards": 8.0}, "/profile/capacity_cards", None, "8.0"),
        ({"capacity_pflops": "9999999999"}, "/profile/capacity_pflops", 10_000_000, "9999999999"),
        ({"sites": [SITE | {"capacity_cards": -8}]}, "/profile/sites/0/capacity_cards", 0, -8),
        (
            {"sites": [SITE | {"capacity_pflops": "10000001"}]},
            "/profile/sites/0/capacity_pflops",
            10_000_000,
            "10000001",
        ),
        (
            {"capacity_cards": 8, "sites": [SITE | {"capacity_cards": 5}, SITE | {"code": "b", "capacity_cards": 4}]},
            "/profile/capacity_cards",
            9,
            8,
        ),
        (
            {"capacity_pflops": "1", "sites": [SITE | {"capacity_pflops": "1.5"}]},
            "/profile/capacity_pflops",
            "1.5",
            "1",
        ),
    ],
)
def test_an_absurd_capacity_is_refused_with_what_would_do(
    changes: dict[str, Any], pointer: str, limit: object, actual: object
) -> None:
    with pytest.raises(AppError) as refusal:
        checked_profile(PROVIDER, {"provider_kind": "compute"} | changes)
    (error,) = refusal.value.errors
    assert (error.pointer, error.limit, error.actual) == (pointer, limit, actual)


def test_sites_may_have_all_that_the_provider_has() -> None:
    sites = [SITE | {"capacity_cards": 5, "capacity_pflops": "1.5"}]
    stored = checked_profile(PROVIDER, {"provider_kind": "compute", "capacity_cards": 5, "sites": sites})
    assert stored["sites"][0]["capacity_pflops"] == "1.5"
