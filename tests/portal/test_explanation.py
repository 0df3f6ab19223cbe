"""Why a bill got its amount: told from the traces that the decisions themselves write."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.api.portal.explanation import Explanation, explain, lines
from app.api.portal.texts import Words
from app.kernel.canonical import canonical
from app.kernel.rates import parse_rate
from app.services.recoveries.reads import RecoveryRecord
from app.services.redemption.assessing import claim_facts
from app.services.redemption.bills import Bill, BillLine
from app.services.redemption.commands import RedemptionRecord
from app.services.redemption.decisions import Asked, Drawn, decide_redemption, decide_refund
from app.services.redemption.grounds import Grounds
from app.services.redemption.reads import RefundRecord
from app.services.redemption.states import (
    DatedRules,
    GrantTerms,
    MandateState,
    Parties,
    Party,
    ProgrammeTerms,
    Share,
    VoucherState,
)
from app.services.rules.facts import Facts, Line
from app.services.rules.model import Rules
from app.services.rules.position import Position

ZH, EN = Words("zh"), Words("en")
AT = datetime(2026, 6, 1, 2, tzinfo=UTC)
CATEGORIES = ("training_inference", "model_service")
YUAN = 100


def rules(*, rate: str = "0.30", cap_fen: int | None = None, unit_fen: int = 1, mode: str = "half_up") -> Rules:
    cap = {"kind": "bill", "limit_fen": cap_fen} if cap_fen is not None else None
    document = {
        "categories": CATEGORIES,
        "rate": {"kind": "flat", "rate": rate},
        "cap": cap,
        "rounding": {"unit_fen": unit_fen, "mode": mode},
    }
    return Rules.model_validate(document)


def redeemed(
    rule: Rules, *amounts: tuple[str, int], balance_fen: int = 100_000_000, bill: Bill | None = None
) -> RedemptionRecord:
    """A redemption as it would be stored, decided by the service's own decision."""
    bill = bill or Bill(sum(fen for _, fen in amounts), tuple(line(category, fen) for category, fen in amounts))
    decided = decide_redemption(
        voucher(balance_fen),
        ProgrammeTerms("published", (DatedRules("rul_1", 3, date(2026, 1, 1), rule),)),
        Parties(Party(), Party(), CATEGORIES),
        MandateState("mdt_1", 10**12, 0, datetime(2027, 1, 1, tzinfo=UTC), None),
        Asked(bill),
        Position(),
        Grounds(),
        at=AT,
    )
    assert isinstance(decided, Drawn), decided
    facts = claim_facts(
        bill,
        decided.facts,
        Position(),
        {},
        decided.counted,
        provider_id="org_1",
        number={"order_no": "A-1"},
        shares=voucher(balance_fen).shares,
    )
    return RedemptionRecord(
        region_code="330100",
        id="rdm_1",
        voucher_id="vch_1",
        programme_id="prg_1",
        firm_id="org_2",
        provider_id="org_1",
        mandate_id="mdt_1",
        payment_code_id=None,
        hold_id=None,
        part_no=None,
        order_no="A-1",
        rule_version_id="rul_1",
        bill_total_fen=bill.total_fen,
        subsidy_fen=decided.subsidy_fen,
        firm_pays_fen=decided.firm_pays_fen,
        refunded_fen=0,
        bill_refunded_fen=0,
        status="posted",
        facts=facts.decode(),
        trace=canonical(decided.trace).decode(),
        entry_id="ent_1",
        redeemed_at=AT,
    )


def voucher(balance_fen: int) -> VoucherState:
    return VoucherState(
        region_code="330100",
        id="vch_1",
        code="330100XXXXXXXXXXXX",
        programme_id="prg_1",
        firm_id="org_2",
        balance_fen=balance_fen,
        held_fen=0,
        posting_count=1,
        issued_at=datetime(2026, 1, 1, tzinfo=UTC),
        valid_from=datetime(2026, 1, 1, tzinfo=UTC),
        valid_until=datetime(2027, 1, 1, tzinfo=UTC),
        redeemable_until=datetime(2027, 1, 1, tzinfo=UTC),
        frozen_at=None,
        ended_as=None,
        ended_at=None,
        terms=GrantTerms(),
        shares=[Share("pol_1", balance_fen, 0)],
    )


