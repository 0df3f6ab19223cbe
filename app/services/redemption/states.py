"""What a decision looks at: the voucher, the consent, the programme's terms."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from app.services.rules.model import Rules


@dataclass(slots=True)
class Share:
    """What a voucher has in one pool."""

    pool_id: str
    balance_fen: int
    redeemed_fen: int


@dataclass(slots=True)
class VoucherState:
    """A locked voucher. Changes as the commands of one batch are decided one after the other."""

    region_code: str
    id: str
    code: str
    programme_id: str
    firm_id: str
    balance_fen: int
    posting_count: int
    valid_from: datetime
    valid_until: datetime
    redeemable_until: datetime
    frozen_at: datetime | None
    ended_as: str | None
    ended_at: datetime | None
    shares: list[Share]
    """In the declared order of the fund sources."""


@dataclass(slots=True)
class MandateState:
    """The firm's standing consent for this provider: the live one, or else the last there was."""

    id: str
    limit_fen: int
    used_fen: int
    valid_until: datetime
    revoked_at: datetime | None

    def live(self, at: datetime) -> bool:
        """Whether it holds at this instant."""
        return self.revoked_at is None and at < self.valid_until

    @property
    def left_fen(self) -> int:
        """What may still be drawn under it."""
        return self.limit_fen - self.used_fen


@dataclass(frozen=True, slots=True)
class DatedRules:
    """A published rule version."""

    id: str
    number: int
    effective_on: date
    rules: Rules


@dataclass(frozen=True, slots=True)
class ProgrammeTerms:
    """A programme's status and its published rule versions, newest first."""

    status: str
    versions: tuple[DatedRules, ...]

    def rules_on(self, day: date) -> DatedRules | None:
        """The version in force on a day: the newest that is effective."""
        return next((version for version in self.versions if version.effective_on <= day), None)
