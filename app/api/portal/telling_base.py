"""From the bill to the base: which lines count, what is taken off, and why nothing may be granted at all. Pure."""

from __future__ import annotations

from app.api.portal.telling import Telling, Trace, amount, exact
from app.kernel.vocabulary import Reason, Sign

BASE_CUTS = (
    Reason.PRICE_CEILING,
    Reason.QUANTITY_CEILING,
    Reason.DUP_BASE,
    Reason.VAT_EXCLUDED,
    Reason.NETTED,
)
"""Reductions of the base that have no step of their own."""

SIGNS = frozenset(Sign)
"""Flags that have a sentence here; a later one stands in the trace only."""

WITH_CATEGORY = {
    Reason.NOT_ELIGIBLE_LINE: "because.line",
    Reason.FACT_MISSING: "because.line_unknown",
    Reason.EXPIRED: "because.line_late",
}
"""What is said of a line that was left out."""


def eligible_lines(telling: Telling, step: Trace) -> None:
    """The bill, and each line that does not count with its reason."""
    bill_fen, eligible_fen = step["bill_fen"], step["eligible_fen"]
    base = next((one for one in telling.steps if one["step"] == "base"), None)
    words = telling.names.words
    figures = {"bill": amount(bill_fen), "base": amount(eligible_fen)}
    if base is not None and base["base_fen"] == eligible_fen:
        vat = words("vat.included" if base["vat"] == "included" else "vat.excluded")
        telling.say("why.base" if bill_fen == eligible_fen else "why.base_part", vat=vat, **figures)
    else:
        telling.say("why.covered" if bill_fen == eligible_fen else "why.covered_part", **figures)
    own_fen = telling.of_hold.bill_fen if telling.of_hold is not None else bill_fen
    telling.row(words("calc.bill"), "", own_fen)
    if own_fen != bill_fen:
        telling.row(words("calc.bills_before"), "", bill_fen - own_fen)
    earlier: dict[str, int] = {}
    for line in step["left_out"]:
        code = line.get("code", Reason.NOT_ELIGIBLE_LINE)
        if telling.own_line(line["line"]) > 0:
            _left_out(telling, line, code)
        else:
            earlier[code] = earlier.get(code, 0) + line["amount_fen"]
    for code, fen in earlier.items():
        of_earlier_bills(telling, code, fen)
    for code in dict.fromkeys(line.get("code", Reason.NOT_ELIGIBLE_LINE) for line in step["left_out"]):
        telling.find(Reason(code))


def of_earlier_bills(telling: Telling, code: str, cut_fen: int) -> None:
    """What earlier bills of the hold lose for one reason, in one breath: their own pages name the lines.

    It is a row of the sum, which is that of all bills, but no cut of this one.
    """
    words = telling.names.words
    if cut_fen:  # a line that was cancelled since has nothing to lose
        reason = words(f"reason.{code}")
        telling.say("because.earlier_bills", amount=amount(cut_fen), reason=reason)
        telling.row(reason, words("calc.basis.earlier_bills"), 0 if telling.base_told else -cut_fen, "cut")


def _left_out(telling: Telling, line: Trace, code: str) -> None:
    names, number = telling.names, telling.own_line(line["line"])
    category = names.category(line["category"])
    key = WITH_CATEGORY[Reason(code)]
    what = names.facts(line.get("missing", ()))
    if code == Reason.NOT_ELIGIBLE_LINE and "requirement" in line:
        key, what = "because.line_condition", names.requirement(line["requirement"])
    telling.say(key, line=number, category=category, amount=amount(line["amount_fen"]), what=what)
    telling.cut(code, names.words("calc.basis.line", line=number, category=category), line["amount_fen"])


def related_parties(telling: Telling, step: Trace) -> None:
    """Signs of a relation that are only noted."""
    telling.say("why.related", what=_signs(telling, step["flagged"]))


def evidence(telling: Telling, step: Trace) -> None:
    """What is noted of the bill without changing its amount."""
    for flag in step["flags"]:
        if flag["code"] in SIGNS:
            limit, actual = flag["limit"] or "—", flag["actual"] or "—"
            telling.say(f"flag.{flag['code']}", line=flag["line"], limit=limit, actual=actual)