def line(category: str, amount_fen: int) -> BillLine:
    return BillLine(category, "1", "card_hour", "1", amount_fen)


def figures(explanation: Explanation) -> list[tuple[str, int]]:
    return [(row.label, row.amount_fen) for row in explanation.rows]


def test_a_plain_bill_is_told_by_base_rate_and_what_was_drawn() -> None:
    shown = explain(redeemed(rules(), ("training_inference", 200_000 * YUAN)), ZH)
    assert shown.cuts == ()
    assert shown.sentences == (
        "账单共 200,000.00 元，全部在补贴范围内，补贴基数为 200,000.00 元（含增值税）。",
        "按规则第 3 版，补贴比例为 30%：200,000.00 × 30% = 60,000.00 元。",
        "实际从券中抵扣 60,000.00 元，其余 140,000.00 元由贵单位支付。",
    )


def test_every_cut_is_named_and_the_sum_adds_up() -> None:
    record = redeemed(
        rules(cap_fen=20_000 * YUAN),
        ("training_inference", 90_000 * YUAN),
        ("storage", 10_000 * YUAN),
        balance_fen=15_000 * YUAN,
    )
    shown = explain(record, ZH)
    assert shown.cuts == ("不在补贴范围", "单笔上限", "券内余额不足")
    assert figures(shown) == [
        ("账单金额", 100_000 * YUAN),
        ("不在补贴范围", -10_000 * YUAN),
        ("补贴基数", 90_000 * YUAN),
        ("按比例计算", 27_000 * YUAN),
        ("单笔上限", -7_000 * YUAN),
        ("券内余额不足", -5_000 * YUAN),
        ("券抵扣", 15_000 * YUAN),
        ("企业自付", 85_000 * YUAN),
    ]
    assert "第 2 行“存储”10,000.00 元不在补贴范围内，不予补贴。" in shown.sentences
    assert "单笔账单最高补贴 20,000.00 元，因此少补 7,000.00 元。" in shown.sentences
    assert "核销时券内余额为 15,000.00 元，不足以全额抵扣，因此少抵 5,000.00 元。" in shown.sentences


def test_the_exact_product_is_shown_before_it_is_rounded() -> None:
    halves = explain(redeemed(rules(), ("training_inference", 3335)), EN)
    assert "By version 3 of the rules the rate is 30%: 33.35 × 30% = 10.005 yuan." in halves.sentences
    assert "Rounded half up to 0.01 yuan, this gives 10.01 yuan." in halves.sentences
    floor = explain(redeemed(rules(unit_fen=10_000, mode="floor"), ("training_inference", 12_345_678)), EN)
    assert "Rounded down to 100.00 yuan, this gives 37,000.00 yuan." in floor.sentences


def test_a_cap_that_was_not_reached_is_mentioned_without_a_cut() -> None:
    shown = explain(redeemed(rules(cap_fen=20_000 * YUAN), ("training_inference", 1_000 * YUAN)), EN)
    assert shown.cuts == ()
    assert "A single bill earns at most 20,000.00 yuan; this one stayed within it." in shown.sentences


def test_a_coarse_rounding_above_the_bill_is_told_as_such() -> None:
    record = redeemed(rules(rate="0.60", unit_fen=1_000_000), ("training_inference", 9_000 * YUAN))
    shown = explain(record, EN)
    assert shown.cuts == ("Not above the bill",)
    assert (
        "The subsidy is never more than the part of the bill it is for, so 1,000.00 yuan were cut." in shown.sentences
    )
    assert not any("balance" in sentence for sentence in shown.sentences)


