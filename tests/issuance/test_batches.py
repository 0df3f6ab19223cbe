from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, text, true
from sqlalchemy.exc import ProgrammingError

from app.api.spreadsheets import XLSX
from app.database import Database
from app.embedded.databases import Urls
from app.kernel.clock import SHANGHAI
from app.kernel.codes import new_code
from app.kernel.vocabulary import LeafKind, OrganisationKind, Role
from app.models import Allotment, AuditEvent, Base, Entry, Organisation, Pool, SealQueue, Voucher
from app.services.issuance import batches
from app.services.issuance.sheet import read_sheet
from app.services.sheets.workbook import read_worksheets
from tests.issuance.sheets import SHEET, altered, row_of, workbook
from tests.world import HANGZHOU, NINGBO, Actor, City, World, ok, problem, rules_body

_keys = count(1)


@dataclass(frozen=True)
class Firm:
    id: str
    uscc: str
    name: str


def firm_of(world: World, name: str | None = None) -> Firm:
    firm_id = world.firm(name=name)
    row = world.database.transact(
        lambda tx: tx.execute(
            select(Organisation.identifier_value, Organisation.name).where(Organisation.id == firm_id)
        ).one()
    )
    return Firm(firm_id, row.identifier_value, row.name)


def grant(firm: Firm, reference_no: str = "R1", yuan: float = 1000, **changes: Any) -> dict[str, Any]:
    """A row of a sheet for a registered firm."""
    row = {"申领编号": reference_no, "统一社会信用代码": firm.uscc, "企业名称": firm.name, "面值": yuan}
    return row_of(**row | changes)


def upload(
    by: Actor, programme_id: str, data: bytes, *, rows: int = 1, fen: int = 100_000, key: str | None = None, **form: Any
) -> httpx.Response:
    fields = {"programme_id": programme_id, "declared_count": rows, "declared_total_fen": fen} | form
    return by.post(
        "/v1/issuance-batches",
        key=key or f"batch-{next(_keys)}",
        data=fields,
        files={"file": ("清单.xlsx", data, "application/octet-stream")},
    )


def submit(by: Actor, programme_id: str, rows: Sequence[dict[str, Any]], **changes: Any) -> httpx.Response:
    """The same as JSON."""
    total_fen = sum(row["face_value_fen"] for row in rows)
    body = {"programme_id": programme_id, "declared_count": len(rows), "declared_total_fen": total_fen, "rows": rows}
    return by.post("/v1/issuance-batches", body | changes, key=f"batch-{next(_keys)}")


def grant_body(firm: Firm, reference_no: str = "R1", fen: int = 100_000, **changes: Any) -> dict[str, Any]:
    return {"reference_no": reference_no, "uscc": firm.uscc, "face_value_fen": fen} | changes


NOT_BESIDE = {
    "audit_events": AuditEvent.action != "access.refused",
    "seal_queue": SealQueue.leaf_kind != LeafKind.AUDIT_EVENT,
}
"""Refusals of earlier requests are written down beside all others, up to a minute later."""


def counts(database: Database) -> dict[str, int]:
    """How many rows every table has, but for what is written beside the requests."""
    return database.transact(
        lambda tx: {
            table.name: tx.execute(
                select(func.count()).select_from(table).where(NOT_BESIDE.get(table.name, true()))
            ).scalar_one()
            for table in Base.metadata.sorted_tables
        }
    )


def vouchers_of(city: City, programme_id: str) -> list[dict[str, Any]]:
    vouchers: list[dict[str, Any]] = ok(city.maker.get("/v1/vouchers", programme_id=programme_id, limit=200))["data"]
    return vouchers


def available_fen(world: World, programme_id: str) -> dict[str, int]:
    return world.database.transact(
        lambda tx: {
            row.fund_source: row.available_fen
            for row in tx.execute(select(Pool).where(Pool.programme_id == programme_id))
        }
    )


# -- the whole path ----------------------------------------------------------------------------------------------------


