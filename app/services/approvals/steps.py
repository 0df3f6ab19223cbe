"""How many persons an act needs: bands of amounts, each with one to three steps. Pure.

The bands that hold at the instant of the request choose the steps, which are then frozen with the command.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.kernel.vocabulary import Role


@dataclass(frozen=True, slots=True)
class Band:
    """Amounts up to `up_to_fen` (None: any) are approved in these steps, one person each, in this order."""

    up_to_fen: int | None
    steps: tuple[Role, ...]


@dataclass(frozen=True, slots=True)
class BandTable:
    """The bands of one kind of act that hold at an instant."""

    id: str
    bands: tuple[Band, ...]
    expires_after_days: int | None


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of one request, and until when it may be approved."""

    roles: tuple[Role, ...]
    bands_id: str | None
    expires_at: datetime | None


def steps_of(
    table: BandTable | None, *, amount_fen: int | None, own_role: Role, has_authority: bool, at: datetime
) -> Steps:
    """The steps for an amount; without a table the act's own single step.

    Money that is taken back counts like money that is given. An act that names no amount is in the highest band. An act
    of a region, which no authority's checker could decide, takes as many steps, each of its own role.
    """
    if table is None:
        return Steps((own_role,), None, None)
    roles = band_of(table.bands, amount_fen).steps
    until = None if table.expires_after_days is None else at + timedelta(days=table.expires_after_days)
    return Steps(roles if has_authority else (own_role,) * len(roles), table.id, until)


def band_of(bands: Sequence[Band], amount_fen: int | None) -> Band:
    """The band of an amount. The last one has no upper end."""
    assert bands[-1].up_to_fen is None, "every amount has a band"
    if amount_fen is None:
        return bands[-1]
    return next(band for band in bands if band.up_to_fen is None or abs(amount_fen) <= band.up_to_fen)


def bands_of_json(written: str) -> tuple[Band, ...]:
    """Bands as they are stored."""
    return tuple(Band(row["up_to_fen"], tuple(Role(role) for role in row["steps"])) for row in json.loads(written))


def bands_to_json(bands: Sequence[Band]) -> list[dict[str, object]]:
    """Bands as they are stored and shown."""
    return [{"up_to_fen": band.up_to_fen, "steps": [str(role) for role in band.steps]} for band in bands]