def test_a_reduction_that_the_page_does_not_know_is_named_by_its_code() -> None:
    record = redeemed(rules(), ("training_inference", 1_000 * YUAN))
    trace = json.loads(record.trace)
    trace["reductions"].append({"code": "CAP_OF_TOMORROW", "subsidy_fen": 5_000})
    trace["steps"].append({"step": "something_new"})
    shown = explain(replace(record, trace=json.dumps(trace)), EN)
    assert shown.cuts == ("Other reduction",)
    assert "By rule (CAP_OF_TOMORROW) 50.00 yuan were cut." in shown.sentences


def test_a_refund_is_explained_from_its_own_trace() -> None:
    rule = rules()
    record = redeemed(rule, ("training_inference", 1_000_000 * YUAN))
    returned = decide_refund(
        voucher(0),
        DatedRules("rul_1", 3, date(2026, 1, 1), rule),
        Facts([Line("training_inference", 800_000 * YUAN)], AT, provider_categories=CATEGORIES),
        Position(),
        kept=(),
        drawn_fen=record.subsidy_fen,
        at=AT,
    )
    refund = RefundRecord(
        id="rfd_1",
        redemption_id="rdm_1",
        because_of_id=None,
        bill_refund_fen=200_000 * YUAN,
        subsidy_refund_fen=returned.subsidy_fen,
        reason="部分任务未运行",
        trace=canonical(returned.trace).decode(),
        entry_id="ent_2",
        refunded_at=AT,
    )
    after = replace(record, refunded_fen=returned.subsidy_fen, bill_refunded_fen=200_000 * YUAN)
    assert explain(after, ZH, [refund]).sentences[-1] == (
        "2026-06-01 10:00，账单核减 200,000.00 元（部分任务未运行）。按剩余账单重新计算，应补 240,000.00 元，"
        "原已抵扣 300,000.00 元，退回补贴 60,000.00 元。"
    )
    assert "已退回补贴 60,000.00 元" in explain(after, ZH).sentences[-1]
    paid = replace(refund, subsidy_refund_fen=0, recovery=recovery("due", returned.subsidy_fen))
    assert explain(after, ZH, [paid]).sentences[-2].endswith("退回补贴 60,000.00 元。")
    assert explain(after, ZH, [paid]).sentences[-1] == "其中 60,000.00 元已拨付服务机构，由其缴回财政，不再退回券内。"
    bounced = replace(refund, id="rfd_2", because_of_id="rfd_1")
    returned_by_the_bank = [replace(paid, recovery=recovery("refunded", returned.subsidy_fen)), bounced]
    assert explain(after, ZH, returned_by_the_bank).sentences[-1] == (
        "2026-06-01 10:00，该笔款项被银行退票，上述补贴中的 60,000.00 元已按退款退回。"
    )
    nothing = replace(refund, subsidy_refund_fen=0)
    assert explain(after, ZH, [nothing]).sentences[-1].endswith("因此不退回补贴。")


def test_the_lines_say_which_of_them_were_covered() -> None:
    shown = lines(redeemed(rules(), ("training_inference", 500), ("security", 300)), ZH)
    assert [(one.category, one.unit, one.covered) for one in shown] == [
        ("训练与推理算力", "卡时", True),
        ("安全", "卡时", False),
    ]


def test_a_category_without_a_name_here_is_shown_as_the_programme_spells_it() -> None:
    assert [one.category for one in lines(redeemed(rules(), ("model_service", 500), ("moon_rock", 1)), EN)] == [
        "Model service",
        "moon_rock",
    ]