def test_a_sheet_becomes_vouchers_only_by_a_second_persons_approval(world: World) -> None:
    city = world.city()
    programme_id = city.programme(appropriation_fen=1_000_000)
    firms = [firm_of(world), firm_of(world)]
    rows = [grant(firms[0], "R1", 1000), grant(firms[1], "R2", 2000.5), grant(firms[0], "R3", 0.01)]

    response = upload(city.maker, programme_id, workbook(rows), rows=3, fen=300_051)
    report = ok(response)
    assert response.status_code == 201
    assert (report["row_count"], report["total_fen"], report["firm_count"], report["dry_run"]) == (3, 300_051, 2, False)
    assert [(row["row_no"], row["firm_id"], row["face_value_fen"]) for row in report["rows"]] == [
        (2, firms[0].id, 100_000),
        (3, firms[1].id, 200_050),
        (4, firms[0].id, 1),
    ]
    assert [(pool["amount_fen"], pool["available_after_fen"]) for pool in report["pools"]] == [(300_051, 699_949)]
    assert vouchers_of(city, programme_id) == []
    assert available_fen(world, programme_id) == {"local": 1_000_000}

    approval = ok(city.checker.get(f"/v1/approvals/{report['approval_id']}"))
    assert approval["effect"]["total_fen"] == 300_051
    problem(city.approve(response, by=city.maker), 403, "forbidden")
    ok(city.approve(response))

    vouchers = vouchers_of(city, programme_id)
    assert sorted(voucher["face_value_fen"] for voucher in vouchers) == [1, 100_000, 200_050]
    assert all(voucher["status"] == "active" for voucher in vouchers)
    assert all(voucher["balance_fen"] == voucher["face_value_fen"] for voucher in vouchers)
    assert available_fen(world, programme_id) == {"local": 699_949}
    batch = ok(city.auditor.get(f"/v1/issuance-batches/{report['batch_id']}"))
    assert (batch["status"], batch["file_name"]) == ("issued", "清单.xlsx")
    listed = ok(city.finance.get("/v1/issuance-batches", programme_id=programme_id))["data"]
    assert [other["id"] for other in listed] == [batch["id"]]
    assert world.differences() == []


def test_the_rows_of_a_batch_are_read_page_by_page_with_their_vouchers(world: World) -> None:
    city = world.city()
    programme_id = city.programme()
    firm = firm_of(world)
    response = submit(city.maker, programme_id, [grant_body(firm, f"R{n}", n * 100) for n in range(1, 6)])
    path = f"/v1/issuance-batches/{ok(response)['batch_id']}/rows"
    assert all(row["voucher_id"] is None for row in ok(city.maker.get(path))["data"])
    ok(city.approve(response))
    first = ok(city.maker.get(path, limit=3))
    rest = ok(city.maker.get(path, limit=3, cursor=first["next_cursor"]))
    rows = first["data"] + rest["data"]
    assert rest["next_cursor"] is None
    assert [row["reference_no"] for row in rows] == ["R1", "R2", "R3", "R4", "R5"]
    faces = {voucher["id"]: voucher["face_value_fen"] for voucher in vouchers_of(city, programme_id)}
    assert [faces[row["voucher_id"]] for row in rows] == [100, 200, 300, 400, 500]


def test_every_voucher_has_its_entry_with_both_persons_and_the_rules(world: World) -> None:
    city = world.city()
    programme_id = city.programme()
    firm = firm_of(world)
    response = submit(city.maker, programme_id, [grant_body(firm, valid_until="2125-06-30")])
    ok(city.approve(response))
    entry = world.database.transact(lambda tx: tx.execute(select(Entry).where(Entry.kind == "issue")).one())
    assert (entry.maker_id, entry.checker_id) == (city.maker.id, city.checker.id)
    assert entry.subject_id == ok(response)["batch_id"]
    assert entry.approval_id == ok(response)["approval_id"]
    assert entry.rule_version_id is not None
    details = json.loads(entry.details)
    issued_at = details.pop("valid_from")
    assert issued_at == entry.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert details == {
        "reference_no": "R1",
        "firm": vouchers_of(city, programme_id)[0]["firm_id"],
        "valid_until": "2125-06-30T16:00:00.000000Z",
        "redeemable_until": "2125-06-30T16:00:00.000000Z",
    }


def test_a_single_voucher_is_a_batch_of_one(world: World) -> None:
    city = world.city()
    programme_id = city.programme()
    firm = firm_of(world)
    body = {"programme_id": programme_id, "reference_no": "R1", "firm_id": firm.id, "face_value_fen": 5_000}
    response = city.maker.post("/v1/vouchers", body)
    assert (response.status_code, ok(response)["row_count"]) == (201, 1)
    ok(city.approve(response))
    assert [voucher["firm_name"] for voucher in vouchers_of(city, programme_id)] == [firm.name]
    wrong = problem(city.maker.post("/v1/vouchers", body | {"firm_name": "别家公司"}), 422, "validation_failed")
    assert [error["pointer"] for error in wrong["errors"]] == ["/firm_name", "/reference_no"]  # it has been used by now


