"""Allocation lists as officials have them: frozen from .xlsx and CSV by every way of allocating, or refused by row."""

from __future__ import annotations

from typing import Any

import pytest

from app.api.spreadsheets import XLSX
from app.kernel.vocabulary import Role
from app.services.sheets.workbook import read_worksheets
from tests.allocation.rounds import Round, announced, faces, programme, propose, rows_of
from tests.allocation.sheets import FOUR, annotated, freeze, list_of
from tests.issuance.sheets import workbook_of
from tests.issuance.test_batches import counts, firm_of
from tests.world import CIXI, World, ok, problem, programme_body

TIERS = [{"tier": "一等", "share": "0.5"}, {"tier": "Ｂ级", "share": "0.5"}]
LEVELS = [{"value": "national", "limit_fen": 30_000}, {"value": "provincial", "limit_fen": 15_000}]


def granted(proposed: dict[str, Any]) -> list[tuple[str, int]]:
    return [(one["reference_no"], one["granted_fen"]) for one in proposed["awards"]]


def places(refused: dict[str, Any]) -> list[tuple[int | None, str, str]]:
    """Row, column (of the form: the field) and code of each error."""
    return [
        (one.get("row"), one.get("column", one["pointer"]).partition(" ")[0], one["code"]) for one in refused["errors"]
    ]


@pytest.mark.parametrize(
    ("allocation", "marks", "expected"),
    [
        ({"method": "first_come"}, {}, [("A", 10_000), ("B", 5_000), ("C", 0)]),
        ({"method": "pro_rata"}, {}, [("A", 5_000), ("B", 5_000), ("C", 5_000)]),
        (
            {"method": "ranked"},
            {"score": [86.2, "８６．２５", "9.5"]},
            [("B", 10_000), ("A", 5_000), ("C", 0)],
        ),
        (
            {"method": "quota_tiers", "quotas": TIERS},
            {"tier": ["一 等", "b级", "一等"]},
            [("A", 7_500), ("C", 0), ("B", 7_500)],
        ),
        (
            {"method": "quota_tiers", "quotas": TIERS, "places": 2},
            {"tier": ["一等", "B级", "一等"], "score": [1, 3, 2.5]},
            [("B", 10_000), ("C", 5_000), ("A", 0)],
        ),
        (
            {"method": "entitlement", "entitlements_fen": LEVELS},
            {"project": ["P1", "P2", "P3"], "project_level": ["National", "provincial", "national"]},
            [("A", 10_000), ("B", 5_000), ("C", 0)],
        ),
        ({"method": "entitlement"}, {}, [("A", 10_000), ("B", 5_000), ("C", 0)]),
    ],
)
def test_every_way_of_allocating_takes_a_sheet_with_the_columns_that_it_needs(
    shared_world: World, allocation: dict[str, Any], marks: dict[str, Any], expected: list[tuple[str, int]]
) -> None:
    city = shared_world.city()
    programme_id = programme(city, 15_000, **allocation)
    firms = [firm_of(shared_world) for _ in range(3)]
    data = list_of(firms, 100, "100.00", "1００", **marks)
    before = counts(shared_world.database)
    preview = freeze(city.maker, programme_id, data, 3, 30_000, dry_run=True)
    assert (preview.status_code, ok(preview)["id"], granted(ok(preview))) == (200, None, expected)
    assert counts(shared_world.database) == before
    assert granted(ok(freeze(city.maker, programme_id, data, 3, 30_000))) == expected


def test_a_list_is_issued_by_a_second_person_and_the_same_file_gives_nothing_twice(shared_world: World) -> None:
    city = shared_world.city()
    programme_id = programme(city, 15_000)
    firms = [firm_of(shared_world) for _ in range(2)]
    data = list_of(firms, 100, 50)
    made = freeze(city.maker, programme_id, data, 2, 15_000, key="first")
    assert freeze(city.maker, programme_id, data, 2, 15_000, key="first").content == made.content
    round_ = Round(city, ok(made)["id"], programme_id, ok(made))
    told = problem(freeze(city.maker, programme_id, data, 2, 15_000), 409, "file_already_submitted")
    assert told["round_id"] == round_.id
    assert len(round_.read()["file_sha256"]) == 64
    round_.execute()
    assert faces(city, programme_id) == {firms[0].id: 10_000, firms[1].id: 5_000}
    problem(freeze(city.maker, programme_id, data, 2, 15_000), 409, "file_already_submitted")
    city.fund(programme_id, 15_000)
    lines = [[number, one.uscc, one.name, 1] for number, one in zip("AB", firms, strict=True)]
    again = workbook_of({"名单": [["第二轮"], FOUR, *lines]})
    refused = problem(freeze(city.maker, programme_id, again, 2, 200), 409, "reference_already_used")
    assert places(refused) == [(3, "A", "reference_already_used"), (4, "A", "reference_already_used")]
    assert shared_world.differences() == []


