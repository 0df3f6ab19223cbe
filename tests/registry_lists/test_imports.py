"""Lists over HTTP: all or none, nothing twice, changes only where they were asked for."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from app.kernel.vocabulary import OrganisationKind, Role
from tests.registry_lists.lists import FIRM_HEADINGS, A, B, C, places, upload
from tests.standing.registrar import identifier, registrar
from tests.statements.files import as_csv, as_xlsx
from tests.world import CIXI, NINGBO, World, counter, ok, problem, uscc_of

TWO = [FIRM_HEADINGS, (A, "甲（杭州）有限公司", "西湖区", "小型", "2020-05-06"), (B, "乙有限公司", "", "", "")]


def organisations(by: Any, **filters: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ok(by.get("/v1/organisations", **filters))["data"]
    return found


def test_a_list_registers_each_firm_once_however_often_it_is_sent(world: World) -> None:
    by = registrar(world)
    rehearsed = ok(upload(by, as_xlsx(TWO), dry_run="true"))
    assert (rehearsed["created_count"], rehearsed["created"][0]["organisation_id"]) == (2, None)
    assert organisations(by, kind="firm") == []
    taken = ok(upload(by, as_xlsx(TWO)))
    assert [(one["row_no"], one["identifier_value"]) for one in taken["created"]] == [(2, A), (3, B)]
    second, first = organisations(by, kind="firm")
    assert (first["name"], first["region_code"], first["profile"]["size"]) == ("甲（杭州）有限公司", "330106", "small")
    assert (second["id"], second["region_code"]) == (taken["created"][1]["organisation_id"], "330100")
    again = ok(upload(by, as_csv([*TWO, (C, "丙有限公司", "", "", "")], "gb18030")))
    assert (again["created_count"], again["unchanged_count"]) == (1, 2)
    with world.database.engine.connect() as tx:
        events = tx.execute(text("SELECT count(*) FROM audit_events WHERE action = 'organisation.registered'"))
        queued = tx.execute(text("SELECT count(*) FROM seal_queue WHERE leaf_kind = 'audit_event'"))
        assert (events.scalar_one(), queued.scalar_one()) == (3, 3)


def test_what_differs_is_told_and_changed_only_where_that_is_asked_for(world: World) -> None:
    by = registrar(world)
    ok(upload(by, as_csv(TWO)))
    other = [
        FIRM_HEADINGS,
        (A, "甲(杭州) 有限责任公司", "", "中型", ""),  # the same name; an empty cell says nothing
        (B, "乙新能源有限公司", "余杭区", "", ""),
    ]
    expected = [
        (2, [{"field": "size", "before": "small", "after": "medium"}]),
        (
            3,
            [
                {"field": "region_code", "before": "330100", "after": "330110"},
                {"field": "name", "before": "乙有限公司", "after": "乙新能源有限公司"},
            ],
        ),
    ]
    for fields in ({}, {"dry_run": "true"}):
        told = ok(upload(by, as_csv(other), **fields))
        assert [(one["row_no"], one["changes"]) for one in told["differing"]] == expected
        assert (told["changed_count"], told["unchanged_count"]) == (0, 0)
    rehearsed = ok(upload(by, as_csv(other), update="true", dry_run="true"))
    assert [(one["row_no"], one["changes"]) for one in rehearsed["changed"]] == expected
    assert {one["version"] for one in organisations(by, kind="firm")} == {1}
    changed = ok(upload(by, as_csv(other), update="true"))
    assert [(one["row_no"], one["changes"]) for one in changed["changed"]] == expected
    second, first = organisations(by, kind="firm")
    assert (first["name"], first["profile"]["size"], first["profile"]["registered_on"]) == (
        "甲（杭州）有限公司",
        "medium",
        "2020-05-06",
    )
    assert (second["name"], second["version"]) == ("乙新能源有限公司", 2)
    assert ok(upload(by, as_csv(other), update="true"))["unchanged_count"] == 2


def test_one_wrong_line_and_nothing_is_registered(world: World) -> None:
    by, elsewhere = registrar(world), registrar(world, NINGBO)
    ok(upload(elsewhere, as_csv([FIRM_HEADINGS, (C, "丙有限公司", "", "", "")]), region_code=NINGBO))
    rows = [*TWO, (uscc_of(700_004), "丁有限公司", CIXI, "", ""), (C, "丙有限公司", "", "", "")]
    assert places(upload(by, as_csv(rows))) == [
        (4, "C 所属区县", "region_foreign"),
        (5, "A 统一社会信用代码", "registered_elsewhere"),
    ]
    assert organisations(by, kind="firm") == []


def test_providers_come_with_their_sites_and_a_later_list_adds_more(world: World) -> None:
    by = registrar(world)
    headings = (
        "统一社会信用代码",
        "名称",
        "机构类别",
        "加速卡数量",
        "机房编号",
        "机房名称",
        "机房行政区划",
        "机房卡数",
    )
    rows = [
        (A, "某算力中心", "算力", "100", "A-1", "一号机房", "330106", "60"),
        (A, "某算力中心", "", "", "A-2", "二号机房", "330110", "40"),
    ]
    ok(upload(by, as_csv([headings, *rows]), kind="providers"))
    (provider,) = organisations(by, kind="provider")
    profile = provider["profile"]
    assert (profile["provider_kind"], profile["capacity_cards"]) == ("compute", 100)
    assert [(site["code"], site["capacity_cards"]) for site in profile["sites"]] == [("A-1", 60), ("A-2", 40)]
    assert ok(upload(by, as_csv([headings, *rows]), kind="providers"))["unchanged_count"] == 1
    third = (A, "某算力中心", "", "120", "A-3", "三号机房", "330106", "20")
    told = ok(upload(by, as_csv([headings, third]), kind="providers", update="true"))
    assert [change["field"] for change in told["changed"][0]["changes"]] == ["capacity_cards", "sites"]
    (provider,) = organisations(by, kind="provider")
    assert [site["code"] for site in provider["profile"]["sites"]] == ["A-1", "A-2", "A-3"]
    wrong = [
        (A, "某算力中心", "", "", "A-4", "四号机房", "330106", "1"),  # its sites would have 121 of 120
        (B, "别的中心", "", "", "", "", "", ""),
        (C, "第三中心", "算力", "", "C-1", "一号机房", "330106", ""),
        (C, "第三中心", "诊断", "", "C-2", "二号机房", "330106", ""),
    ]
    assert places(upload(by, as_csv([headings, *wrong]), kind="providers")) == [
        (2, None, "profile_unfit"),
        (3, "C 机构类别", "provider_kind_missing"),
        (5, "C 机构类别", "differs_from_row"),
    ]


def test_a_bureaus_list_gives_its_firms_a_tag_that_rules_ask_for(world: World) -> None:
    city, by = world.city(), registrar(world)
    only = {"name": "hi_tech", "when": {"kind": "is", "fact": "holder.tags", "one_of": ["高新"]}}
    shop = counter(city, requirements=[only])
    problem(shop.redeem(1_000), 422, "not_eligible")
    firm_id = shop.voucher["firm_id"]
    code, name = identifier(by, firm_id)["value"], ok(by.get(f"/v1/organisations/{firm_id}"))["name"]
    said = {
        "tag": "国家高新技术企业",
        "since_on": "2024-12-01",
        "until_on": "2126-11-30",
        "evidence": "国科火字〔2024〕1号",
    }
    data = as_csv([("统一社会信用代码", "名称"), (code, name)])
    assert ok(upload(by, data, kind="tags", **said, dry_run="true"))["created_count"] == 1
    problem(shop.redeem(1_000), 422, "not_eligible")
    assert ok(upload(by, data, kind="tags", **said))["created_count"] == 1
    assert ok(shop.redeem(1_000))["subsidy_fen"] == 300, "a variant is the usual tag"
    (tag,) = ok(by.get(f"/v1/organisations/{firm_id}"))["profile"]["tags"]
    assert tag == {"name": said.pop("tag"), **said}
    assert ok(upload(by, data, kind="tags", tag="高新", **said))["unchanged_count"] == 1, "one tag by another name"
    longer = said | {"tag": "高新", "until_on": "2127-11-30"}
    assert ok(upload(by, data, kind="tags", **longer))["differing_count"] == 1
    (change,) = ok(upload(by, data, kind="tags", update="true", **longer))["changed"][0]["changes"]
    assert (change["before"], change["after"]["until_on"]) == ([tag], "2127-11-30")
    assert len(ok(by.get(f"/v1/organisations/{firm_id}"))["profile"]["tags"]) == 1
    rows = [("统一社会信用代码", "名称", "标签"), (code, "别的公司", "高新"), (A, "", "高新"), (code, name, "")]
    assert places(upload(by, as_csv(rows), kind="tags", since_on="2024-01-01")) == [
        (2, "B 名称", "name_differs"),
        (3, "A 统一社会信用代码", "firm_unknown"),
        (4, "C 标签", "tag_missing"),
    ]
    assert {"高新", "小巨人", "培育库"} <= {one["name"] for one in ok(by.get("/v1/organisation-lists/tags"))}


def test_a_debarment_list_is_one_approval(world: World) -> None:
    city = world.city()
    firm_id = world.firm(name="失信（杭州）有限公司")
    code = identifier(city.maker, firm_id)["value"]
    headings = ("统一社会信用代码", "名称", "列入原因", "决定文号", "列入日期", "截止日期")
    good = as_csv(
        [
            headings,
            (code, "失信(杭州)有限公司", "骗补", "文1号", "2026-01-01", "2126-01-01"),
            (A, "外地公司", "失信", "文2号", "2026-01-01", ""),
        ]
    )

    def send(by: Any, data: bytes, **fields: str) -> Any:
        form = {"region_code": city.region_code, "authority_id": city.authority_id} | fields
        return by.http.post("/v1/debarment-lists", data=form, files={"file": ("失信名单.csv", data)})

    assert (ok(send(city.maker, good, dry_run="true"))["approval"], send(city.checker, good).status_code) == (None, 403)
    asked = send(city.maker, good, checkpoints="apply,pay")
    assert asked.status_code == 202
    effect = asked.json()["approval"]["effect"]
    assert (effect["count"], [one["organisation_id"] for one in effect["registered"]]) == (2, [firm_id])
    problem(send(city.maker, good, checkpoints="apply,pay"), 409, "approval_pending")
    ok(city.checker.post(f"/v1/approvals/{asked.json()['approval']['id']}/approve"))
    entries = ok(city.auditor.get("/v1/debarments"))["data"]
    assert {(one["identifier"]["value"], one["document_no"]) for one in entries} == {(code, "文1号"), (A, "文2号")}
    assert entries[0]["checkpoints"] == ["apply", "pay"]
    again = send(city.maker, good)
    assert (again.status_code, again.json()["known_count"]) == (200, 2)
    bad = as_csv([headings, (code, "别人", "骗补", "文1号", "2020-01-01", "2020-12-31")])
    assert places(send(city.maker, bad)) == [(2, "B 名称", "name_differs"), (2, "F 截止日期", "until_past")]


def test_who_may_send_a_list(world: World) -> None:
    city, by = world.city(), registrar(world)
    data = as_csv(TWO)
    for actor in (city.maker, city.finance, world.person(Role.FIRM, world.firm())):
        problem(upload(actor, data), 403, "forbidden")
    problem(upload(by, data, region_code=NINGBO), 404, "not_found")
    for fields, pointer in (
        ({"tag": "高新"}, "/tag"),
        ({"kind": "debarments"}, "/kind"),
        ({"kind": "tags", "region_code": "330100"}, "/region_code"),
        ({"updat": "true"}, "/updat"),
    ):
        refused = problem(upload(by, data, **fields), 422, "validation_failed")
        assert [error["pointer"] for error in refused["errors"]] == [pointer]
    assert by.get("/v1/organisation-lists/template", kind="providers").content.startswith(b"PK")


def test_organisations_are_found_by_name_however_it_is_written(world: World) -> None:
    by = registrar(world)
    firm_id = world.firm(name="云栖智算（杭州）科技有限公司")
    world.firm(name="别的_公司")
    for asked in ("云栖", "智算(杭州)", "云栖 智算（杭州） 科技有限责任公司", "智算（杭州）科技"):
        assert [one["id"] for one in organisations(by, name=asked)] == [firm_id], asked
    upper = world.organisation(OrganisationKind.FIRM, name="ＡＢＣ 科技有限公司")
    assert [one["id"] for one in organisations(by, name="abc科技")] == [upper]
    assert organisations(by, name="%") == []