def test_shares_of_several_sources_are_split_by_peeling_voucher_by_voucher(world: World) -> None:
    city = world.city()
    shares = [{"source": "province", "share": 1}, {"source": "city", "share": 1}]
    programme_id = city.programme(appropriation_fen=10_000_003, rules=rules_body(fund_sources=shares))
    firm = firm_of(world)
    response = submit(city.maker, programme_id, [grant_body(firm, "R1", 10_000_001), grant_body(firm, "R2", 1)])
    ok(city.approve(response))
    parts = world.database.transact(
        lambda tx: [
            tuple(row)
            for row in tx.execute(
                select(Voucher.face_fen, Pool.fund_source, Allotment.line, Allotment.face_fen)
                .join(Allotment, Allotment.voucher_id == Voucher.id)
                .join(Pool, Pool.id == Allotment.pool_id)
                .order_by(Voucher.face_fen.desc(), Allotment.line)
            )
        ]
    )
    assert parts == [
        (10_000_001, "province", 1, 5_000_001),
        (10_000_001, "city", 2, 5_000_000),
        (1, "province", 1, 1),  # nothing is left for the city: no allotment
    ]
    assert available_fen(world, programme_id) == {"province": 5_000_001, "city": 5_000_003}
    assert world.differences() == []


def test_a_large_batch_is_issued_in_seconds(world: World) -> None:
    city = world.city()
    programme_id = city.programme(appropriation_fen=10**12)
    firm = firm_of(world)
    rows = [grant_body(firm, f"R{n}") for n in range(batches.CHUNK + 1)]  # one more than fits a statement
    submitted = submit(city.maker, programme_id, rows)
    assert [row["row_no"] for row in ok(submitted)["rows"]] == list(range(1, 1_001))  # the others page by page
    ok(city.approve(submitted))
    issued = world.database.transact(lambda tx: tx.execute(select(func.count(Voucher.code.distinct()))).scalar_one())
    assert issued == batches.CHUNK + 1
    assert available_fen(world, programme_id) == {"local": 10**12 - 100_000 * issued}
    assert world.differences() == []


def test_a_voucher_code_that_is_taken_is_drawn_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    city = world.city()
    programme_id = city.programme()
    firm = firm_of(world)
    first, second, third = (new_code(HANGZHOU) for _ in range(3))
    drawn: Iterator[str] = iter([first, first, first, second, second, third])
    monkeypatch.setattr(batches, "new_code", lambda _: next(drawn))
    ok(city.approve(submit(city.maker, programme_id, [grant_body(firm, "R1")])))
    ok(city.approve(submit(city.maker, programme_id, [grant_body(firm, "R2"), grant_body(firm, "R3")])))
    codes = {voucher["code"].replace("-", "") for voucher in vouchers_of(city, programme_id)}
    assert codes == {first, second, third}
    assert world.differences() == []


# -- validity ----------------------------------------------------------------------------------------------------------


def test_days_of_a_row_are_whole_days_in_shanghai_and_the_last_one_counts(world: World) -> None:
    city = world.city()
    programme_id = city.programme(rules=rules_body(grace_days=30))
    tomorrow = datetime.now(SHANGHAI).date() + timedelta(days=1)
    row = grant(firm_of(world), 生效日期=tomorrow, 截止日期=f"{tomorrow.year + 1}-12-31")
    ok(city.approve(upload(city.maker, programme_id, workbook([row]))))
    (voucher,) = vouchers_of(city, programme_id)
    starts = datetime.combine(tomorrow, datetime.min.time(), SHANGHAI).astimezone(UTC)
    assert voucher["status"] == "pending"
    assert voucher["valid_from"] == f"{starts:%Y-%m-%dT%H:%M:%S}.000000Z"
    assert voucher["valid_until"] == f"{tomorrow.year + 1}-12-31T16:00:00.000000Z"
    assert voucher["redeemable_until"] == f"{tomorrow.year + 2}-01-30T16:00:00.000000Z"


def test_without_days_the_rules_give_the_validity_at_the_moment_of_issue(world: World) -> None:
    city = world.city()
    programme_id = city.programme(rules=rules_body(validity={"kind": "days", "days": 10}))
    ok(city.approve(submit(city.maker, programme_id, [grant_body(firm_of(world))])))
    (voucher,) = vouchers_of(city, programme_id)
    ends = datetime.combine(datetime.now(SHANGHAI).date() + timedelta(days=11), datetime.min.time(), SHANGHAI)
    assert voucher["valid_from"] == voucher["issued_at"]
    assert voucher["valid_until"] == f"{ends.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000000Z"


