"""The public pages, as somebody without an account sees them."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.notices.showing import Showing, showing
from tests.world import World, ok

EVIL = "<script>alert(1)</script>有限公司"


@pytest.fixture(scope="module")
def desk(shared_world: World) -> Showing:
    return showing(shared_world)


def visitor(world: World) -> httpx.Client:
    client = world.anonymous()
    client.headers["Origin"] = world.base_url
    return client


def form_of(page: httpx.Response, **fields: str) -> dict[str, str]:
    found = re.search(r'name="form_token" value="([0-9a-f]{64})"', page.text)
    assert found is not None
    return {
        "form_token": found[1],
        "item_no": "1",
        "text": "该企业与申报条件不符，请核查。",
        "name": "",
        "contact": "",
    } | fields


def published(desk: Showing, **changes: object) -> str:
    firm_id = desk.world.firm(name=EVIL)
    row = {"reference_no": f"P{firm_id[-12:]}", "firm_id": firm_id, "face_value_fen": 12_345_678}
    body = {"programme_id": desk.programme_id, "declared_count": 1, "declared_total_fen": 12_345_678, "rows": [row]}
    batch_id = ok(desk.city.maker.post("/v1/issuance-batches", body))["batch_id"]
    return desk.publish({"kind": "batch", "batch_id": batch_id}, **changes)


def test_everybody_reads_the_list_in_his_language_without_scripts(desk: Showing) -> None:
    notice_id, reader = published(desk, title="某市算力券名单"), visitor(desk.world)
    listed = reader.get("/notices")
    assert "某市算力券名单" in listed.text and f"/notices/{notice_id}" in listed.text
    page = reader.get(f"/notices/{notice_id}")
    assert page.status_code == 200 and '<html lang="zh-CN">' in page.text
    assert "123,456.78" in page.text and "0571-85250000" in page.text and "提出异议" in page.text
    assert "<script" not in page.text and "&lt;script&gt;" in page.text
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    english = reader.get(f"/notices/{notice_id}?lang=en").text
    assert (
        '<html lang="en">' in english and "Object to an item" in english and f"/notices/{notice_id}?lang=zh" in english
    )
    assert "Object to an item" in reader.get(f"/notices/{notice_id}", headers={"Accept-Language": "en"}).text


def test_an_objection_is_sent_by_the_form_and_its_answer_stands_at_its_address(desk: Showing) -> None:
    notice_id, reader = published(desk), visitor(desk.world)
    page = reader.get(f"/notices/{notice_id}")
    sent = reader.post(f"/notices/{notice_id}/objections", data=form_of(page, name="李四", contact="13900139000"))
    assert sent.status_code == 303
    answer = reader.get(sent.headers["location"])
    assert "异议已收到" in answer.text and "李四" not in answer.text
    objection_id = sent.headers["location"].rsplit("/", 1)[1]
    ok(desk.decide(notice_id, objection_id, "upheld"))
    answered = reader.get(sent.headers["location"]).text
    assert "异议成立" in answered and "经核查，予以答复。" in answered
    assert (
        EVIL not in reader.get(f"/notices/{notice_id}").text
        and "&lt;script" not in reader.get(f"/notices/{notice_id}").text
    )


def test_what_is_wrong_with_the_form_is_said_and_what_was_typed_stays(desk: Showing) -> None:
    notice_id, reader = published(desk), visitor(desk.world)
    page = reader.get(f"/notices/{notice_id}")
    path = f"/notices/{notice_id}/objections"
    wrong = reader.post(path, data=form_of(page, item_no="第一", text="短", contact="137001"))
    assert wrong.status_code == 422
    assert (
        wrong.text.count('aria-invalid="true"') == 2
        and 'value="137001"' in wrong.text
        and ">短</textarea>" in wrong.text
    )
    unknown = reader.post(path, data=form_of(page, item_no="９"))
    assert unknown.status_code == 404 and unknown.text.count('aria-invalid="true"') == 1
    for data, origin in (
        (form_of(page, form_token="0" * 64), desk.world.base_url),
        (form_of(page), "https://elsewhere.example"),
    ):
        assert reader.post(path, data=data, headers={"Origin": origin}).status_code == 403
    (item,) = ok(desk.city.maker.get(f"/v1/public-notices/{notice_id}/items"))["data"]
    assert item["status"] == "listed"


def test_a_notice_that_is_over_takes_no_objection_and_later_is_gone(desk: Showing) -> None:
    notice_id, reader = published(desk), visitor(desk.world)
    desk.end(notice_id, shown=True)
    page = reader.get(f"/notices/{notice_id}")
    assert page.status_code == 200 and "公示期已满" in page.text and "<form" not in page.text
    desk.end(notice_id)
    gone = reader.get(f"/notices/{notice_id}")
    assert gone.status_code == 410 and "不再对外展示" in gone.text and "杭州" not in gone.text
    assert f"/notices/{notice_id}" not in reader.get("/notices").text
    for path in (
        "/notices/nothing",
        f"/notices/{notice_id[:-1]}0",
        "/notices/%00",
        f"/notices/{notice_id}/objections/%00",
    ):
        assert reader.get(path).status_code == 404, path
    assert reader.get("/notices?before=%00").status_code == 200
    assert reader.get(f"/notices/{notice_id}?after=x").status_code == 400