@pytest.mark.parametrize("words", [ZH, EN])
@given(
    amounts=st.lists(
        st.tuples(st.sampled_from([*CATEGORIES, "storage"]), st.integers(1, 10**11)), min_size=1, max_size=5
    ),
    rate=st.decimals("0.000001", "1", places=6).map(str),
    cap_fen=st.none() | st.integers(1, 10**9),
    balance_fen=st.integers(1, 10**10),
    unit_fen=st.sampled_from([1, 100, 1_000_000]),
)
def test_the_rows_always_add_up_to_what_was_drawn(
    words: Words, amounts: list[tuple[str, int]], rate: str, cap_fen: int | None, balance_fen: int, unit_fen: int
) -> None:
    amounts = [*amounts, ("training_inference", 10**7)]
    assume(parse_rate(rate) * sum(fen for category, fen in amounts if category in CATEGORIES) * 2 >= unit_fen)
    assume(cap_fen is None or cap_fen >= unit_fen)
    record = redeemed(rules(rate=rate, cap_fen=cap_fen, unit_fen=unit_fen), *amounts, balance_fen=balance_fen)
    rows = explain(record, words).rows
    subtotal = next(place for place, row in enumerate(rows) if row.kind == "subtotal")
    before, after = rows[:subtotal], [row for row in rows[subtotal + 1 :] if row.kind != "result"]
    base_fen = sum(fen for category, fen in amounts if category in CATEGORIES)
    assert sum(row.amount_fen for row in before) == rows[subtotal].amount_fen == base_fen
    assert sum(row.amount_fen for row in after) == record.subsidy_fen


V1_TRACE = {
    "v": 1,
    "steps": [
        {"step": "rule_version", "id": "rul_1", "number": 3},
        {
            "step": "eligible_lines",
            "bill_fen": 1_000_100,
            "eligible_fen": 900_100,
            "left_out": [{"line": 2, "category": "storage", "amount_fen": 100_000}],
        },
        {"step": "base", "vat": "included", "base_fen": 900_100},
        {"step": "rate", "rate": "0.60", "exact_fen": "540060"},
        {"step": "rounding", "unit_fen": 1_000_000, "mode": "half_up", "subsidy_fen": 1_000_000},
        {"step": "ceiling", "base_fen": 900_100, "subsidy_fen": 900_100},
        {"step": "cap", "scope": "bill", "limit_fen": 400_000, "subsidy_fen": 400_000},
        {"step": "voucher", "balance_fen": 300_000, "drawn_fen": 300_000},
    ],
    "reductions": [
        {"code": "NOT_ELIGIBLE_LINE", "base_fen": 100_000},
        {"code": "STACK_CEILING", "subsidy_fen": 99_900},
        {"code": "CAP_CLAIM", "subsidy_fen": 500_100},
        {"code": "CAP_VOUCHER", "subsidy_fen": 100_000},
    ],
}
"""As the service wrote them before rules knew more than one rate, one cap and one minimum."""


def test_a_trace_of_the_first_format_stays_readable() -> None:
    record = redeemed(rules(), ("training_inference", 900_100), ("storage", 100_000))
    drawn = replace(record, trace=json.dumps(V1_TRACE), subsidy_fen=300_000, firm_pays_fen=700_100)
    shown = explain(drawn, EN)
    assert shown.cuts == ("Not covered", "Not above the bill", "Cap of a bill", "Voucher's balance")
    assert figures(shown) == [
        ("Bill", 1_000_100),
        ("Not covered", -100_000),
        ("Base", 900_100),
        ("At the rate", 540_060),
        ("Rounding", 459_940),
        ("Not above the bill", -99_900),
        ("Cap of a bill", -500_100),
        ("Voucher's balance", -100_000),
        ("Voucher pays", 300_000),
        ("You pay", 700_100),
    ]
    assert "By version 3 of the rules the rate is 60%: 9,001.00 × 60% = 5,400.60 yuan." in shown.sentences
    assert "A single bill earns at most 4,000.00 yuan, so 5,001.00 yuan were cut." in shown.sentences


def recovery(status: str, amount_fen: int) -> RecoveryRecord:
    """A recovery of a refund, in this state."""
    return RecoveryRecord(
        region_code="330100",
        id="rcv_1",
        refund_id="rfd_1",
        redemption_id="rdm_1",
        payee_id="org_1",
        amount_fen=amount_fen,
        treasury_fen=0,
        status=status,
        bank_reference=None,
        claim_entry_id="ent_3",
        receipt_entry_id=None,
        refunded_as_id=None,
        recorded_at=AT,
        ended_at=None,
    )