def test_a_validity_that_nobody_could_use_is_refused(world: World) -> None:
    city = world.city()
    programme_id = city.programme()
    firm = firm_of(world)
    far = f"{datetime.now(SHANGHAI).year + 5}-01-01"
    rows = [
        grant(firm, "R1", 截止日期="2020-12-31"),
        grant(firm, "R2", 生效日期=far, 截止日期=f"{datetime.now(SHANGHAI).year + 1}-12-31"),
        grant(firm, "R3", 生效日期=far),  # the rules would end it before
    ]
    refused = problem(upload(city.maker, programme_id, workbook(rows), rows=3, fen=300_000), 422, "sheet_invalid")
    assert [(error["row"], error["code"], error["column"]) for error in refused["errors"]] == [
        (2, "valid_until_past", "F 截止日期"),
        (3, "valid_until_before_start", "F 截止日期"),
        (4, "valid_until_before_start", "F 截止日期"),
    ]


# -- bad input leaves nothing behind -----------------------------------------------------------------------------------


def test_a_dry_run_reports_the_same_and_leaves_nothing(world: World) -> None:
    city = world.city()
    programme_id = city.programme()
    data = workbook([grant(firm_of(world))])
    before = counts(world.database)
    response = upload(city.maker, programme_id, data, key="k1", dry_run="true")
    rehearsal = ok(response)
    assert (response.status_code, rehearsal["batch_id"], rehearsal["approval_id"]) == (200, None, None)
    assert counts(world.database) == before
    real = ok(upload(city.maker, programme_id, data, key="k1"))
    ids = ("batch_id", "approval_id", "dry_run")
    assert {name: real[name] for name in real if name not in ids} == {
        name: rehearsal[name] for name in rehearsal if name not in ids
    }


def test_a_dry_run_finds_what_a_real_one_would(world: World) -> None:
    city = world.city()
    programme_id = city.programme(appropriation_fen=50_000)
    rows = [grant_body(firm_of(world))]
    before = counts(world.database)
    problem(submit(city.maker, programme_id, rows, dry_run=True), 409, "budget_exhausted")
    assert counts(world.database) == before


def test_firms_that_are_unknown_or_have_another_name_are_all_named(world: World) -> None:
    city = world.city()
    programme_id = city.programme()
    firm = firm_of(world, name="杭州算力（云）有限公司")
    provider = world.provider()
    stranger = Firm("", "91330106MA0000015K", "不存在的公司")
    rows = [
        grant(stranger, "R1"),
        grant(firm, "R2", 企业名称="杭州算力(云) 有限公司"),  # the same but for widths and spaces
        grant(firm, "R3", 企业名称="宁波算力有限公司"),
    ]
    before = counts(world.database)
    refused = problem(upload(city.maker, programme_id, workbook(rows), rows=3, fen=300_000), 422, "sheet_invalid")
    assert [(error["row"], error["code"], error["column"]) for error in refused["errors"]] == [
        (2, "firm_unknown", "B 统一社会信用代码"),
        (4, "firm_name_mismatch", "C 企业名称"),
    ]
    assert (refused["errors"][1]["limit"], refused["errors"][1]["actual"]) == (firm.name, "宁波算力有限公司")
    body = [{"reference_no": "R1", "firm_id": provider, "face_value_fen": 1}]
    refused = problem(submit(city.maker, programme_id, body), 422, "validation_failed")
    assert refused["errors"][0]["pointer"] == "/rows/0/firm_id"
    assert counts(world.database) == before


def test_errors_of_the_sheet_are_in_the_language_of_the_reader(world: World) -> None:
    city = world.city()
    programme_id = city.programme()
    data = workbook([row_of(面值=-1)])
    in_english = problem(upload(city.maker, programme_id, data), 422, "sheet_invalid")
    city.maker.http.headers["Accept-Language"] = "zh-CN"
    in_chinese = problem(upload(city.maker, programme_id, data), 422, "sheet_invalid")
    assert in_english["errors"][0]["detail"] == "The amount must be above 0; this is -1."
    assert in_chinese["errors"][0]["detail"] == "金额必须大于 0，现为 -1。"
    assert in_chinese["errors"][0]["column"] == "D 面值（元）"


