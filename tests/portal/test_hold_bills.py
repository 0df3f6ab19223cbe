"""Why a bill from a hold got its amount: told from what the service stored, by the service's own decisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.portal.explanation import Explanation, explain, lines
from app.api.portal.texts import Words
from app.services.identity.principals import Caller, Principal
from app.services.redemption.bills import Bill
from app.services.redemption.commands import Redeem, RedemptionRecord
from app.services.redemption.decisions import Asked
from app.services.redemption.effects import redemption_from
from app.services.redemption.grounds import Grounds
from app.services.redemption.holds.decisions import Redeemed, decide_redemption_from
from app.services.redemption.holds.states import HoldState
from app.services.redemption.states import DatedRules, Party, ProgrammeTerms, Share, VoucherState
from app.services.rules.facts import Facts
from app.services.rules.model import Rules
from app.services.rules.position import Position
from tests.portal.test_explanation import AT, CATEGORIES, EN, ZH, figures, line, voucher

Lines = Sequence[tuple[str, int]]


def rules(**changes: Any) -> Rules:
    return Rules.model_validate({"categories": CATEGORIES, "rate": {"kind": "flat", "rate": "0.30"}} | changes)


@dataclass
class Till:
    """A hold, and the redemptions that the service would store for bills drawn on it."""

    rules: Rules
    held_fen: int

    def __post_init__(self) -> None:
        self.voucher: VoucherState = voucher(10**9)
        given_facts = Facts([], AT, provider_categories=CATEGORIES)
        self.hold = HoldState(
            region_code="330100",
            id="hld_1",
            voucher_id="vch_1",
            programme_id="prg_1",
            firm_id="org_2",
            provider_id="org_1",
            mandate_id="mdt_1",
            payment_code_id=None,
            rule_version_id="rul_1",
            status="open",
            amount_fen=self.held_fen,
            held_fen=self.held_fen,
            redeemed_fen=0,
            facts={
                "given": given_facts.given(),
                "provider_categories": list(CATEGORIES),
                "holders": {},
                "counted": [],
            },
            held_at=AT,
            expires_at=AT + timedelta(days=30),
            shares=[Share("pol_1", self.held_fen, 0)],
            parts=[],
            counted=(),
        )

    def redeem(self, *amounts: tuple[str, int]) -> RedemptionRecord:
        bill = Bill(sum(fen for _, fen in amounts), tuple(line(category, fen) for category, fen in amounts))
        terms = ProgrammeTerms("published", (DatedRules("rul_1", 3, AT.date(), self.rules),))
        done = decide_redemption_from(
            self.hold, self.voucher, terms, Party(), Asked(bill), Position(), Grounds(), final=False, at=AT
        )
        assert isinstance(done, Redeemed), done
        command = Redeem(
            caller=Caller(Principal("cli_1", "org_1", "330100", ()), "req", "test"),
            provider_id="org_1",
            region_code="330100",
            asked=Asked(bill),
            key="key",
            voucher_code=None,
            hold_id="hld_1",
            order_no="A-1",
            render=lambda _: pytest.fail("nothing is rendered here"),
            render_refusal=lambda _: None,
        )
        number = len(self.hold.parts) + 1
        return redemption_from(command, f"rdm_{number}", self.hold, self.voucher, done, Position(), at=AT).record


def told(record: RedemptionRecord, words: Words = EN) -> Explanation:
    return explain(record, words, rules=None)


def test_the_first_bill_of_a_hold_is_told_like_any_other() -> None:
    till = Till(rules(), 300_000)
    assert told(till.redeem(("training_inference", 400_000))).sentences == (
        "This bill draws on a hold, that is on what the provider reserved before work. It is the hold's first bill.",
        "The bill is 4,000.00 yuan. All of it is covered, so the base is 4,000.00 yuan (VAT included).",
        "By version 3 of the rules the rate is 30%: 4,000.00 × 30% = 1,200.00 yuan.",
        "1,200.00 yuan were drawn from the voucher; you pay the other 2,800.00 yuan.",
    )


def test_a_later_bill_says_that_it_is_judged_together_with_the_earlier_ones() -> None:
    till = Till(rules(caps=[{"scope": "claim", "name": "bill", "limit_fen": 250_000}]), 250_000)
    till.redeem(("training_inference", 400_000))
    second = told(till.redeem(("training_inference", 500_000)))
    opening, base, rate, cap, due, drawn = second.sentences
    assert opening.endswith("judged together with the earlier bills of this hold, as if all were one.")
    assert base.startswith("With the earlier bills of the hold it comes to 9,000.00 yuan. All of it is covered")
    assert rate == "By version 3 of the rules the rate is 30%: 9,000.00 × 30% = 2,700.00 yuan."
    assert cap.startswith(
        "A single bill earns at most 2,500.00 yuan, and all bills of the hold count as one, so 200.00"
    )
    assert due == (
        "Together with the earlier bills of this hold 2,500.00 yuan are due, of which those drew 1,200.00 yuan, so "
        "1,300.00 yuan are due for this bill."
    )
    assert drawn == "1,300.00 yuan were drawn from the voucher; you pay the other 3,700.00 yuan."
    assert figures(second) == [
        ("Bill", 500_000),
        ("Earlier bills of the hold", 400_000),
        ("Base", 900_000),
        ("At the rate", 270_000),
        ("Cap of a bill", -20_000),
        ("Drawn by earlier bills", -120_000),
        ("Voucher pays", 130_000),
        ("You pay", 370_000),
    ]


def test_a_hold_that_is_too_small_is_named_as_the_cut() -> None:
    till = Till(rules(), 150_000)
    till.redeem(("training_inference", 400_000))
    second = told(till.redeem(("training_inference", 200_000)), ZH)
    assert second.cuts == ("预占额不足",)
    assert "该预占只剩 300.00 元，不足以抵扣应抵的 600.00 元，因此少抵 300.00 元。" in second.sentences
    assert second.advice == ("预占不够的部分由贵单位支付；下次可请机构在开工前多预占一些。",)
    assert figures(second)[-4:] == [
        ("此前账单已抵扣", -120_000),
        ("预占额不足", -30_000),
        ("券抵扣", 30_000),
        ("企业自付", 170_000),
    ]


def test_what_a_small_bill_leaves_to_the_next_ones_is_told() -> None:
    """400 + 100 yuan reach the minimum of 500: 150 are due, on a bill of 100."""
    till = Till(rules(floors=[{"of": "base", "at_least_fen": 50_000}]), 30_000)
    till.redeem(("training_inference", 40_000))
    record = till.redeem(("training_inference", 10_000))
    *_, deferred, drawn = told(record, ZH).sentences
    assert deferred == (
        "每笔账单的抵扣不超过该账单金额 100.00 元，其余 50.00 元留待该预占的后续账单抵扣；没有后续账单的，退回券上。"
    )
    assert "100.00" in drawn and "0.00" in drawn
    assert figures(told(record))[-3:] == [
        ("Left to the next bills of the hold", -5_000),
        ("Voucher pays", 10_000),
        ("You pay", 0),
    ]


def test_lines_have_the_numbers_of_their_own_bill() -> None:
    till = Till(rules(), 300_000)
    till.redeem(("storage", 5_000), ("training_inference", 400_000), ("network", 700))
    record = till.redeem(("training_inference", 100_000), ("storage", 2_500))
    second = told(record)
    assert "Line 2, “Storage”, 25.00 yuan, is not covered and earns no subsidy." in second.sentences
    assert (
        "Of the earlier bills of the hold 57.00 yuan earn no subsidy (Not covered); their own pages say why."
        in second.sentences
    )
    assert not any("Line 5" in sentence or "Network" in sentence for sentence in second.sentences)
    assert [(row.basis, row.amount_fen) for row in second.rows if row.kind == "cut"] == [
        ("line 2, Storage", -2_500),
        ("earlier bills", -5_700),
    ]
    assert [one.covered for one in lines(record, EN)] == [True, False]
    third = told(till.redeem(("training_inference", 100)))
    assert (third.cuts, third.advice) == ((), ())  # nothing of this bill is cut


def test_a_line_without_a_rate_has_the_number_of_its_own_bill() -> None:
    by_category = {"kind": "by", "fact": "line.category", "rates": {"training_inference": "0.30"}}
    till = Till(rules(rate=by_category), 300_000)
    till.redeem(("model_service", 7_000), ("training_inference", 1_000))
    second = told(till.redeem(("training_inference", 1_000), ("model_service", 3_000)))
    assert "For 30.00 yuan of line 2 the rules give no rate, so they earn no subsidy." in second.sentences
    assert (
        "Of the earlier bills of the hold 70.00 yuan earn no subsidy (No rate); their own pages say why."
        in second.sentences
    )
    assert [row.basis for row in second.rows if row.kind == "cut"] == ["line 2", "earlier bills"]


def test_a_bill_below_the_floor_draws_nothing_until_a_later_one_reaches_it() -> None:
    till = Till(rules(floors=[{"of": "base", "at_least_fen": 50_000}]), 30_000)
    first = told(till.redeem(("training_inference", 20_000)))
    assert first.cuts == ("Below the minimum",)
    assert first.sentences[-1] == "Nothing was drawn from the voucher for this bill; you pay all of it, 200.00 yuan."
    second = told(till.redeem(("training_inference", 40_000)))
    assert second.cuts == ()
    assert figures(second)[-2:] == [("Voucher pays", 18_000), ("You pay", 22_000)]


def test_a_bill_for_which_the_earlier_ones_drew_everything_says_so() -> None:
    cap = {"scope": "claim", "name": "bill", "limit_fen": 12_000}
    till = Till(rules(caps=[cap]), 20_000)
    till.redeem(("training_inference", 40_000))
    second = told(till.redeem(("training_inference", 40_000)))
    assert (
        "Together with the earlier bills of this hold 120.00 yuan are due. Those drew all of it, 120.00 yuan, so 0.00 "
        "yuan are due for this bill." in second.sentences
    )


def test_earlier_bills_that_drew_more_than_all_are_due_are_told() -> None:
    """30 % up to 500 yuan, 10 % of everything above it: the second bill lowers what is due from 120 to 80 yuan."""
    bands = [
        {"up_to_fen": 50_000, "rate": {"kind": "flat", "rate": "0.30"}},
        {"rate": {"kind": "flat", "rate": "0.10"}},
    ]
    rate = {"kind": "bracket", "method": "cliff_prospective", "bands": bands}
    till = Till(rules(rate=rate), 30_000)
    till.redeem(("training_inference", 40_000))
    second = told(till.redeem(("training_inference", 40_000)))
    assert (
        "Together with the earlier bills of this hold 80.00 yuan are due, but those drew 120.00 yuan, 40.00 yuan more, "
        "so 0.00 yuan are due for this bill." in second.sentences
    )
    assert any("whose rate holds for all of these bills" in sentence for sentence in second.sentences)
    assert figures(second)[-3:] == [("Drawn by earlier bills", -8_000), ("Voucher pays", 0), ("You pay", 40_000)]


@pytest.mark.parametrize("words", [ZH, EN], ids=["zh", "en"])
@given(
    bills=st.lists(
        st.lists(
            st.tuples(st.sampled_from(["training_inference", "model_service", "storage"]), st.integers(1, 10**7)),
            min_size=1,
            max_size=3,
        ),
        min_size=1,
        max_size=4,
    ),
    rate=st.sampled_from(["0.3", "0.333333", "1"]),
    cap_fen=st.none() | st.integers(1, 10**6),
    floor_fen=st.sampled_from([None, 10**5, 10**6]),
    held_fen=st.integers(1, 10**7),
)
def test_the_rows_of_every_bill_of_a_hold_add_up(
    words: Words, bills: list[Lines], rate: str, cap_fen: int | None, floor_fen: int | None, held_fen: int
) -> None:
    changes: dict[str, Any] = {"rate": {"kind": "flat", "rate": rate}}
    if cap_fen:
        changes["caps"] = [{"scope": "claim", "name": "bill", "limit_fen": cap_fen}]
    if floor_fen:
        changes["floors"] = [{"of": "base", "at_least_fen": floor_fen}]
    till = Till(rules(**changes), held_fen)
    for bill in bills:
        record = till.redeem(("model_service", 1), *bill)
        shown = told(record, words)
        rows = list(shown.rows)
        assert [row.amount_fen for row in rows if row.kind == "result"] == [record.subsidy_fen, record.firm_pays_fen]
        assert rows[0].amount_fen == record.bill_total_fen
        subtotals = [place for place, row in enumerate(rows) if row.kind == "subtotal"]
        first, rest = (rows[: subtotals[0]], rows[subtotals[0] + 1 :]) if subtotals else (rows, [])
        base_fen = rows[subtotals[0]].amount_fen if subtotals else 0
        assert sum(row.amount_fen for row in first if row.kind != "result") == base_fen
        assert sum(row.amount_fen for row in rest if row.kind != "result") == (record.subsidy_fen if subtotals else 0)
        assert words("calc.spare") not in [row.label for row in rows]
        if till.hold.status != "open":
            break


def test_what_is_noted_of_a_line_has_the_number_of_its_own_bill() -> None:
    till = Till(rules(bill_checks={"capacity": {"beyond": "flag"}}), 300_000)
    till.redeem(("training_inference", 1_000), ("training_inference", 1_000))
    second = told(till.redeem(("training_inference", 1_000)))
    (noted,) = (one for one in second.sentences if one.startswith("Noted"))
    assert "line 1" in noted
