"""Bill files: CSV, workbooks and JSON give the same bills, and every complaint comes at once."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from app.kernel.problems import AppError, Code, FieldError
from app.services.rules.model import Rules
from app.services.simulation.bills import SimulatedBill, with_facts
from app.services.simulation.reading import read_bills
from tests.issuance.sheets import workbook_of
from tests.simulation.bills import bill, rules_of

HEADING = "at,firm,category,amount_yuan"
ROW = "2026-03-01,甲公司,compute,1000.50"


def read(text: str, *versions: Rules, encoding: str = "utf-8") -> list[SimulatedBill]:
    return read_bills(text.encode(encoding), versions or [rules_of()])


def complaints(data: str | bytes, *versions: Rules) -> list[FieldError]:
    with pytest.raises(AppError) as refusal:
        read_bills(data if isinstance(data, bytes) else data.encode(), versions or [rules_of()])
    assert refusal.value.code in {Code.SHEET_INVALID, Code.VALIDATION_FAILED}
    assert refusal.value.context["count"] == len(refusal.value.errors)
    return list(refusal.value.errors)


def places(data: str | bytes, *versions: Rules) -> list[tuple[int | None, str | None, str]]:
    return [(error.row, error.column, error.code) for error in complaints(data, *versions)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_csv_is_read_in_every_encoding_that_offices_write(encoding: str) -> None:
    (found,) = read(f"{HEADING}\n{ROW}\n", encoding=encoding)
    assert found.firm == "甲公司"
    assert found.facts.at == datetime(2026, 2, 28, 16, tzinfo=UTC)
    assert [(line.category, line.amount_fen) for line in found.facts.lines] == [("compute", 100_050)]


def test_all_columns_reach_the_facts() -> None:
    text = (
        "at,firm,category,amount_fen,quantity,unit,unit_price,tax_rate,used_until,facility_class,provider,contract_no,"
        "voucher_no,paid_yuan,other_grants_fen,holder.size,holder.tags,holder.registered_on,provider.racks,"
        "claim.same_controller,claim.contract_fen\n"
        "2026-03-01T09:30+08:00,A,compute,500,12.5,card_hour,0.40,0.06,2026/3/1,domestic,P1,C-7,V1,4,7,small,"
        "高新;初创,2020年5月6日,1000,否,900\n"
    )
    (found,) = read(text)
    line, facts = found.facts.lines[0], found.facts
    assert (line.quantity, line.unit, line.unit_price, line.tax_rate) == ("12.5", "card_hour", "0.40", "0.06")
    assert (line.facility_class, dict(line.amounts_fen), line.other_grants_fen) == ("domestic", {"paid": 400}, 7)
    assert line.used_until == datetime(2026, 2, 28, 16, tzinfo=UTC)
    assert facts.at == datetime(2026, 3, 1, 1, 30, tzinfo=UTC)
    assert facts.holder == {"size": "small", "tags": ("高新", "初创"), "registered_on": "2020-05-06"}
    assert facts.provider == {"id": "P1", "racks": "1000"}
    assert facts.claim == {"contract_no": "C-7", "same_controller": False, "contract_fen": "900"}
    assert found.voucher == "V1"


def test_chinese_headings_are_the_templates_too() -> None:
    (found,) = read("申报时间,企业,服务类别,金额（元）,合同编号\n2026-3-1,甲,compute,10,C1\n")
    assert (found.facts.lines[0].amount_fen, found.facts.claim) == (1_000, {"contract_no": "C1"})


def test_rows_of_one_bill_number_are_one_bill_of_that_firm() -> None:
    text = f"{HEADING},bill_no\n{ROW},1\n2026-03-02,乙公司,compute,5,1\n2026-03-01,甲公司,storage,7,1\n{ROW},\n{ROW},\n"
    found = read(text)
    assert [(one.firm, len(one.facts.lines)) for one in found] == [
        ("甲公司", 2),
        ("乙公司", 1),
        ("甲公司", 1),
        ("甲公司", 1),
    ]


def test_rows_of_one_bill_that_contradict_each_other_are_named() -> None:
    text = f"{HEADING},bill_no,holder.size\n{ROW},1,small\n2026-03-02,甲公司,compute,5,1,large\n"
    assert places(text) == [(3, "at", "bill_differs"), (3, "holder.size", "bill_differs")]


def test_a_workbook_gives_the_same_bills_as_a_csv() -> None:
    cells: list[list[Any]] = [
        ["at", "firm", "category", "amount_yuan", "quantity", "holder.size"],
        ["2026-03-01", "甲公司", "compute", 1000.5, 33.35, "small"],
        ["", "", "", "", "", ""],
    ]
    text = "at,firm,category,amount_yuan,quantity,holder.size\n2026-03-01,甲公司,compute,1000.50,33.35,small\n,,,,,\n"
    assert read_bills(workbook_of({"说明": [["x"]], "bills": cells}), [rules_of()]) == read(text)


def test_json_gives_the_same_bills_as_a_csv() -> None:
    stated = {
        "at": "2026-03-01T00:00:00+08:00",
        "firm": "甲公司",
        "holder": {"size": "small"},
        "lines": [{"category": "compute", "amount_fen": 100_050}],
    }
    from_csv = read(f"{HEADING},holder.size\n{ROW},small\n")
    for document in ([stated], {"bills": [stated]}):
        (found,) = read("\ufeff" + json.dumps(document))
        assert (found.firm, found.facts.holder, found.facts.lines[0].amount_fen) == (
            "甲公司",
            {"size": "small"},
            100_050,
        )
        assert found.facts.at == from_csv[0].facts.at


def test_every_complaint_comes_at_once_with_row_and_column() -> None:
    text = (
        "at,firm,category,amount_yuan,quantity,tax_rate,holder.registered_on,claim.same_controller,holder.region_code\n"
        "yesterday,A,compute,1,1,0.06,2020-01-01,是,330100\n"
        "2026-03-01,,compute,1.234,1e3,6%,2020-02-30,perhaps,330100\n"
        "2026-03-01,A,Compute!,0,1,1.3,2020-01-01,,\n"
        "2026-03-01,A,compute\n"
    )
    assert places(text) == [
        (2, "at", "time_unreadable"),
        (3, "firm", "required"),
        (3, "amount_yuan", "amount_unreadable"),
        (3, "quantity", "number_unreadable"),
        (3, "tax_rate", "rate_unreadable"),
        (3, "holder.registered_on", "date_unreadable"),
        (3, "claim.same_controller", "yes_no_unreadable"),
        (4, "category", "code_unfit"),
        (4, "amount_yuan", "amount_unreadable"),
        (4, "tax_rate", "rate_unreadable"),
        (5, None, "cells_missing"),
    ]


def test_complaints_are_sentences_in_both_languages() -> None:
    (error,) = complaints(f"{HEADING}\n2026-03-01,A,compute,-5\n")
    assert error.detail == "-5 is no amount above 0. / “-5”不是大于 0 的金额。"
    assert error.pointer == "/rows/2/amount_yuan"


def test_a_heading_that_does_not_fit_is_told_column_by_column() -> None:
    assert places("at,firm,amount_yuan,amount_fen,holder.shoe_size,at\nx\n") == [
        (1, "E", "heading_unknown"),
        (1, "F", "heading_duplicate"),
        (1, "A", "heading_missing"),
        (1, "D", "heading_duplicate"),
    ]


@pytest.mark.parametrize("text", [f"{HEADING}\n", f"{HEADING}\n,,,\n"])
def test_a_file_without_rows_is_refused(text: str) -> None:
    assert places(text) == [(2, None, "no_rows")]


@pytest.mark.parametrize(
    "data", [b"\x00\x01\x02", b"\xff\xfe\x00", b'at,firm,category,amount_yuan\n"open', b"PK\x03\x04broken"]
)
def test_what_is_no_file_of_bills_is_told_as_such(data: bytes) -> None:
    with pytest.raises(AppError) as refusal:
        read_bills(data, [rules_of()])
    assert refusal.value.code == Code.FILE_UNREADABLE


def test_a_fact_that_only_one_version_declares_is_known() -> None:
    declaring = rules_of(facts=[{"name": "holder.score", "type": "number"}])
    (found,) = read(f"{HEADING},holder.score\n{ROW},7\n", rules_of(), declaring)
    assert found.facts.holder == {"score": "7"}
    assert places(f"{HEADING},holder.score\n{ROW},7\n", rules_of()) == [(1, "E", "heading_unknown")]


def test_a_fact_of_two_types_is_refused() -> None:
    one = rules_of(facts=[{"name": "holder.score", "type": "number"}])
    other = rules_of(facts=[{"name": "holder.score", "type": "words"}])
    assert places(f"{HEADING},holder.score\n{ROW},7\n", one, other) == [(1, "E", "fact_types_differ")]


def stated(**changes: Any) -> dict[str, Any]:
    lines = [{"category": "compute", "amount_fen": 1}]
    return {"at": "2026-03-01T00:00:00Z", "firm": "A", "lines": lines} | changes


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        (stated(firm=""), "/bills/1/firm"),
        (stated(at="2026-03-01T00:00:00"), "/bills/1/at"),
        (stated(colour="red"), "/bills/1/colour"),
        (stated(lines=[{"category": "compute", "amount_fen": 1.5}]), "/bills/1/lines/0/amount_fen"),
        (stated(lines=[]), "/bills/1/lines"),
        (stated(holder={"shoe_size": "43"}), "/bills/1/holder/shoe_size"),
        (stated(holder={"registered_on": "soon"}), "/bills/1/holder/registered_on"),
        (stated(lines=[{"category": "a", "amount_fen": 1, "facts": {"x": "1"}}]), "/bills/1/lines/0/facts/x"),
    ],
)
@pytest.mark.parametrize("listed", [True, False])
def test_a_wrong_place_of_json_is_named_by_its_pointer(wrong: dict[str, Any], pointer: str, *, listed: bool) -> None:
    bills = [stated(), wrong]
    assert [error.pointer for error in complaints(json.dumps(bills if listed else {"bills": bills}))] == [pointer]


def test_what_is_no_json_is_malformed() -> None:
    with pytest.raises(AppError) as refusal:
        read_bills(b'{"bills": [', [rules_of()])
    assert refusal.value.code == Code.MALFORMED_REQUEST


def test_given_facts_fill_in_what_a_bill_does_not_state() -> None:
    bills = [bill("A", 1, holder={"size": "large"}), bill("B", 1)]
    found = with_facts(bills, {"holder.size": "small", "claim.tier": "1"})
    assert [one.facts.holder for one in found] == [{"size": "large"}, {"size": "small"}]
    assert [one.facts.claim for one in found] == [{"tier": "1"}] * 2
