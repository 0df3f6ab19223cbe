"""Vouchers whose firm is related to a provider: by which links on record, and what was redeemed there meanwhile."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, select, text

from app.kernel.clock import civil_date
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import VoucherStatus
from app.models import Redemption
from app.services.identity.principals import Caller
from app.services.programmes.programmes import OFFICIALS, is_official_of, read_programme
from app.services.redemption.loading import load_terms
from app.services.rules.assess import signs_of_relation
from app.services.rules.facts import Value
from app.services.standing.facts import Standing, bearing, related
from app.services.standing.loading import Standings, load_standings
from app.services.vouchers.reads import VoucherRecord, read_vouchers
from app.sql import now

_CANDIDATES = text(
    "WITH linked AS MATERIALIZED (SELECT o.id, o.kind, o.identifier_type || ':' || o.identifier_value AS person"
    " FROM organisations o WHERE o.identifier_type || ':' || o.identifier_value IN ("
    "SELECT person FROM organisation_relations UNION SELECT other_person FROM organisation_relations"
    " UNION SELECT f.identifier_type || ':' || f.identifier_value FROM organisations f JOIN organisations p"
    " ON p.kind = 'provider' AND f.kind = 'firm' AND p.identifier_type = f.identifier_type"
    " AND p.identifier_value = f.identifier_value))"
    " SELECT DISTINCT r.voucher_id, r.provider_id FROM vouchers v JOIN redemptions r"
    " ON r.region_code = v.region_code AND r.voucher_id = v.id"
    " WHERE v.region_code = :region_code AND v.programme_id = :programme_id"
    " AND v.firm_id IN (SELECT id FROM linked) AND r.provider_id IN (SELECT id FROM linked)"
)
"""Almost nobody is on record, so almost no voucher is looked at."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A redemption that was made while both were related; `subsidy_fen` is net of what came back of it."""

    id: str
    redeemed_at: datetime
    subsidy_fen: int


@dataclass(frozen=True, slots=True)
class Finding:
    """Firm and provider are related: by which links, as what on the last day looked at, and what was redeemed.

    One legal person in both parts needs no link (`same_person`). `signs` are those facts that the programme's rules of
    today look at; it may be none.
    """

    voucher_id: str
    firm_id: str
    provider_id: str
    same_person: bool
    relation_ids: tuple[str, ...]
    related_on: date
    facts: Mapping[str, Value]
    signs: tuple[str, ...]
    redemptions: tuple[Drawn, ...]

    @property
    def redeemed_fen(self) -> int:
        """What was redeemed, net of what came back."""
        return sum(one.subsidy_fen for one in self.redemptions)

    @property
    def redemption_ids(self) -> tuple[str, ...]:
        """The redemptions by id, oldest first."""
        return tuple(one.id for one in self.redemptions)

    def named(self) -> dict[str, Any]:
        """What a command and an entry's details say of it: ids alone."""
        return {
            "firm_id": self.firm_id,
            "relation_ids": list(self.relation_ids),
            "redemption_ids": list(self.redemption_ids),
        }

    def told(self) -> dict[str, Any]:
        """What an approver is shown of it."""
        return self.named() | {
            "same_person": self.same_person,
            "related_on": self.related_on.isoformat(),
            "facts": dict(self.facts),
            "signs": list(self.signs),
            "redeemed_fen": self.redeemed_fen,
        }


@dataclass(frozen=True, slots=True)
class RelatedRecord:
    """A finding in a list, with what is known of the voucher and the names of both."""

    finding: Finding
    firm_name: str
    provider_name: str
    status: VoucherStatus
    balance_fen: int


@dataclass(frozen=True, slots=True)
class Held:
    """A voucher as it is asked about: whose it is, and under which programme."""

    region_code: str
    id: str
    programme_id: str
    firm_id: str


def find_related(
    tx: Connection, vouchers: Collection[Held], provider_id: str, *, at: datetime
) -> dict[str, Finding | AppError]:
    """What relates the firm of each of these vouchers, all of one region, to the provider, by voucher.

    Looked at are today and each day on which something of the voucher was redeemed there. `relation_not_on_record`
    stands where nothing on record relates them on any of these days.
    """
    standings = load_standings(tx, {provider_id} | {one.firm_id for one in vouchers})
    drawn = _redeemed(tx, [(one, provider_id) for one in vouchers])
    signs = _Signs(tx, vouchers, at=at)
    found: dict[str, Finding | AppError] = {}
    for one in vouchers:
        finding = _finding(one, provider_id, standings, drawn[one.id, provider_id], signs, today=civil_date(at))
        found[one.id] = finding or AppError(Code.RELATION_NOT_ON_RECORD, firm=one.firm_id, provider=provider_id)
    return found


