"""A provider is admitted with a price list that a second person approved, as a whole."""

from __future__ import annotations

from typing import Any

import pytest

from tests.world import World, ok, problem

H800 = {"category": "training", "unit": "card_hour", "unit_price": "35", "accelerator": "nvidia_h800"}
ANY = {"category": "training", "unit": "card_hour", "unit_price": "18.50"}


def test_a_list_is_in_the_act_and_holds_once_it_is_approved(world: World) -> None:
    city = world.city()
    programme_id, provider_id = city.programme(), world.provider()
    path = f"/v1/programmes/{programme_id}/providers/{provider_id}"
    asked = ok(city.maker.http.put(path, json={"categories": ["training"], "prices": [ANY, H800]}))
    assert asked["approval"]["command"]["prices"] == asked["approval"]["effect"]["prices"] == [ANY, H800]
    assert ok(city.maker.get(path))["prices"] == []
    ok(city.checker.post(f"/v1/approvals/{asked['approval']['id']}/approve"))
    assert ok(city.maker.get(path))["prices"] == [ANY | {"accelerator": None}, H800]
    assert ok(world.machine(provider_id).get(path))["prices"] == [ANY | {"accelerator": None}, H800]
    ok(city.approve(city.maker.http.put(path, json={"categories": ["training"]})))
    assert ok(city.maker.get(path))["prices"] == []


@pytest.mark.parametrize(
    ("prices", "pointer", "limit", "actual"),
    [
        ([ANY | {"category": "storage"}], "/prices/0/category", "training", "storage"),
        ([ANY, H800, ANY], "/prices/2/category", "/prices/0", "training"),
        ([H800 | {"unit": "day"}], "/prices/0/accelerator", "card_hour", "day"),
        ([ANY | {"unit_price": "0"}], "/prices/0/unit_price", None, "0"),
        ([ANY | {"unit_price": "-1"}], "/prices/0/unit_price", None, "-1"),
        ([ANY | {"unit_price": 18.5}], "/prices/0/unit_price", None, "18.5"),
        ([ANY] * 201, "/prices", 200, 201),
    ],
)
def test_a_list_that_makes_no_sense_is_refused_before_anybody_is_asked(
    shared_world: World, prices: list[dict[str, Any]], pointer: str, limit: object, actual: object
) -> None:
    city = shared_world.city()
    path = f"/v1/programmes/{city.programme()}/providers/{shared_world.provider()}"
    refused = problem(
        city.maker.http.put(path, json={"categories": ["training"], "prices": prices}), 422, "validation_failed"
    )
    (place,) = refused["errors"]
    assert (place["pointer"], place.get("limit"), place.get("actual")) == (pointer, limit, actual)
    problem(city.maker.get(path), 404, "not_found")


def test_an_unknown_card_in_a_list_is_told_the_known_ones(world: World) -> None:
    city = world.city()
    path = f"/v1/programmes/{city.programme()}/providers/{world.provider()}"
    body = {"categories": ["training"], "prices": [H800 | {"accelerator": "tpu_v9"}]}
    (place,) = problem(city.maker.http.put(path, json=body), 422, "validation_failed")["errors"]
    assert (place["pointer"], place["code"]) == ("/prices/0/accelerator", "accelerator_not_known")
    assert "nvidia_h800" in place["limit"]
