"""Whether a bill can be true: units, usage references, capacity, prices. Pure: a finding is a value.

Only lines that the programme covers are looked at. What the rules say decides whether a finding refuses the bill or is
a flag in its trace; a flag changes no amount. The same bill, rules and grounds give the same findings years later.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from app.kernel.problems import Code, FieldError
from app.kernel.rates import parse_decimal
from app.kernel.vocabulary import Sign
from app.services.redemption.bills import UNIT_PRICE_DECIMALS, Bill, BillLine
from app.services.redemption.capacities import check_capacity, shortages
from app.services.redemption.capacity_uses import counted
from app.services.redemption.grounds import Grounds, ListedPrice
from app.services.redemption.signs import Finding, Numbered, Refusal
from app.services.rules.bill_checks import Verdict
from app.services.rules.model import Rules

SHOWN_PRICES = 20
"""Rows of a price list that a refusal names."""


def settle(bill: Bill, rules: Rules, grounds: Grounds) -> Grounds:
    """What these rules look at for this bill; of what other bills take, no more than where that leaves too little.

    Grounds that are settled stay as they are: who judges and stores settles once.
    """
    looked_at = grounds.looked_at(rules, bill)
    if not grounds.taken or rules.bill_checks.capacity.beyond is None:
        return looked_at
    beside = replace(looked_at, taken=grounds.taken)
    return replace(looked_at, short=shortages(bill, _covered(bill, rules), beside))


def judge_evidence(bill: Bill, rules: Rules, grounds: Grounds) -> tuple[Finding, ...]:
    """Everything that speaks against a bill, line by line in the order of the checks; nothing where all is well."""
    checks, grounds = rules.bill_checks, settle(bill, rules, grounds)
    covered = _covered(bill, rules)
    found = [*judge_units(bill, rules)]
    if checks.usage_ref.required:
        found += [_missing_ref(number) for number, line in covered if line.usage_ref is None]
    if checks.invoice.required:
        found += [_missing_invoice(number) for number, line in covered if line.invoice is None]
    if checks.usage_ref.repeated is not None:
        found += _repeated(covered, grounds, checks.usage_ref.repeated)
    if checks.capacity.beyond is not None:
        found += check_capacity(bill, covered, grounds, checks.capacity.beyond)
    if checks.price.above_list is not None:
        found += _prices(covered, rules, grounds.prices, checks.price.above_list)
    return tuple(found)


def judge_units(bill: Bill, rules: Rules) -> Iterator[Finding]:
    """Covered lines in units that their category does not know: all that can be judged of a bill that is to come."""
    for number, line in _covered(bill, rules):
        known = rules.units_of(line.category)
        if known is not None and line.unit not in known:
            context = {"category": line.category}
            yield Finding(Sign.UNIT_NOT_KNOWN, number, "unit", "refuse", ", ".join(known), line.unit, context=context)


def refusal_of(findings: Sequence[Finding]) -> Refusal | None:
    """The problem that these findings make: its code is the first one's, its `errors` name all that refuse.

    None where they are flags only. Pointers lead into a request that has the bill as `bill`.
    """
    refusing = [one for one in findings if one.verdict == "refuse"]
    if not refusing:
        return None
    first = refusing[0]
    errors = tuple(
        FieldError(f"/bill/lines/{one.line - 1}/{one.member}", one.code, limit=one.limit, actual=one.actual)
        for one in refusing
    )
    extra: dict[str, str | int] = {"redemption_id": first.redemption_id} if first.redemption_id else {}
    context = {"line": first.line, "limit": first.limit, "actual": first.actual, **first.context}
    return Refusal(Code(first.code), context, extra, errors)


def with_flags(trace: dict[str, Any], findings: Sequence[Finding]) -> dict[str, Any]:
    """The trace with what was noted of the bill, right after the rule version; as it is where nothing was."""
    flags = [one.told() for one in findings if one.verdict == "flag"]
    if not flags:
        return trace
    version, *steps = trace["steps"]
    return {**trace, "steps": [version, {"step": "evidence", "flags": flags}, *steps]}


def flags_of(trace: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was noted of a bill, from its trace."""
    return [flag for step in trace["steps"] if step["step"] == "evidence" for flag in step["flags"]]