BAD_ROWS: list[tuple[dict[str, Any], str]] = [
    ({"face_value_fen": 100.5}, "/rows/1/face_value_fen"),
    ({"face_value_fen": "100"}, "/rows/1/face_value_fen"),
    ({"face_value_fen": -100}, "/rows/1/face_value_fen"),
    ({"face_value_fen": 0}, "/rows/1/face_value_fen"),
    ({"uscc": "91330106MA0000015L"}, "/rows/1/uscc"),
    ({"uscc": None}, "/rows/1"),
    ({"valid_until": "2026-02-30"}, "/rows/1/valid_until"),
    ({"valid_until": "9999-12-31"}, "/rows/1/valid_until"),
    ({"reference_no": "  "}, "/rows/1/reference_no"),
    ({"reference_no": "R1"}, "/rows/1/reference_no"),
    ({"reference_no": "R\x00"}, "/rows/1/reference_no"),
    ({"note": "a\nb"}, "/rows/1/note"),
    ({"amount": 1}, "/rows/1/amount"),
]


def test_a_bad_json_row_is_named_by_its_pointer(world: World) -> None:
    city = world.city()
    programme_id = city.programme(appropriation_fen=None)
    firm = firm_of(world)
    for change, pointer in BAD_ROWS:
        rows = [grant_body(firm, "R1"), grant_body(firm, "R2") | change]
        body = {"programme_id": programme_id, "declared_count": 2, "declared_total_fen": 200_000, "rows": rows}
        refused = problem(city.maker.post("/v1/issuance-batches", body), 422, "validation_failed")
        assert [error["pointer"] for error in refused["errors"]] == [pointer], change


def test_declared_figures_must_match(world: World) -> None:
    city = world.city()
    programme_id = city.programme()
    data = workbook([grant(firm_of(world))])
    refused = problem(upload(city.maker, programme_id, data, rows=2, fen=100_001), 422, "declaration_mismatch")
    assert [(error["pointer"], error["limit"], error["actual"]) for error in refused["errors"]] == [
        ("/declared_count", 2, 1),
        ("/declared_total_fen", 100_001, 100_000),
    ]
    ok(upload(city.maker, programme_id, data))


BAD_FIELDS = [
    {"declared_count": "1.0"},
    {"declared_count": "-1"},
    {"declared_total_fen": "1e5"},
    {"programme": "x"},
    {"dry_run": "perhaps"},
]


def test_bad_form_fields_are_named(world: World) -> None:
    city = world.city()
    programme_id = city.programme(appropriation_fen=None)
    for form in BAD_FIELDS:
        fields = {"programme_id": programme_id, "declared_count": "1", "declared_total_fen": "100000"} | form
        response = city.maker.post("/v1/issuance-batches", data=fields, files={"file": b""})
        refused = problem(response, 422, "validation_failed")
        assert [error["pointer"] for error in refused["errors"]] == [f"/{name}" for name in form]


def test_what_is_no_sheet_and_no_json_is_refused(world: World) -> None:
    city = world.city()
    programme_id = city.programme(appropriation_fen=None)
    unreadable = problem(upload(city.maker, programme_id, b"%PDF-1.7"), 422, "file_unreadable")
    assert "No visible sheet has a row with the template's headings" in unreadable["detail"]
    path, maker = "/v1/issuance-batches", city.maker
    problem(maker.post(path, content=b"x", headers={"Content-Type": "text/csv"}), 415, "unsupported_media_type")
    problem(maker.post(path, content=b"{", headers={"Content-Type": "application/json"}), 400, "malformed_request")
    problem(maker.post(path, data={"programme_id": programme_id}, files={"sheet": b"x"}), 400, "malformed_request")
    problem(maker.http.post(path, json={}), 400, "idempotency_key_missing")


def test_too_long_bodies_are_refused_before_they_are_read(world: World) -> None:
    city = world.city()
    programme_id = city.programme(appropriation_fen=None)
    problem(upload(city.maker, programme_id, bytes(21 * 2**20)), 413, "body_too_large")
    headers = {"Content-Type": "application/json"}
    problem(city.maker.post("/v1/issuance-batches", content=b" " * (9 * 2**20), headers=headers), 413, "body_too_large")


# -- doing it once -----------------------------------------------------------------------------------------------------


