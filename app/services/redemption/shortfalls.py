"""What a bill that gets nothing fell short of, or what cut it: the numbers for the sentence and for machines. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.kernel.money import format_yuan
from app.kernel.vocabulary import Reason
from app.services.rules.assess import Assessment

_MEASURED = {
    "base": ("The covered part of the bill is", "账单中可补贴部分为"),
    "contract": ("The contract's amount is", "合同金额为"),
    "subsidy": ("The subsidy would be", "补贴额仅为"),
    "degree": ("What was attained is", "实际达成为"),
}


def missed_minimum(assessment: Assessment, why: Mapping[str, Any], *, unit_fen: int) -> dict[str, Any]:
    """Context of `below_minimum`: what was measured, how much it came to, and the least that it must.

    `why` is the reduction that left nothing. What rounds to nothing is below one unit of the rounding.
    """
    if why["code"] == Reason.BELOW_MIN and "limit" in why:
        limit, actual = str(why["limit"]), str(why["actual"])
        return _told("degree", limit, actual) | {"limit": limit, "actual": actual}
    missed = [step for step in assessment.steps if step["step"] == "minimum"]
    if why["code"] != Reason.BELOW_MIN or not missed:
        return _told_fen("subsidy", unit_fen, 0)
    last = missed[-1]
    return _told_fen(last["of"], last["minimum_fen"], last["actual_fen"])


def reached_cap(assessment: Assessment, why: Mapping[str, Any]) -> dict[str, Any]:
    """Context of `cap_firm_period`: the cap's name, its limit, and what the bill would have got without it."""
    steps = [step for step in assessment.steps if step["step"].startswith("cap") and step["name"] == why.get("cap")]
    limit = {"limit_fen": steps[-1]["cap_fen"]} if steps and "cap_fen" in steps[-1] else {}
    return {"cap": why.get("cap", ""), **limit, "actual_fen": why["subsidy_fen"]}


def _told_fen(measured: str, limit_fen: int, actual_fen: int) -> dict[str, Any]:
    limit, actual = format_yuan(limit_fen), format_yuan(actual_fen)
    english = _told(measured, f"{limit} yuan", f"{actual} yuan")
    chinese = {"limit_zh": f"{limit} 元", "actual_zh": f"{actual} 元"}
    return english | chinese | {"limit_fen": limit_fen, "actual_fen": actual_fen}


def _told(measured: str, limit: str, actual: str) -> dict[str, Any]:
    english, chinese = _MEASURED[measured]
    return {
        "what_en": english,
        "what_zh": chinese,
        "limit_en": limit,
        "limit_zh": limit,
        "actual_en": actual,
        "actual_zh": actual,
    }