def grounds_to_store(rules: Rules, bill: Bill, grounds: Grounds, findings: Sequence[Finding]) -> dict[str, Any] | None:
    """What of the grounds is stored with a redemption, for a replay to find the same flags.

    With it stands what the bill counts of the provider's capacity, where the rules ask for that: also that it is
    nothing, where its days are too many. None where nothing was found and the rules looked at nothing beyond the bill:
    then there is nothing to judge again.
    """
    if not findings and not rules.bill_checks.look_beyond_the_bill:
        return None
    settled = settle(bill, rules, grounds)
    uses = counted(bill, _covered(bill, rules), settled) if rules.bill_checks.capacity.beyond is not None else ()
    told = uses or any(one.code == Sign.USAGE_TIMES_TOO_LONG for one in findings)
    return settled.stored() | ({"uses": [one.stored() for one in uses]} if told else {})


def flagged_again(bill: Bill, rules: Rules, stored: Mapping[str, Any] | None, trace: dict[str, Any]) -> dict[str, Any]:
    """The trace of a stored redemption with its flags, judged anew from the grounds that were stored with it.

    What was decided before evidence was judged has none stored, and no flags.
    """
    return trace if stored is None else with_flags(trace, judge_evidence(bill, rules, Grounds.read(stored)))


def _covered(bill: Bill, rules: Rules) -> list[Numbered]:
    return [(number, line) for number, line in enumerate(bill.lines, start=1) if rules.covers(line.category)]


def _missing_ref(number: int) -> Finding:
    return Finding(Sign.USAGE_REF_MISSING, number, "usage_ref", "refuse", None, None)


def _missing_invoice(number: int) -> Finding:
    return Finding(Sign.INVOICE_MISSING, number, "invoice", "refuse", None, None)


def _repeated(covered: Sequence[Numbered], grounds: Grounds, verdict: Verdict) -> Iterator[Finding]:
    """References of other redemptions, and one usage twice in this bill.

    One job may stand on several lines of a bill, as card-hours and as storage; twice in one category and unit it may
    not.
    """
    here: dict[tuple[str, str, str], int] = {}
    for number, line in covered:
        if line.usage_ref is None:
            continue
        before = grounds.billed.get(line.usage_ref)
        earlier = here.setdefault((line.usage_ref, line.category, line.unit), number)
        if before is not None:
            where = {"by_en": f"redemption {before.redemption_id}", "by_zh": f"核销记录 {before.redemption_id} "}
            limit, redemption_id = before.redemption_id, before.redemption_id
        elif earlier != number:
            where = {"by_en": f"line {earlier} of this bill", "by_zh": f"本账单第 {earlier} 行"}
            limit, redemption_id = f"line {earlier}", None
        else:
            continue
        yield Finding(
            Sign.USAGE_ALREADY_BILLED,
            number,
            "usage_ref",
            verdict,
            limit,
            line.usage_ref,
            redemption_id=redemption_id,
            context=where,
        )


def _prices(
    covered: Sequence[Numbered], rules: Rules, prices: Sequence[ListedPrice], verdict: Verdict
) -> Iterator[Finding]:
    """A price that is above the admitted one, or not admitted at all.

    A provider that was admitted without any list is flagged, never refused: there is nothing to be above.
    """
    for number, line in covered:
        row = _listed(line, rules, prices)
        if row is None:
            asked = " / ".join(filter(None, (line.category, line.unit, line.accelerator)))
            known = ", ".join(_named(one) for one in prices[:SHOWN_PRICES]) or None
            not_listed: Verdict = verdict if prices else "flag"
            yield Finding(Sign.PRICE_NOT_LISTED, number, "unit_price", not_listed, known, asked)
        elif _price(line.unit_price) > _price(row.unit_price):
            context = {"category": line.category, "unit": line.unit}
            yield Finding(
                Sign.PRICE_ABOVE_LIST,
                number,
                "unit_price",
                verdict,
                row.unit_price,
                line.unit_price,
                context=context,
            )


def _listed(line: BillLine, rules: Rules, prices: Sequence[ListedPrice]) -> ListedPrice | None:
    """The row for a line: of the nearest category in the tree, the card's own row before the one for any card."""
    for category in rules.lineage(line.category):
        rows = {one.accelerator: one for one in prices if one.category == category and one.unit == line.unit}
        row = rows.get(line.accelerator) or rows.get(None)
        if row is not None:
            return row
    return None


def _named(row: ListedPrice) -> str:
    return " / ".join(filter(None, (row.category, row.unit, row.accelerator)))


def _price(text: str) -> Fraction:
    return parse_decimal(text, max_decimals=UNIT_PRICE_DECIMALS, max_digits=18)
