"""The forms for a mandate and a payment code: what was typed, read into a command, and what was wrong with it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from app.api.portal.presentation import last_day
from app.api.portal.texts import Words
from app.kernel.clock import end_of_day
from app.kernel.ids import is_id
from app.kernel.money import format_yuan, parse_yuan
from app.kernel.problems import AppError, Code
from app.kernel.widths import half_width
from app.kernel.wording import detail
from app.services.vouchers.payment_codes import MAX_MINUTES, MINUTES


@dataclass(frozen=True, slots=True)
class GrantForm:
    """What stands in the fields, as typed, with a sentence for each field that has to be corrected."""

    provider: str = ""
    limit: str = ""
    until: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None

    def refused(self, error: AppError, words: Words, *, valid_until: datetime) -> GrantForm | None:
        """The form with the service's refusal at its field, or None for one that is not about the form."""
        found: dict[str, str] = {}
        match error.code:
            case Code.PROVIDER_NOT_ADMITTED:
                found["provider"] = words("field.provider.not_admitted")
            case Code.MANDATE_EXISTS:
                return replace(self, problem=detail(error.code, words.language, error.context))
            case Code.VALIDATION_FAILED:
                for place in error.errors:
                    if place.pointer == "/limit_fen" and isinstance(place.limit, int):
                        found["limit"] = words("field.limit.too_large", limit=format_yuan(place.limit))
                    elif place.pointer == "/valid_until":
                        found["until"] = words("field.until.out_of_range", day=last_day(valid_until))
        return replace(self, errors=found) if found else None


@dataclass(frozen=True, slots=True)
class Grant:
    """What a firm asks for. The day counts to its end."""

    provider_id: str
    limit_fen: int
    until_on: date

    def valid_until(self, voucher_until: datetime) -> datetime | None:
        """The instant at which the mandate ends; None, the voucher's own end, for the voucher's last day."""
        return None if self.until_on == last_day(voucher_until) else end_of_day(self.until_on)


def read_grant(form: GrantForm, words: Words) -> Grant | GrantForm:
    """The command of a form, or the form with what has to be corrected."""
    errors: dict[str, str] = {}
    if not is_id(form.provider, "org"):
        errors["provider"] = words("field.provider.choose")
    limit_fen = _amount(form.limit)
    if not limit_fen:
        errors["limit"] = words("field.limit.unreadable")
    until_on = _day(form.until)
    if until_on is None:
        errors["until"] = words("field.until.unreadable")
    if errors or not limit_fen or until_on is None:
        return replace(form, errors=errors)
    return Grant(form.provider, limit_fen, until_on)


@dataclass(frozen=True, slots=True)
class PaymentCodeForm:
    """What stands in the fields for a payment code, as typed, with a sentence for each that has to be corrected."""

    provider: str = ""
    limit: str = ""
    minutes: str = str(MINUTES)
    errors: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None

    def refused(self, error: AppError, words: Words) -> PaymentCodeForm | None:
        """The form with the service's refusal at its field, or None for one that is not about the form."""
        found: dict[str, str] = {}
        match error.code:
            case Code.PROVIDER_NOT_ADMITTED:
                found["provider"] = words("field.provider.not_admitted")
            case Code.TOO_MANY_PAYMENT_CODES | Code.WRONG_STATE:
                return replace(self, problem=detail(error.code, words.language, error.context))
            case Code.VALIDATION_FAILED:
                for place in error.errors:
                    if place.pointer == "/limit_fen" and isinstance(place.limit, int):
                        found["limit"] = words("field.limit.above_balance", limit=format_yuan(place.limit))
        return replace(self, errors=found) if found else None


@dataclass(frozen=True, slots=True)
class PaymentCodeAsked:
    """The payment code that a firm asks for."""

    provider_id: str
    limit_fen: int
    minutes: int


def read_payment_code_form(form: PaymentCodeForm, words: Words) -> PaymentCodeAsked | PaymentCodeForm:
    """The command of a form, or the form with what has to be corrected."""
    errors: dict[str, str] = {}
    if not is_id(form.provider, "org"):
        errors["provider"] = words("field.provider.choose")
    limit_fen = _amount(form.limit)
    if not limit_fen:
        errors["limit"] = words("field.limit.unreadable")
    minutes = _minutes(form.minutes)
    if minutes is None:
        errors["minutes"] = words("field.minutes.unreadable", most=MAX_MINUTES)
    if errors or not limit_fen or minutes is None:
        return replace(form, errors=errors)
    return PaymentCodeAsked(form.provider, limit_fen, minutes)


def _minutes(typed: str) -> int | None:
    bare = half_width(typed).strip()
    if not (bare.isascii() and bare.isdecimal() and len(bare) <= 2):
        return None
    return int(bare) if 1 <= int(bare) <= MAX_MINUTES else None


def _amount(typed: str) -> int | None:
    try:
        return parse_yuan(typed)
    except ValueError:
        return None


def _day(typed: str) -> date | None:
    try:
        on = date.fromisoformat(half_width(typed).strip())
    except ValueError:
        return None
    return on if on.year < date.max.year else None
