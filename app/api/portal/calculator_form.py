"""The calculator's form: what was typed, read into a purchase, and what was wrong with it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from app.api.portal.calculator_questions import NONE_OF_THESE, Kind, Question, Questions
from app.api.portal.texts import Words
from app.kernel.clock import FIRST_DAY, LAST_DAY, end_of_day
from app.kernel.money import parse_yuan
from app.kernel.rates import RATE_DECIMALS, parse_decimal
from app.kernel.widths import half_width
from app.services.rules.base import InKind, PriceCeiling
from app.services.rules.facts import Line, Value
from app.services.rules.model import Rules

MAX_LINES = 5
MAX_TEXT = 200


@dataclass(frozen=True, slots=True)
class CalculatorForm:
    """What stands in the fields, as typed, with a sentence for each field that has to be corrected."""

    typed: Mapping[str, str] = field(default_factory=dict)
    lines: int = 1
    errors: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    """What the fields that have to be corrected are called."""
    problem: str | None = None

    def value(self, name: str) -> str:
        """What was typed into a field."""
        return self.typed.get(name, "")

    @property
    def can_add_line(self) -> bool:
        """Whether one more line may be asked for."""
        return self.lines < MAX_LINES

    @staticmethod
    def read(typed: Mapping[str, str]) -> CalculatorForm:
        """The form as it was sent: as many lines as it has, at most five, and one more where that was asked for."""
        sent = sum(1 for number in range(1, MAX_LINES + 1) if f"amount-{number}" in typed)
        more = 1 if typed.get("act") == "add_line" else 0
        return CalculatorForm(typed, lines=max(1, min(MAX_LINES, sent + more)))


@dataclass(frozen=True, slots=True)
class Purchase:
    """What a firm asks about. `assumed` names the amounts that were taken from the bill, since nobody gave them."""

    lines: tuple[Line, ...]
    claim: Mapping[str, Value]
    amounts_fen: Mapping[str, int]
    assumed: tuple[str, ...]


def read_purchase(form: CalculatorForm, rules: Rules, asked: Questions, words: Words) -> Purchase | CalculatorForm:
    """What is asked about, or the form with what has to be corrected."""
    reader = _Reader(form, words, asked.unit)
    tax_rate = None
    claim: dict[str, Value] = {}
    amounts_fen: dict[str, int] = {}
    for question in asked.of_claim:
        value = reader.answer(question, question.name)
        if value is None:
            continue
        subject, _, key = question.name.partition("-")
        if subject == "claim":
            claim[key] = value
        elif subject == "amounts":
            amounts_fen[key] = int(str(value))
        else:
            tax_rate = str(value)
    assumed = tuple(name for name in rules.base.least_of if name != "billed" and name not in amounts_fen)
    services = {slug for slug, _ in (*asked.services, *asked.other_services)}
    lines = []
    for number in range(1, form.lines + 1):
        if number == 1 or reader.begun(number, asked.of_line):
            line = reader.line(number, rules, asked.of_line, services)
            if line is not None:
                lines.append(replace(line, tax_rate=tax_rate, amounts_fen=dict.fromkeys(assumed, line.amount_fen)))
    if reader.errors:
        return replace(form, errors=reader.errors, labels=reader.labels)
    return Purchase(tuple(lines), claim, amounts_fen, assumed)


class _Reader:
    """Reads fields one by one and gathers what is wrong with them."""

    def __init__(self, form: CalculatorForm, words: Words, unit: str) -> None:
        self._form = form
        self._words = words
        self._unit = unit
        self.errors: dict[str, str] = {}
        self.labels: dict[str, str] = {}

    def begun(self, number: int, of_line: Iterable[Question]) -> bool:
        """Whether anything but choices stands in a line; a line left empty does not count."""
        names = [
            f"amount-{number}",
            *(f"{one.name}-{number}" for one in of_line if one.kind not in ("choice", "yes_no")),
        ]
        return any(self._form.value(name).strip() for name in names)

    def answer(self, question: Question, name: str, label: str = "") -> Value | None:
        """The answer to a question, None where there is none; what cannot be read is put at its field."""
        raw = self._form.value(name).strip()
        typed = raw if question.kind in ("text", "choice") else half_width(raw).strip()
        if not typed:
            return None
        value = READERS[question.kind](typed)
        if question.kind == "choice" and typed not in {word for word, _ in question.options}:
            value = None
        if value is None:
            self._wrong(name, label or question.label, f"field.{question.kind}.unreadable")
        return value

    def line(self, number: int, rules: Rules, of_line: Iterable[Question], services: set[str]) -> Line | None:
        """One line, or None where something is wrong with it."""
        line = self._words("calculator.line", number=number) + self._words("list.colon")
        category = self._form.value(f"category-{number}")
        if category not in services:
            self._wrong(f"category-{number}", line + self._words("calculator.service"), "field.category.choose")
        amount_fen = _yuan(half_width(self._form.value(f"amount-{number}")).strip())
        if not amount_fen:
            self._wrong(
                f"amount-{number}", line + self._words("calculator.amount", unit=self._unit), "field.limit.unreadable"
            )
        known: dict[str, Value | None] = {}
        for question in of_line:
            known[question.name] = self.answer(question, f"{question.name}-{number}", line + question.label)
        quantity, unit = known.get("quantity"), known.get("unit")
        if unit == NONE_OF_THESE:
            unit = None
        elif quantity is None and f"quantity-{number}" not in self.errors and _counts(rules, category, unit):
            self._wrong(f"quantity-{number}", line + self._words("calculator.quantity"), "field.quantity.needed")
        if self.errors or not amount_fen:
            return None
        until = known.get("used_until")
        facility, card = known.get("facility_class"), known.get("accelerator")
        own = {name.removeprefix("fact-"): value for name, value in known.items() if name.startswith("fact-")}
        return Line(
            category=category,
            amount_fen=amount_fen,
            quantity=str(quantity) if quantity is not None else None,
            unit=str(unit) if unit is not None and quantity is not None else None,
            used_until=end_of_day(date.fromisoformat(str(until))) if until is not None else None,
            facility_class=str(facility) if facility is not None else None,
            accelerator=str(card) if card is not None else None,
            facts={name: value for name, value in own.items() if value is not None},
        )

    def _wrong(self, name: str, label: str, key: str) -> None:
        self.errors[name], self.labels[name] = self._words(key), label


def _text(typed: str) -> str | None:
    return typed if len(typed) <= MAX_TEXT else None


def _yes_no(typed: str) -> bool | None:
    return {"yes": True, "no": False}.get(typed)


def _day(typed: str) -> str | None:
    try:
        on = date.fromisoformat(typed)
    except ValueError:
        return None
    return on.isoformat() if FIRST_DAY <= on <= LAST_DAY else None


def _number(typed: str) -> str | None:
    plain = typed.replace(",", "")
    try:
        parse_decimal(plain, max_decimals=8, max_digits=18)
    except ValueError:
        return None
    return plain


def _yuan(typed: str) -> int | None:
    try:
        return parse_yuan(typed)
    except ValueError:
        return None


def _percent(typed: str) -> str | None:
    """A share typed as per cent, as the rules write it: `6` and `6%` are `0.06`."""
    try:
        per_cent = parse_decimal(typed.removesuffix("%").strip(), max_decimals=RATE_DECIMALS - 2, max_digits=7)
    except ValueError:
        return None
    if per_cent > 100:
        return None
    whole, rest = divmod(int(per_cent * 10 ** (RATE_DECIMALS - 2)), 10**RATE_DECIMALS)
    return f"{whole}.{rest:0{RATE_DECIMALS}d}"


READERS: Mapping[Kind, Callable[[str], Value | None]] = {
    "text": _text,
    "choice": _text,
    "yes_no": _yes_no,
    "date": _day,
    "number": _number,
    "yuan": _yuan,
    "percent": _percent,
}
"""How each kind of answer is read; None for what cannot be."""


def _counts(rules: Rules, category: str, unit: Value | None) -> bool:
    """Whether a line's quantity must be known: without it, it would earn nothing."""
    if isinstance(rules.unit, InKind):
        return True
    return any(_applies(ceiling, category, unit) for ceiling in rules.base.ceilings)


def _applies(ceiling: PriceCeiling, category: str, unit: Value | None) -> bool:
    return (not ceiling.categories or category in ceiling.categories) and unit in (None, ceiling.unit)