def least_of(telling: Telling, step: Trace) -> None:
    """The least of several amounts is the base."""
    _cut_base(telling)
    names = telling.names
    known = [f"{names.fact(f'amounts.{name}')} {exact(fen)}" for name, fen in step["amounts_fen"].items()]
    least = names.fact(f"amounts.{step['least']}")
    telling.say("why.least_of", amounts=names.words("list.comma").join(known), least=least)
    cut = telling.find(Reason.LEAST_OF)
    if cut is not None:
        telling.say("because.LEAST_OF", what=least, cut=amount(cut["base_fen"]))
        telling.cut(Reason.LEAST_OF, least, cut["base_fen"])


def invoice_lines(telling: Telling, step: Trace) -> None:
    """Lines of which part lies on an invoice line, or a contract, that was subsidised already."""
    for line in step["lines"]:
        if (number := telling.own_line(line["line"])) > 0:
            billed, used_up = amount(line["amount_fen"]), amount(line["used_up_fen"])
            telling.say("why.invoice_line", line=number, amount=billed, cut=used_up)


def base(telling: Telling, step: Trace) -> None:
    """The base itself: what was taken off before it, and the subtotal."""
    covered_fen = next(one["eligible_fen"] for one in telling.steps if one["step"] == "eligible_lines")
    _cut_base(telling)
    base_fen, words = step["base_fen"], telling.names.words
    if base_fen != telling.base_fen:
        telling.row(words("calc.spare"), words("calc.basis.spare"), base_fen - telling.base_fen)
    if base_fen != covered_fen:
        vat = words("vat.included" if step["vat"] == "included" else "vat.excluded")
        telling.say("why.base_is", base=amount(base_fen), vat=vat)
    telling.subtotal(words("calc.base"))


def minimum(telling: Telling, step: Trace) -> None:
    """Base, contract or subsidy do not reach their least amount."""
    words = telling.names.words
    telling.find(Reason.BELOW_MIN)
    what, limit = words(f"floor.{step['of']}"), amount(step["minimum_fen"])
    telling.say("because.BELOW_MIN", what=what, limit=limit, actual=amount(step["actual_fen"]))
    basis = words("calc.basis.minimum", limit=limit)
    if step["of"] == "subsidy":
        telling.cut(Reason.BELOW_MIN, basis, telling.subsidy_fen)
    else:
        telling.refuse(Reason.BELOW_MIN, basis)


def _cut_base(telling: Telling) -> None:
    for cut in telling.take(*BASE_CUTS, of_base=True):
        telling.say(f"because.{cut['code']}", cut=amount(cut["base_fen"]))
        telling.cut(cut["code"], "", cut["base_fen"])


def refusals(telling: Telling) -> None:
    """Reductions for which nothing at all is granted: they end a trace, and no step tells of them."""
    for reduction in telling.waiting:
        _refusal(telling, reduction)
    telling.waiting = []


def _refusal(telling: Telling, reduction: Trace) -> None:
    names, code = telling.names, reduction["code"]
    cut_fen = reduction.get("subsidy_fen", reduction.get("base_fen", 0))
    basis = ""
    match code:
        case Reason.NOT_ELIGIBLE:
            basis = names.requirement(reduction["requirement"])
            telling.say("because.NOT_ELIGIBLE", what=basis)
        case Reason.FACT_MISSING:
            basis = names.facts(reduction.get("missing", ()))
            telling.say("because.FACT_MISSING", what=basis)
        case Reason.RELATED_PARTY:
            basis = _signs(telling, reduction.get("signs", ()))
            telling.say("because.RELATED_PARTY", what=basis)
        case Reason.OUTSIDE_WINDOW | Reason.EXPIRED:
            telling.say(f"because.{code}")
        case Reason.BUDGET_EXHAUSTED:
            telling.say("because.BUDGET_EXHAUSTED", cut=amount(cut_fen))
        case _:
            telling.say("why.other", code=code, cut=amount(cut_fen))
            telling.cut(code, code, cut_fen)
            return
    if code == Reason.BUDGET_EXHAUSTED:
        telling.cut(code, basis, cut_fen)
    else:
        telling.refuse(code, basis)


def _signs(telling: Telling, signs: list[str]) -> str:
    words = telling.names.words
    return words("list.comma").join(words.named("sign", sign) for sign in signs)