def test_the_file_of_a_cancelled_round_may_be_sent_again(shared_world: World) -> None:
    city = shared_world.city()
    programme_id = programme(city, 100)
    data = list_of([firm_of(shared_world)], 1)
    made = ok(freeze(city.maker, programme_id, data, 1, 100))
    ok(city.approve(Round(city, made["id"], programme_id, made).cancel()))
    assert ok(freeze(city.maker, programme_id, data, 1, 100))["id"] != made["id"]


@pytest.mark.parametrize(
    ("allocation", "marks", "expected"),
    [
        ({"method": "first_come"}, {"score": [1, 2]}, [(1, "E", "heading_not_for_method")]),
        ({"method": "entitlement"}, {"project_level": ["x", ""]}, [(1, "E", "heading_not_for_method")]),
        (
            {"method": "ranked"},
            {"tier": ["一等", ""], "project": ["", ""]},
            [(1, "F", "heading_not_for_method"), (1, "E", "heading_not_for_method"), (1, "评分", "heading_missing")],
        ),
        (
            {"method": "ranked"},
            {"score": ["", "九十"]},
            [(2, "E", "needed_by_method"), (3, "E", "score_unreadable")],
        ),
        (
            {"method": "ranked"},
            {"score": ["87.12345", True]},
            [(2, "E", "score_decimals"), (3, "E", "score_unreadable")],
        ),
        (
            {"method": "quota_tiers", "quotas": TIERS},
            {"tier": ["", "C级"]},
            [(2, "E", "needed_by_method"), (3, "E", "unknown_value")],
        ),
        (
            {"method": "entitlement", "entitlements_fen": LEVELS},
            {"project": ["P1", "P1"], "project_level": ["national", "市级"]},
            [(3, "E", "project_has_its_row"), (3, "F", "unknown_value")],
        ),
        (
            {"method": "entitlement", "entitlements_fen": LEVELS},
            {"project": ["", 20260001], "project_level": ["national", ""]},
            [(2, "E", "needed_by_method"), (3, "E", "text_required"), (3, "F", "needed_by_method")],
        ),
    ],
)
def test_columns_that_a_method_cannot_use_and_marks_that_it_misses_are_told_by_row_and_column(
    shared_world: World, allocation: dict[str, Any], marks: dict[str, Any], expected: list[Any]
) -> None:
    city = shared_world.city()
    programme_id = programme(city, 15_000, **allocation)
    firms = [firm_of(shared_world) for _ in range(2)]
    data = list_of(firms, 100, 50, **marks)
    refused = problem(freeze(city.maker, programme_id, data, 2, 15_000), 422, "sheet_invalid")
    assert sorted(places(refused)) == sorted(expected)
    assert all(one["detail"] for one in refused["errors"])
    copy = annotated(city.maker, programme_id, data, 2, 15_000)
    assert copy.headers["content-type"] == XLSX
    page, report = read_worksheets(copy.content)
    assert len(report.cells) == 1 + len(expected)
    for one in refused["errors"]:
        if one["row"] > 1:
            assert f"{one['column']}: {one['detail']}" in str(page.cells[one["row"] - 1][-1])


def test_all_that_is_wrong_with_a_lottery_is_told_at_once(shared_world: World) -> None:
    city = shared_world.city()
    programme_id = programme(city, 15_000, method="lottery")
    firm = firm_of(shared_world)
    lines = [["A", firm.uscc, firm.name, 100], ["A", firm.uscc, "别家公司", -5], ["C", "91330106MA0000015X", "某", 1]]
    data = workbook_of({"分配名单": [FOUR, *lines]})
    refused = problem(freeze(city.maker, programme_id, data, 2, 15_000), 422, "sheet_invalid")
    assert sorted(places(refused), key=str) == sorted(
        [
            (None, "/announcement", "needed_by_method"),
            (None, "/seed_format", "needed_by_method"),
            (None, "/draws_at", "needed_by_method"),
            (None, "/declared_count", "declaration_mismatch"),
            (3, "A", "reference_duplicate"),
            (3, "B", "firm_has_its_lot"),
            (3, "C", "firm_name_mismatch"),
            (3, "D", "amount_not_positive"),
            (4, "B", "uscc_check"),
        ],
        key=str,
    )
    halves = {"announcement": "某号码", "seed_format": "######"}
    problem(freeze(city.maker, programme_id, data, 3, 1, **halves), 422, "validation_failed")


def test_a_lottery_from_a_sheet_is_drawn_like_any_other(shared_world: World) -> None:
    city = shared_world.city()
    programme_id = programme(city, 100, method="lottery")
    firms = [firm_of(shared_world) for _ in range(2)]
    data = list_of(firms, 1, 1)
    past = announced(-60)
    refused = problem(freeze(city.maker, programme_id, data, 2, 200, **past), 422, "sheet_invalid")
    assert places(refused) == [(None, "/draws_at", "not_ahead")]
    made = ok(freeze(city.maker, programme_id, data, 2, 200, **announced(3600)))
    assert (made["candidate_count"], made["awards"]) == (2, None)
    assert [one["firm_id"] for one in Round(city, made["id"], programme_id, made).candidates()] == [
        one.id for one in firms
    ]


