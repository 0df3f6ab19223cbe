"""From the base to the subsidy: rates, rounding, caps, other public money, and the voucher. Pure."""

from __future__ import annotations

from fractions import Fraction

from app.api.portal.telling import Telling, Trace, amount, exact, percent
from app.api.portal.telling_base import of_earlier_bills
from app.kernel.rates import Rounding, round_to
from app.kernel.vocabulary import Reason
from app.services.rules.capping import REASONS

AT_THE_RATE = (Reason.NO_RATE, Reason.FACT_MISSING, Reason.RATE_ABOVE_MAXIMUM, Reason.BELOW_MIN)
"""Why a part of the base earns nothing at its rate."""


def rule_version(telling: Telling, step: Trace) -> None:
    """Which version of the rules: it is named with the rate."""
    telling.version = step["number"]


def rate(telling: Telling, step: Trace) -> None:
    """What each part of the base earns at its rate, and what was special about it."""
    names, words = telling.names, telling.names.words
    parts = step["parts"]
    several = sum(one["step"] == "rate" for one in telling.steps) > 1
    period = names.period(step.get("period", "")) if several else ""
    before = period + words("list.colon") if period else ""
    _bracket(telling, step, before)
    if "approved_rate" in step:
        telling.say("why.approved_rate", rate=percent(step["approved_rate"]))
    products = [_product(telling, part, period) for part in parts]
    if products and "rate" in parts[0]:
        listed = words("list.semicolon").join(products)
        key = "why.rate" if len(parts) == 1 and not period else "why.rates"
        rates = percent(parts[0]["rate"])
        telling.say(key, number=telling.version, rate=rates, product=listed, period=before)
    elif products:
        telling.say("why.fixed", number=telling.version, tier=names.value(parts[0]["fixed"]), amount=products[0])
    _set_off(telling, step)
    telling.unrounded += Fraction(step["exact_fen"])
    if telling.is_last(step):
        earlier_fen = 0
        for reduction in telling.take(*AT_THE_RATE, of_base=True):
            if "line" in reduction and telling.own_line(reduction["line"]) < 1:
                earlier_fen += reduction["base_fen"]
            else:
                _earns_nothing(telling, reduction)
        of_earlier_bills(telling, Reason.NO_RATE, earlier_fen)


def _product(telling: Telling, part: Trace, period: str) -> str:
    """The row of a part of the base, and the same as it stands in the sentence."""
    words = telling.names.words
    fen = _in_fen(telling, Fraction(part["exact_fen"]))
    if "fixed" in part:
        telling.row(words("calc.fixed"), telling.names.value(part["fixed"]), fen)
        return amount(fen)
    basis = words("calc.basis.rate", base=exact(part["base"]), rate=percent(part["rate"]))
    telling.row(words("calc.rate"), f"{basis} {period}".rstrip(), fen)
    return f"{basis} = {exact(part['exact_fen'])}"


def _bracket(telling: Telling, step: Trace, before: str) -> None:
    if "method" not in step:
        return
    words, limit_fen = telling.names.words, step["band_up_to_fen"]
    band = words("bracket.last") if limit_fen is None else words("bracket.up_to", limit=amount(limit_fen))
    whose = words(f"bracket.{step['holder']}")
    earlier = amount(step["base_before_fen"])
    telling.say(f"why.{step['method']}", before=earlier, band=band, whose=whose, period=before)


def _set_off(telling: Telling, step: Trace) -> None:
    """What lies between the products and what the rate gave: earlier grants set off, a target reached in part."""
    words = telling.names.words
    due = sum((Fraction(part["exact_fen"]) for part in step["parts"]), Fraction(0))
    if step.get("granted_before_fen"):
        granted_fen = step["granted_before_fen"]
        left = max(Fraction(0), due - granted_fen)
        telling.say("why.set_off", before=amount(granted_fen), amount=exact(left))
        telling.row(words("calc.set_off"), "", _in_fen(telling, left) - _in_fen(telling, due))
        due = left
    if "share" in step:
        reached, share = percent(step["attained"]), percent(step["share"])
        telling.say("why.attainment", attained=reached, share=share, amount=exact(step["exact_fen"]))
        paid_fen = _in_fen(telling, Fraction(step["exact_fen"]))
        telling.row(words("calc.attainment"), share, paid_fen - _in_fen(telling, due))
    elif "approved_rate" in step and due != Fraction(step["exact_fen"]):
        paid_fen = _in_fen(telling, Fraction(step["exact_fen"]))
        telling.row(words("calc.approved"), percent(step["approved_rate"]), paid_fen - _in_fen(telling, due))