def test_the_same_key_and_file_get_the_same_answer(world: World) -> None:
    city = world.city()
    programme_id = city.programme()
    data = workbook([grant(firm_of(world))])
    first = upload(city.maker, programme_id, data, key="once")
    again = upload(city.maker, programme_id, data, key="once")
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Idempotency-Replayed"] == "true"
    other = workbook([grant(firm_of(world))])
    problem(upload(city.maker, programme_id, other, key="once"), 422, "idempotency_key_reused")


def test_the_same_file_twice_names_the_batch_it_was_submitted_as(world: World) -> None:
    city = world.city()
    programme_id = city.programme()
    data = workbook([grant(firm_of(world))])
    first = ok(upload(city.maker, programme_id, data))
    refused = problem(upload(city.maker, programme_id, data), 409, "file_already_submitted")
    assert refused["batch_id"] == first["batch_id"]
    assert first["batch_id"] in refused["detail"]


def test_a_reference_number_is_issued_once_in_a_programme(world: World) -> None:
    city = world.city()
    programme_id = city.programme()
    firm = firm_of(world)
    first = ok(submit(city.maker, programme_id, [grant_body(firm, "R1")]))
    data = workbook([grant(firm, "R0"), grant(firm, "R1")])
    refused = problem(upload(city.maker, programme_id, data, rows=2, fen=200_000), 409, "reference_already_used")
    (error,) = refused["errors"]
    assert (error["row"], error["column"], error["actual"], error["limit"]) == (
        3,
        "A 申领编号",
        "R1",
        first["batch_id"],
    )
    ok(submit(city.maker, city.programme(), [grant_body(firm, "R1")]))  # another programme has numbers of its own


def test_a_rejected_batch_may_be_submitted_again(world: World) -> None:
    city = world.city()
    programme_id = city.programme()
    data = workbook([grant(firm_of(world))])
    first = ok(upload(city.maker, programme_id, data))
    ok(city.checker.post(f"/v1/approvals/{first['approval_id']}/reject", {"reason": "金额有误"}))
    assert ok(city.maker.get(f"/v1/issuance-batches/{first['batch_id']}"))["status"] == "rejected"
    problem(city.checker.post(f"/v1/approvals/{first['approval_id']}/approve"), 409, "wrong_state")
    ok(city.approve(upload(city.maker, programme_id, data)))
    assert len(vouchers_of(city, programme_id)) == 1
    assert world.differences() == []


def test_of_racing_twins_of_one_file_one_is_taken(world: World) -> None:
    city = world.city()
    programme_id = city.programme()
    data = workbook([grant(firm_of(world))])
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda n: upload(city.maker, programme_id, data, key=f"twin-{n}"), range(6)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409, 409]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"file_already_submitted"}


# -- the budget --------------------------------------------------------------------------------------------------------


def test_a_batch_that_the_pool_cannot_carry_is_refused_when_it_is_submitted(world: World) -> None:
    city = world.city()
    programme_id = city.programme(appropriation_fen=100_000)
    firm = firm_of(world)
    refused = problem(submit(city.maker, programme_id, [grant_body(firm, fen=100_001)]), 409, "budget_exhausted")
    assert "1,000.00" in refused["detail"]
    assert "1,000.01" in refused["detail"]
    ok(submit(city.maker, programme_id, [grant_body(firm, fen=100_000)]))
    unfunded = city.programme(appropriation_fen=None)
    problem(submit(city.maker, unfunded, [grant_body(firm)]), 409, "budget_exhausted")


def test_a_batch_that_no_longer_fits_is_not_issued_and_still_waits(world: World) -> None:
    city = world.city()
    programme_id = city.programme(appropriation_fen=150_000)
    firm = firm_of(world)
    first = submit(city.maker, programme_id, [grant_body(firm, "R1")])
    second = submit(city.maker, programme_id, [grant_body(firm, "R2")])
    ok(city.approve(first))
    problem(city.approve(second), 409, "budget_exhausted")
    assert len(vouchers_of(city, programme_id)) == 1
    assert ok(city.checker.get(f"/v1/approvals/{ok(second)['approval_id']}"))["status"] == "pending"
    city.fund(programme_id, 50_000)
    ok(city.approve(second))
    assert len(vouchers_of(city, programme_id)) == 2
    assert world.differences() == []


def test_racing_approvals_never_promise_more_than_there_is(world: World) -> None:
    city = world.city()
    programme_id = city.programme(appropriation_fen=250_000)
    firm = firm_of(world)
    waiting = [submit(city.maker, programme_id, [grant_body(firm, f"R{n}")]) for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(city.approve, waiting))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 409, 409, 409, 409]
    assert available_fen(world, programme_id) == {"local": 50_000}
    assert len(vouchers_of(city, programme_id)) == 2
    assert world.differences() == []