def test_a_sheet_and_the_same_rows_as_json_are_one_list(shared_world: World) -> None:
    """The hash under which a list is frozen does not depend on how it was sent, but for the round's own id."""
    city = shared_world.city()
    programme_id = programme(city, 15_000, method="ranked")
    firms = [firm_of(shared_world) for _ in range(2)]
    rows = rows_of(shared_world, 10_000, 5_000, score=["87.5", "90"])
    for row, firm in zip(rows, firms, strict=True):
        row["firm_id"] = firm.id
    by_json = ok(propose(city, programme_id, rows, dry_run=True))
    sheet = list_of(firms, 100, 50, score=[87.5, 90])
    by_sheet = ok(freeze(city.maker, programme_id, sheet, 2, 15_000, dry_run=True))
    assert by_sheet == by_json


def test_declared_figures_must_match(shared_world: World) -> None:
    city = shared_world.city()
    programme_id = programme(city, 15_000)
    data = list_of([firm_of(shared_world)], 100)
    refused = problem(freeze(city.maker, programme_id, data, 2, 10_001), 422, "declaration_mismatch")
    assert [(one["pointer"], one["limit"], one["actual"]) for one in refused["errors"]] == [
        ("/declared_count", 2, 1),
        ("/declared_total_fen", 10_001, 10_000),
    ]
    refused = problem(freeze(city.maker, programme_id, data, 1, 10_000, budget_fen=15_001), 422, "validation_failed")
    assert [one["pointer"] for one in refused["errors"]] == ["/budget_fen"]
    refused = problem(freeze(city.maker, programme_id, data, 1, 10_000, budget_fen="1e3"), 422, "validation_failed")
    assert [one["pointer"] for one in refused["errors"]] == ["/budget_fen"]


@pytest.mark.parametrize(
    ("allocation", "headings"),
    [
        ({"method": "lottery"}, FOUR),
        ({"method": "ranked"}, [*FOUR, "评分"]),
        ({"method": "quota_tiers", "quotas": TIERS}, [*FOUR, "等级", "评分"]),
        ({"method": "entitlement", "entitlements_fen": LEVELS}, [*FOUR, "项目编号", "项目级别"]),
    ],
)
def test_the_template_has_the_columns_of_the_programmes_rules(
    shared_world: World, allocation: dict[str, Any], headings: list[str]
) -> None:
    city = shared_world.city()
    programme_id = programme(city, 100, **allocation)
    template = city.checker.get(f"/v1/programmes/{programme_id}/allocation-lists/template")
    page, guide = read_worksheets(template.content)
    assert page.cells == [headings]
    assert guide.cells[0][:2] == ["模板版本 Template", "voucher-allocation/1"]
    told = "\n".join(str(cell) for line in guide.cells for cell in line)
    for word in [one["tier"] for one in allocation.get("quotas", [])]:
        assert word in told
    assert ("national" in told) == (allocation["method"] == "entitlement")
    draw = announced(60) if allocation["method"] == "lottery" else {}
    refused = problem(freeze(city.maker, programme_id, template.content, 1, 1, **draw), 422, "sheet_invalid")
    assert [code for _, _, code in places(refused)] == ["no_rows"]


def test_csv_in_every_encoding_and_what_is_no_list(shared_world: World) -> None:
    city = shared_world.city()
    programme_id = programme(city, 15_000)
    firm = firm_of(shared_world)
    text = f'{",".join(FOUR)}\r\nR1,{firm.uscc},{firm.name},"1,00"\r\n合计,,,100\r\n'
    for encoding in ("utf-8", "utf-8-sig", "gb18030"):
        fixed = text.replace('"1,00"', "100").encode(encoding)
        assert granted(ok(freeze(city.maker, programme_id, fixed, 1, 10_000, dry_run=True))) == [("R1", 10_000)]
    assert places(problem(freeze(city.maker, programme_id, text.encode(), 1, 10_000), 422, "sheet_invalid")) == [
        (2, "D", "amount_unreadable")
    ]
    problem(freeze(city.maker, programme_id, b"PK", 1, 1), 422, "file_unreadable")
    issuing = workbook_of({"发放清单": [[*FOUR[:3], "面值（元）"], ["R1", firm.uscc, firm.name, 100]]})
    refused = problem(freeze(city.maker, programme_id, issuing, 1, 10_000), 422, "sheet_invalid")
    assert places(refused) == [(1, "D", "heading_unknown"), (1, "申请金额（元）", "heading_missing")]


def test_only_the_authoritys_makers_send_lists_and_foreign_programmes_do_not_exist(shared_world: World) -> None:
    city, other = shared_world.city(), shared_world.city(CIXI)
    programme_id = programme(city, 15_000)
    data = list_of([firm_of(shared_world)], 100)
    manager = shared_world.person(Role.FIRM, shared_world.firm())
    for send in (freeze, annotated):
        for by in (city.checker, city.finance, city.auditor, manager):
            problem(send(by, programme_id, data, 1, 10_000), 403, "forbidden")
        problem(send(other.maker, programme_id, data, 1, 10_000), 404, "not_found")
    unseen = ok(other.maker.post("/v1/programmes", programme_body(other)))["id"]
    problem(city.maker.get(f"/v1/programmes/{unseen}/allocation-lists/template"), 404, "not_found")