def _in_fen(telling: Telling, value: Fraction) -> int:
    """An exact amount in whole fen, in the direction in which these rules round."""
    modes = [step["mode"] for step in telling.steps if step["step"] == "rounding"]
    return round_to(value, 1, Rounding(modes[0]) if modes else Rounding.HALF_UP)


def _earns_nothing(telling: Telling, reduction: Trace) -> None:
    """A part of the base that earns nothing: no rate for it, a fact unknown, a target missed, a rate too high."""
    names, code = telling.names, reduction["code"]
    basis, label = "", None
    match code:
        case Reason.NO_RATE if "line" in reduction:
            number = telling.own_line(reduction["line"])
            basis = names.words("calc.basis.line_only", line=number)
            telling.say("because.line_no_rate", line=number, amount=amount(reduction["base_fen"]))
        case Reason.NO_RATE:
            telling.say("because.NO_RATE")
        case Reason.FACT_MISSING:
            basis = names.facts(reduction["missing"])
            telling.say("because.FACT_MISSING", what=basis)
        case _:
            actual, limit = percent(reduction["actual"]), percent(reduction["limit"])
            missed = code == Reason.BELOW_MIN
            telling.say("because.attainment" if missed else "because.RATE_ABOVE_MAXIMUM", actual=actual, limit=limit)
            basis = names.words("calc.basis.minimum" if missed else "calc.basis.cap", limit=limit)
            label = names.words("calc.attainment") if missed else None
    telling.refuse(code, basis, label=label)


def exception(telling: Telling, step: Trace) -> None:
    """A cap that was lifted by approval."""
    telling.say("why.exception", cap=step["cap"], limit=amount(step["limit_fen"]), raised=amount(step["raised_to_fen"]))


def cap_exact(telling: Telling, step: Trace) -> None:
    """A cap of single lines or of one category: it binds before the amounts are rounded."""
    code = Reason.CAP_LINE if step["scope"] == "line" else Reason.CAP_CATEGORY
    _cap(telling, step, code, step["before_fen"] - step["after_fen"], asked_fen=step["before_fen"])


def rounding(telling: Telling, step: Trace) -> None:
    """The exact amounts in whole units: told once, of all years together."""
    telling.years[step.get("period", "")] = step["subsidy_fen"]
    if not telling.is_last(step):
        return
    words, rounded_fen = telling.names.words, sum(telling.years.values())
    mode = words(f"rounding.{step['mode']}", step=exact(step["unit_fen"]), unit=telling.names.unit)
    before = telling.subsidy_fen if telling.has("cap_exact") else telling.unrounded
    if before != rounded_fen:
        by_line = step.get("level") == "line"
        telling.say("why.rounded_lines" if by_line else "why.rounded", mode=mode, amount=amount(rounded_fen))
    if telling.subsidy_fen != rounded_fen:
        telling.row(words("calc.rounding"), mode, rounded_fen - telling.subsidy_fen)


def cap(telling: Telling, step: Trace) -> None:
    """A cap of a claim, contract, voucher, firm, group, or of the number of claims."""
    cut_fen = telling.lower_to(step["subsidy_fen"], step.get("period", ""))
    _cap(telling, step, REASONS[step["scope"]], cut_fen, asked_fen=step["subsidy_fen"] + cut_fen)