# -- who and when ------------------------------------------------------------------------------------------------------


def test_only_a_maker_of_the_programmes_authority_submits(world: World) -> None:
    city = world.city()
    programme_id = city.programme()
    rows = [grant_body(firm_of(world))]
    problem(submit(city.checker, programme_id, rows), 403, "forbidden")
    problem(submit(city.finance, programme_id, rows), 403, "forbidden")
    neighbour = world.person(Role.MAKER, world.organisation(OrganisationKind.AUTHORITY))
    problem(submit(neighbour, programme_id, rows), 404, "not_found")
    problem(submit(world.city(NINGBO).maker, programme_id, rows), 404, "not_found")
    unknown = programme_id[:-4] + "0000"
    problem(submit(city.maker, unknown, rows), 404, "not_found")
    problem(submit(city.maker, "org_" + programme_id[-26:], rows), 404, "not_found")


def test_batches_of_others_do_not_exist(world: World) -> None:
    city = world.city()
    report = ok(submit(city.maker, city.programme(), [grant_body(firm_of(world))]))
    path = f"/v1/issuance-batches/{report['batch_id']}"
    neighbour = world.person(Role.CHECKER, world.organisation(OrganisationKind.AUTHORITY))
    problem(neighbour.get(path), 404, "not_found")
    problem(neighbour.get(f"{path}/rows"), 404, "not_found")
    assert ok(neighbour.get("/v1/issuance-batches"))["data"] == []
    problem(world.machine(world.provider()).get(path), 403, "forbidden")
    province = world.person(Role.AUDITOR, world.organisation(OrganisationKind.AUDIT, "330000"), "330000")
    assert ok(province.get(path))["id"] == report["batch_id"]


def test_nothing_is_issued_while_the_programme_is_paused(world: World) -> None:
    city = world.city()
    programme_id = city.programme()
    firm = firm_of(world)
    waiting = submit(city.maker, programme_id, [grant_body(firm, "R1")])
    ok(city.maker.post(f"/v1/programmes/{programme_id}/pause"))
    refused = problem(submit(city.maker, programme_id, [grant_body(firm, "R2")]), 409, "wrong_state")
    assert "paused" in refused["detail"]
    problem(city.approve(waiting), 409, "wrong_state")
    ok(city.approve(city.maker.post(f"/v1/programmes/{programme_id}/resume")))
    ok(city.approve(waiting))


def test_outside_the_programmes_window_nothing_is_submitted(world: World) -> None:
    city = world.city()
    for opens, closes in ((2020, 2021), (2125, 2126)):
        window = {f"{name}_at": f"{year}-01-01T00:00:00+08:00" for name, year in (("opens", opens), ("closes", closes))}
        programme_id = city.programme(appropriation_fen=None, **window)
        refused = problem(submit(city.maker, programme_id, [grant_body(firm_of(world))]), 409, "wrong_state")
        assert f"{closes}-01-01" in refused["detail"]


def test_before_the_rules_take_effect_nothing_is_submitted(world: World) -> None:
    city = world.city()
    programme_id = city.programme(effective_on="2125-01-01")
    refused = problem(submit(city.maker, programme_id, [grant_body(firm_of(world))]), 409, "wrong_state")
    assert "2125-01-01" in refused["detail"]


def test_the_template_can_be_downloaded_filled_and_uploaded(world: World) -> None:
    city = world.city()
    response = city.maker.get("/v1/issuance-batches/template")
    assert response.headers["content-disposition"] == 'attachment; filename="voucher-issuance.xlsx"'
    filled = _filled(response.content, firm_of(world))
    assert [row.reference_no for row in read_sheet(filled, language="zh").rows] == ["R1"]
    ok(upload(city.maker, city.programme(), filled))


def _filled(template: bytes, firm: Firm) -> bytes:
    """The template with one row typed in, as text cells within the sheet."""
    values = {"A2": "R1", "B2": firm.uscc, "C2": firm.name}
    cells = "".join(f'<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>' for place, text in values.items())
    row = f'<row r="2">{cells}<c r="D2"><v>1000</v></c></row></sheetData>'.encode()
    return altered(template, {SHEET: lambda part: part.replace(b"</sheetData>", row)})