def list_related(tx: Connection, *, caller: Caller, programme_id: str) -> list[RelatedRecord]:
    """The vouchers of a programme of which something was redeemed at a provider related to their firm, newest first.

    Whether the rules look at how they are related is told by the signs. Raises `not_found`, `forbidden` for who is no
    official of it.
    """
    programme = read_programme(tx, caller=caller, programme_id=programme_id)
    if not is_official_of(caller, programme):
        raise AppError(Code.FORBIDDEN, role=" / ".join(OFFICIALS))
    at = now(tx)
    asked = {"region_code": programme.region_code, "programme_id": programme.id}
    pairs = tx.execute(_CANDIDATES, asked).all()
    ids = sorted({pair.voucher_id for pair in pairs})
    vouchers = {one.id: one for one in read_vouchers(tx, caller=caller, voucher_ids=ids, at=at)} if ids else {}
    held = [(held_of(vouchers[pair.voucher_id]), pair.provider_id) for pair in pairs if pair.voucher_id in vouchers]
    standings = load_standings(tx, {one.firm_id for one, _ in held} | {provider for _, provider in held})
    names = _names(tx, {provider for _, provider in held})
    drawn, signs = _redeemed(tx, held), _Signs(tx, [one for one, _ in held], at=at)
    records = []
    for one, provider_id in sorted(held, key=lambda pair: (pair[0].id, pair[1]), reverse=True):
        finding = _finding(one, provider_id, standings, drawn[one.id, provider_id], signs, today=civil_date(at))
        if finding is not None and finding.redemptions:
            of = vouchers[one.id]
            records.append(RelatedRecord(finding, of.firm_name, names[provider_id], of.status, of.balance_fen))
    return records


def held_of(voucher: VoucherRecord) -> Held:
    """A voucher as it is read, to be asked about."""
    return Held(voucher.region_code, voucher.id, voucher.programme_id, voucher.firm_id)


class _Signs:
    """Which facts the rules in force today look at, by programme."""

    def __init__(self, tx: Connection, vouchers: Collection[Held], *, at: datetime) -> None:
        terms = load_terms(tx, {(one.region_code, one.programme_id) for one in vouchers})
        self._rules = {key: of_programme.rules_on(civil_date(at)) for key, of_programme in terms.items()}

    def of(self, voucher: Held, facts: Mapping[str, Value]) -> tuple[str, ...]:
        version = self._rules[voucher.region_code, voucher.programme_id]
        return tuple(signs_of_relation(version.rules, facts)) if version is not None else ()


def _finding(
    voucher: Held,
    provider_id: str,
    standings: Standings,
    drawn: Sequence[Drawn],
    signs: _Signs,
    *,
    today: date,
) -> Finding | None:
    firm, provider = standings[voucher.firm_id], standings[provider_id]
    facts_on = {on: _related(firm, provider, on) for on in {civil_date(one.redeemed_at) for one in drawn} | {today}}
    days = [on for on, facts in facts_on.items() if facts]
    if not days:
        return None
    links = {*firm.relations, *provider.relations}
    last = max(days)
    return Finding(
        voucher.id,
        voucher.firm_id,
        provider_id,
        firm.person == provider.person,
        tuple(sorted({link for on in days for link in bearing(links, firm.person, provider.person, on=on)})),
        last,
        facts_on[last],
        signs.of(voucher, facts_on[last]),
        tuple(one for one in drawn if facts_on[civil_date(one.redeemed_at)]),
    )


def _related(firm: Standing, provider: Standing, on: date) -> dict[str, Value]:
    return related({*firm.relations, *provider.relations}, firm.person, provider.person, on=on)


def _redeemed(tx: Connection, held: Collection[tuple[Held, str]]) -> Mapping[tuple[str, str], list[Drawn]]:
    """What was redeemed of each voucher at a provider, oldest first."""
    found: dict[tuple[str, str], list[Drawn]] = defaultdict(list)
    if not held:
        return found
    rows = tx.execute(
        select(Redemption)
        .where(
            Redemption.region_code.in_({one.region_code for one, _ in held}),
            Redemption.voucher_id.in_({one.id for one, _ in held}),
            Redemption.provider_id.in_({provider for _, provider in held}),
        )
        .order_by(Redemption.id)
    )
    for row in rows:
        left_fen = row.subsidy_fen - row.refunded_fen - row.recovered_fen
        found[row.voucher_id, row.provider_id].append(Drawn(row.id, row.redeemed_at, left_fen))
    return found


def _names(tx: Connection, ids: Collection[str]) -> dict[str, str]:
    rows = tx.execute(text("SELECT id, name FROM organisations WHERE id = ANY(:ids)"), {"ids": sorted(ids)})
    return {row.id: row.name for row in rows}
