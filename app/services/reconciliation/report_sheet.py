"""A reconciliation as the spreadsheet that is filed: invariants, groups per party, differences. Amounts in 元."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from io import BytesIO
from typing import Any

import xlsxwriter  # type: ignore[import-untyped]

from app.kernel.clock import SHANGHAI
from app.kernel.regions import region_name
from app.kernel.vocabulary import Sides
from app.services.reconciliation.reconcile import ReconciliationRecord
from app.services.sheets.writing import new_workbook

GROUPS = {
    "matched": "一致",
    "missing_here": "平台缺",
    "missing_there": "对账单缺",
    "differing_amount": "金额不一致",
    "differing_status": "结果不一致",
    "reference_doubled": "流水号重复",
}
BANK_GROUPS = GROUPS | {"missing_there": "银行缺"}
FIELDS = {
    "subsidy_fen": "补贴金额",
    "bill_total_fen": "账单金额",
    "refunded_fen": "已退补贴",
    "voucher_code": "券码",
    "redemption_id": "核销编号",
    "amount_fen": "金额",
    "bank_reference": "银行流水号",
    "order_id": "支付单号",
    "payee_name": "收款人名称",
    "status": "结果",
}
STATES = {"in_payment": "支付中", "paid": "已支付", "returned": "退票", "received": "收款"}
"""Of a payment, as either side has it."""

_INVARIANTS = ("序号", "核对事项", "Invariant", "差异数")
_BROKEN = ("核对事项", "地区", "对象", "应为", "实为")
_TALLIES = ("地区", "机构编号", "类别", "笔数", "平台金额（元）", "对方金额（元）")
_DIFFERENCES = (
    "差异事项", "类别", "地区", "机构编号", "日期", "订单号", "平台补贴（元）", "对账单补贴（元）", "不一致项",
    "对账单编号", "行号", "核销编号", "分录编号",
)  # fmt: skip
_BANK_DIFFERENCES = (
    "差异事项", "类别", "地区", "机构编号", "日期", "支付单号", "银行流水号", "平台金额（元）", "银行金额（元）",
    "平台状态", "银行结果", "不一致项", "银行清单编号", "行号", "收款人名称", "账号末四位",
)  # fmt: skip


def write_report(record: ReconciliationRecord) -> bytes:
    """An .xlsx of a stored report. Text stays text, whatever sign it begins with."""
    file = BytesIO()
    with new_workbook(file) as workbook:
        made_at = record.started_at.astimezone(SHANGHAI)
        workbook.set_properties({"title": record.id, "created": made_at.replace(tzinfo=None)})
        write = _Writer(workbook)
        findings: list[dict[str, Any]] = record.report["findings"]
        write.sheet(
            "账目核对",
            _INVARIANTS,
            [[of["number"], of["title_zh"], of["title_en"], of["count"]] for of in findings],
            f"{region_name(record.region_code)}，{made_at:%Y-%m-%d %H:%M}（北京时间），{record.id}",
        )
        broken = [
            [of["title_zh"], row["region_code"], row["subject"], row["expected"], row["actual"]]
            for of in findings
            for row in of["differences"]
        ]
        if broken:
            left_out = sum(of["count"] for of in findings) - len(broken)
            write.sheet("账目差异", _BROKEN, broken, _beyond(len(broken), left_out))
        for comparison in record.report.get("comparisons", ()):
            period = f"{comparison['period_from']} 至 {comparison['period_until']}"
            of = _KINDS[comparison["sides"]]
            write.sheet(f"{of.title}汇总", _TALLIES, _tallies(comparison, of), f"期间：{period}")
            shown = [of.difference(row) for row in comparison["differences"]]
            left_out = comparison["difference_count"] - len(shown)
            more = "其余见差异事项 / the others are cases: GET /v1/reconciliation-cases"
            write.sheet(f"{of.title}差异", of.headings, shown, _beyond(len(shown), left_out, more))
    return file.getvalue()


def _beyond(shown: int, left_out: int, more: str = "") -> str:
    """That a sheet is not the whole, so that nobody adds up what stands in it; nothing where it is."""
    if not left_out:
        return ""
    said = f"本表只列出 {shown} 条，另有 {left_out} 条未列出，请勿据此合计 / {left_out} are left out"
    return f"{said}。{more}" if more else said


def _tallies(comparison: dict[str, Any], of: _Kind) -> list[list[Any]]:
    rows = [
        [
            region_name(row["region_code"]),
            row["party_id"],
            of.groups[row["kind"]],
            row["count"],
            _yuan(row["here_fen"]),
            _yuan(row["there_fen"]),
        ]
        for row in comparison["tallies"]
    ]
    return rows + [
        [region_name(row["region_code"]), row["party_id"], of.unheld, row["count"], _yuan(row["here_fen"]), ""]
        for row in comparison["unheld"]
    ]


def _difference(row: dict[str, Any]) -> list[Any]:
    evidence = row["evidence"]
    line, redemption = evidence["line"] or {}, evidence["redemption"] or {}
    return [
        row["case_id"] or "",
        GROUPS[row["kind"]] + ("（重复）" if evidence["stands_twice"] else ""),
        region_name(row["region_code"]),
        row["party_id"],
        row["happened_on"],
        line.get("order_no") or redemption.get("order_no") or "",
        _yuan(row["here_fen"]),
        _yuan(row["there_fen"]),
        "、".join(FIELDS[name] for name in evidence["differs"]),
        evidence["statement_id"] or "",
        evidence["row_no"] or "",
        redemption.get("redemption_id") or line.get("redemption_id") or "",
        redemption.get("entry_id") or "",
    ]


def _bank_difference(row: dict[str, Any]) -> list[Any]:
    evidence = row["evidence"]
    line, recorded, order = (evidence[side] or {} for side in ("line", "recorded", "payment_order"))
    state = recorded.get("status") or evidence["differs"].get("status", [""])[0]
    if not line and not recorded:
        state = "in_payment"
    return [
        row["case_id"] or "",
        BANK_GROUPS[row["kind"]],
        region_name(row["region_code"]),
        row["party_id"],
        row["happened_on"],
        order.get("id") or line.get("order_id") or "",
        line.get("bank_reference") or recorded.get("bank_reference") or "",
        _yuan(row["here_fen"]),
        _yuan(row["there_fen"]),
        STATES.get(state, ""),
        STATES.get(line.get("status", ""), ""),
        "、".join(FIELDS[name] for name in evidence["differs"]),
        evidence["bank_list_id"] or "",
        evidence["row_no"] or "",
        line.get("payee_name") or order.get("payee_name") or "",
        line.get("account_tail") or "",
    ]


@dataclass(frozen=True, slots=True)
class _Kind:
    """How two sides are shown: the sheets' title, what is held against nothing, and the differences."""

    groups: Mapping[str, str]
    title: str
    unheld: str
    headings: tuple[str, ...]
    difference: Callable[[dict[str, Any]], list[Any]]