def test_submitting_and_deciding_leave_audit_events(world: World) -> None:
    city = world.city()
    response = submit(city.maker, city.programme(), [grant_body(firm_of(world))])
    ok(city.approve(response))
    events = select(AuditEvent.action).where(AuditEvent.object_id == ok(response)["batch_id"])
    actions = world.database.transact(lambda tx: tx.execute(events).scalars().all())
    assert sorted(actions) == ["issue_batch.approved", "issue_batch.requested"]


def test_a_batch_whose_validity_is_over_by_now_is_not_issued(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    city = world.city()
    programme_id = city.programme()
    response = upload(
        city.maker, programme_id, workbook([grant(firm_of(world), 截止日期=datetime.now(SHANGHAI).date())])
    )
    with monkeypatch.context() as later:
        later.setattr(batches, "now", lambda _: datetime.now(UTC) + timedelta(days=2))
        refused = problem(city.approve(response), 422, "sheet_invalid")
    assert [(error["row"], error["code"]) for error in refused["errors"]] == [(2, "valid_until_past")]
    assert vouchers_of(city, programme_id) == []
    ok(city.approve(response))


def test_rows_changed_behind_the_checkers_back_are_not_issued(world: World, urls: Urls) -> None:
    city = world.city()
    programme_id = city.programme()
    response = submit(city.maker, programme_id, [grant_body(firm_of(world))])
    change = text("UPDATE issuance_rows SET face_value_fen = face_value_fen + 1")
    with pytest.raises(ProgrammingError, match="permission denied"):
        world.database.transact(lambda tx: tx.execute(change))
    owner = Database(urls.owner_url)
    owner.transact(lambda tx: tx.execute(change))
    owner.dispose()
    problem(city.approve(response), 500, "internal_error")
    assert vouchers_of(city, programme_id) == []
    assert world.differences() == []


# -- all errors at once, and the annotated copy ------------------------------------------------------------------------


def annotated(by: Actor, programme_id: str, data: bytes, *, rows: int, fen: int) -> httpx.Response:
    fields = {"programme_id": programme_id, "declared_count": rows, "declared_total_fen": fen}
    files = {"file": ("清单.xlsx", data, "application/octet-stream")}
    return by.http.post("/v1/issuance-batches/annotated-sheet", data=fields, files=files)


def test_every_kind_of_error_comes_at_once_and_in_the_annotated_copy(world: World) -> None:
    city = world.city()
    programme_id = city.programme()
    firm = firm_of(world)
    ok(submit(city.maker, programme_id, [grant_body(firm, "R0")]))
    rows = [
        grant(firm, "R1", 面值=0),
        grant(firm, "R0"),
        grant(firm, "R2", 企业名称="别家公司"),
        grant(firm, "R3", 统一社会信用代码="91330106MA0000015K", 截止日期="2020-01-01"),
        grant(firm, "R1"),
    ]
    before = counts(world.database)
    refused = problem(upload(city.maker, programme_id, workbook(rows), rows=4, fen=1), 422, "sheet_invalid")
    assert [(error.get("row"), error["code"]) for error in refused["errors"]] == [
        (None, "declaration_mismatch"),
        (2, "amount_not_positive"),
        (3, "reference_already_used"),
        (4, "firm_name_mismatch"),
        (5, "firm_unknown"),
        (5, "valid_until_past"),
        (6, "reference_duplicate"),
    ]
    copy = annotated(city.maker, programme_id, workbook(rows), rows=4, fen=1)
    assert (copy.status_code, copy.headers["content-type"]) == (200, XLSX)
    page, report = read_worksheets(copy.content)
    for error in refused["errors"][1:]:
        assert f"{error['column']}: {error['detail']}" in str(page.cells[error["row"] - 1][-1])
    assert [line[0] for line in report.cells[1:]] == ["", 2, 3, 4, 5, 5, 6]
    assert counts(world.database) == before
    problem(annotated(city.checker, programme_id, workbook(rows), rows=4, fen=1), 403, "forbidden")


def test_a_csv_file_is_issued_like_a_sheet_and_only_once(world: World) -> None:
    city = world.city()
    programme_id = city.programme()
    firm = firm_of(world)
    data = f"申领编号,统一社会信用代码,企业名称,面值（元）\nR1,{firm.uscc},{firm.name},1000\n".encode("gb18030")
    response = upload(city.maker, programme_id, data)
    problem(upload(city.maker, programme_id, data), 409, "file_already_submitted")
    ok(city.approve(response))
    assert [voucher["face_value_fen"] for voucher in vouchers_of(city, programme_id)] == [100_000]
