"""Whether a price list makes sense before a second person is asked for it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from app.kernel.problems import Code, FieldError
from app.services.evidence.accelerators import CARD_HOUR, is_known, known_codes
from app.services.redemption.grounds import ListedPrice


def wrong_prices(categories: Sequence[str], prices: Sequence[ListedPrice]) -> list[FieldError]:
    """Every row that names a category for which nobody is admitted, a card that nobody knows, or stands twice."""
    errors = []
    seen: dict[tuple[str, str, str | None], int] = {}
    for place, row in enumerate(prices):
        if row.category not in categories:
            known = ", ".join(sorted(categories))
            errors.append(_error(place, "category", "not_among_the_categories", known, row.category))
        if row.accelerator is not None and row.unit != CARD_HOUR:
            errors.append(_error(place, "accelerator", "only_for_card_hours", CARD_HOUR, row.unit))
        elif row.accelerator is not None and not is_known(row.accelerator):
            known = ", ".join(known_codes())
            errors.append(_error(place, "accelerator", Code.ACCELERATOR_NOT_KNOWN, known, row.accelerator))
        earlier = seen.setdefault((row.category, row.unit, row.accelerator), place)
        if earlier != place:
            errors.append(_error(place, "category", "priced_twice", f"/prices/{earlier}", row.category))
    return errors


def _error(place: int, field: str, code: str, limit: str, actual: str) -> FieldError:
    return FieldError(f"/prices/{place}/{field}", code, detail=_SENTENCES[code], limit=limit, actual=actual)


_SENTENCES = {
    "not_among_the_categories": ("the provider is not to be admitted for this category / 该机构的入围类别不含此项"),
    "only_for_card_hours": "an accelerator is named for card-hours only / 仅以卡时（card_hour）计价的行可填写加速卡",
    Code.ACCELERATOR_NOT_KNOWN: "the published table of accelerators has no such card / 加速卡折算表中没有此代码",
    "priced_twice": "the same category, unit and card have a price already / 同一类别、单位与加速卡已有价格",
}
"""What is wrong with a row, by code."""