def _cap(telling: Telling, step: Trace, code: Reason, cut_fen: int, *, asked_fen: int) -> None:
    names, words = telling.names, telling.names.words
    missing = telling.find(Reason.FACT_MISSING, cap=step.get("name")) if cut_fen else None
    if missing is not None:
        what = names.facts(missing["missing"])
        telling.say("because.FACT_MISSING", what=what)
        telling.cut(Reason.FACT_MISSING, what, cut_fen)
        return
    limit, period = amount(step["limit_fen"]), _period(telling, step)
    whole = words("cap.of", cap=amount(step["cap_fen"]), unit=names.unit) if "cap_fen" in step else ""
    category = names.category(step["category"]) if code is Reason.CAP_CATEGORY else ""
    basis = words("calc.basis.cap" if code in (Reason.CAP_LINE, Reason.CAP_CLAIM) else "calc.basis.left", limit=limit)
    if code is Reason.CAP_COUNT:
        basis = words("calc.basis.count", count=step["limit"])
    if cut_fen:
        telling.find(code, cap=step.get("name"))
        telling.say(
            f"because.{code}",
            limit=limit,
            cut=amount(cut_fen),
            asked=amount(asked_fen),
            period=words("list.bracketed", what=period) if period else "",
            of=whole,
            category=category,
            count=step.get("limit", 0),
        )
        telling.cut(code, " ".join(part for part in (category, basis, period) if part), cut_fen)
    elif asked_fen and code is Reason.CAP_CLAIM:
        telling.say("why.cap_not_reached", limit=limit)
    elif asked_fen and code is Reason.CAP_LINE:
        telling.say("why.line_not_reached", limit=limit)
    elif asked_fen:
        label = words(f"reason.{code}") + (words("list.bracketed", what=category) if category else "")
        telling.say("why.cap_within", cap=label, limit=limit)


def _period(telling: Telling, step: Trace) -> str:
    """The period of a cap in words: its year, its rolling window, a lifetime; empty for a cap of one claim."""
    names, per = telling.names, step.get("per")
    if isinstance(per, int):
        return names.words("period.rolling", months=per)
    return names.words("period.lifetime") if per == "lifetime" else names.period(step.get("period", ""))


def ceiling(telling: Telling, step: Trace) -> None:
    """All public money together is at most a share of the base."""
    words, layers = telling.names.words, step.get("layers", [])
    share, limit = percent(step["share"]), amount(step["limit_fen"])
    if layers:
        telling.say("why.layers", layers=words("list.comma").join(_layer(telling, layer) for layer in layers))
    cut_fen = telling.lower_to(step["subsidy_fen"])
    telling.find(Reason.STACK_CEILING)
    if not cut_fen:
        return
    if share == "100%" and not layers:
        telling.say("why.ceiling", cut=amount(cut_fen))
        telling.cut(Reason.STACK_CEILING, "", cut_fen, label=words("calc.ceiling"), advice="advice.ceiling")
        return
    others_fen = sum(layer["fen"] for layer in layers if layer["before"])
    telling.say(
        "because.STACK_CEILING",
        share=share,
        limit=limit,
        others=amount(others_fen),
        left=amount(step["subsidy_fen"]),
        cut=amount(cut_fen),
    )
    telling.cut(Reason.STACK_CEILING, words("calc.basis.cap", limit=limit), cut_fen)


def _layer(telling: Telling, layer: Trace) -> str:
    words = telling.names.words
    key = "layer.decided" if layer["decided"] else "layer.before" if layer["before"] else "layer.after"
    return words(key, layer=words.named("layer", layer["layer"]), amount=amount(layer["fen"]))


def granted_before(telling: Telling, step: Trace) -> None:
    """What this same purchase was granted already: only the rest is due."""
    entitled_fen, before_fen, due_fen = step["entitled_fen"], step["granted_before_fen"], step["subsidy_fen"]
    telling.say("why.granted_before", entitled=amount(entitled_fen), before=amount(before_fen), due=amount(due_fen))
    if step["overpaid_fen"]:
        telling.say("why.overpaid", overpaid=amount(step["overpaid_fen"]))
    telling.row(telling.names.words("calc.granted_before"), amount(before_fen), due_fen - entitled_fen)


def voucher(telling: Telling, step: Trace) -> None:
    """What the voucher could still give."""
    cut_fen = telling.subsidy_fen - step["drawn_fen"]
    telling.find(Reason.CAP_VOUCHER)
    if cut_fen <= 0:
        return
    words, balance = telling.names.words, amount(step["balance_fen"])
    telling.say("why.voucher_now" if telling.quoted else "why.voucher", balance=balance, cut=amount(cut_fen))
    basis = (
        words("calc.basis.voucher", balance=balance) if not telling.quoted else words("calc.basis.left", limit=balance)
    )
    telling.cut(Reason.CAP_VOUCHER, basis, cut_fen, label=words("calc.voucher"), advice="advice.balance")