_KINDS = {
    Sides.STATEMENTS: _Kind(GROUPS, "对账", "未提交对账单", _DIFFERENCES, _difference),
    Sides.BANK_LISTS: _Kind(BANK_GROUPS, "银行对账", "银行清单未覆盖", _BANK_DIFFERENCES, _bank_difference),
}


def _yuan(fen: int | None) -> Decimal | str:
    return "" if fen is None else Decimal(fen).scaleb(-2)


class _Writer:
    """Writes tables, a sheet each."""

    def __init__(self, workbook: xlsxwriter.Workbook) -> None:
        self._workbook = workbook
        self._heading = workbook.add_format({"bold": True, "bottom": 1, "bg_color": "#DDEBF7"})
        self._amount = workbook.add_format({"num_format": "#,##0.00"})

    def sheet(self, name: str, headings: Sequence[str], rows: Sequence[Sequence[Any]], footer: str = "") -> None:
        sheet = self._workbook.add_worksheet(name)
        sheet.set_column(0, len(headings) - 1, 20)
        sheet.freeze_panes(1, 0)
        for column, words in enumerate(headings):
            sheet.write_string(0, column, words, self._heading)
        for place, row in enumerate(rows, start=1):
            for column, value in enumerate(row):
                if isinstance(value, str):
                    sheet.write_string(place, column, value)
                else:
                    sheet.write_number(place, column, value, self._amount if isinstance(value, Decimal) else None)
        if footer:
            sheet.write_string(len(rows) + 2, 0, footer)
