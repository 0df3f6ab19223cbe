"""What a decision looks at: the voucher, the consent, the programme's terms, the parties."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property

from app.kernel.clock import add_months, civil_date
from app.services.rules.facts import Value, fits
from app.services.rules.model import Rules
from app.services.rules.position import Kept, series_of
from app.services.standing.facts import Debarment
from app.services.vouchers.status import over


@dataclass(slots=True)
class Share:
    """What a voucher has in one pool."""

    pool_id: str
    balance_fen: int
    redeemed_fen: int
    fiscal_year: int = 0
    closed: bool = False
    """Whether the pool's year is closed: nothing more is drawn on it."""


@dataclass(frozen=True, slots=True)
class GrantTerms:
    """What officials fixed when the voucher was granted: facts of the claim, exceptions, decisions of other levels."""

    claim: Mapping[str, Value] = field(default_factory=dict)
    exceptions_fen: Mapping[str, int] = field(default_factory=dict)
    layers_fen: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class VoucherState:
    """A locked voucher. Changes as the commands of one batch are decided one after the other."""

    region_code: str
    id: str
    code: str
    programme_id: str
    firm_id: str
    balance_fen: int
    held_fen: int
    posting_count: int
    issued_at: datetime
    valid_from: datetime
    valid_until: datetime
    redeemable_until: datetime
    frozen_at: datetime | None
    ended_as: str | None
    ended_at: datetime | None
    terms: GrantTerms
    shares: list[Share]
    """In the declared order of the fund sources."""
    stands_still: bool = False
    """Whether its validity stands as long as it is frozen."""

    def over(self, at: datetime, until: datetime) -> bool:
        """Whether an end of its validity has been reached; one that was ahead when it began to stand never is."""
        return over(at, until, self.frozen_at if self.stands_still else None)

    def stands_since(self, at: datetime) -> datetime | None:
        """Since when a freeze has stopped the clocks of its holds; None where they run, as from its own end on."""
        return None if self.over(at, self.redeemable_until) else self.frozen_at

    @property
    def open_shares(self) -> list[Share]:
        """The shares that may be drawn on: those in years that are not closed."""
        return [share for share in self.shares if not share.closed]

    @property
    def redeemed_fen(self) -> int:
        """What has been drawn from it, net of refunds."""
        return sum(share.redeemed_fen for share in self.shares)


@dataclass(frozen=True, slots=True)
class Party:
    """What the registry says of a firm or a provider, as far as rules may look at it."""

    facts: Mapping[str, Value] = field(default_factory=dict)
    facility_classes: Mapping[str, str] = field(default_factory=dict)
    """Of a provider: site code → facility class, where the site has one of its own."""


@dataclass(frozen=True, slots=True)
class Parties:
    """Holder and provider, and what the provider is admitted for: None where it is not listed, or not known."""

    holder: Party
    provider: Party
    admitted_for: Sequence[str] | None
    relation: Mapping[str, Value] = field(default_factory=dict)
    """How the two are related by what is on record, as facts of the claim."""
    debarred: Debarment | None = None
    """Why one of the two may not spend or earn anything now."""


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


@dataclass(frozen=True)
class ProgrammeTerms:
    """A programme's status and its published rule versions, newest first. What follows from them is found once."""

    status: str
    versions: tuple[DatedRules, ...]
    log: str | None = None
    """Name of the region's log, where it has begun."""

    def version(self, rule_version_id: str) -> DatedRules:
        """A published version by its id."""
        return next(version for version in self.versions if version.id == rule_version_id)

    def rules_on(self, day: date) -> DatedRules | None:
        """The version in force on a day: the newest that is effective."""
        return next((version for version in self.versions if version.effective_on <= day), None)

    def rules_for(self, voucher: VoucherState, claim: Mapping[str, Value], *, at: datetime) -> DatedRules | None:
        """The version that judges a claim: the one in force on the day of the event that the rules pin. D1.

        None where no version was in force then, or where the contract's day is needed and was not stated.
        """
        pinned_by = self.versions[0].rules.pinned_by if self.versions else "claim"
        if pinned_by == "claim":
            return self.rules_on(civil_date(at))
        if pinned_by == "issue":
            return self.rules_on(civil_date(voucher.issued_at))
        signed_on = claim.get("contract_signed_on")
        if signed_on is None or not fits("date", signed_on):
            return None
        return self.rules_on(min(date.fromisoformat(str(signed_on)), civil_date(at)))  # no version of days to come

    @cached_property
    def kept(self) -> tuple[Kept, ...]:
        """The series of counters that any version reads: every claim is counted in all of them.

        So a cap that a later version brings knows the claims from the day on which that version was published.
        """
        return tuple({series_of(one): one for one in self._all_kept()}.values())

    def kept_in(self, holders: Collection[str]) -> tuple[Kept, ...]:
        """The same, of these kinds of holders: whose counters a claim counts in was settled when it was judged.

        A later version may look at others, such as the group; what was held or redeemed before does not count there.
        """
        return tuple(kept for kept in self.kept if kept.holder in holders)

    def _all_kept(self) -> Iterator[Kept]:
        return (kept for version in self.versions for kept in version.rules.kept)

    @cached_property
    def kept_for(self) -> frozenset[str]:
        """Whose counters any of the versions reads: firm, group, contract, voucher."""
        return frozenset(kept.holder for kept in self._all_kept())

    def lapses_on(self, day: date) -> bool:
        """Whether what vouchers leave that expire is the treasury's, by the version in force on a day. D16."""
        version = self.rules_on(day)
        return version is not None and version.rules.reclaim_to == "treasury"

    @cached_property
    def looks_at(self) -> frozenset[str]:
        """The facts that any of the versions looks at."""
        return frozenset(name for version in self.versions for name in version.rules.looks_at)

    @cached_property
    def looks_at_parties(self) -> bool:
        """Whether any of the versions looks at what the registry says of holder or provider."""
        return any(name.startswith(("holder.", "provider.")) for name in self.looks_at)

    @cached_property
    def looks_beyond_bills(self) -> bool:
        """Whether any of the versions holds bills against capacity or prices."""
        return any(version.rules.bill_checks.look_beyond_the_bill for version in self.versions)

    @cached_property
    def counts_contracts(self) -> bool:
        """Whether any of the versions wants a contract, of which no more than its amount counts."""
        return any(version.rules.bill_checks.invoice.contract_required for version in self.versions)

    @cached_property
    def looks_at_capacity(self) -> bool:
        """Whether any of the versions holds bills against the capacity that providers declare."""
        return any(version.rules.bill_checks.capacity.beyond is not None for version in self.versions)

    def since(self, at: datetime) -> date:
        """The first day that a rolling window of any version takes in; earlier days' counters are not looked at."""
        return add_months(civil_date(at), -self._rolling_months)

    @cached_property
    def _rolling_months(self) -> int:
        return max((version.rules.rolling_months for version in self.versions), default=0)
