"""Locks and look-ups of the redemption path: each is one statement, however many commands there are."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection

from app.services.redemption.parties import party_of
from app.services.redemption.states import (
    DatedRules,
    GrantTerms,
    MandateState,
    Party,
    ProgrammeTerms,
    Share,
    VoucherState,
)
from app.services.rules.model import Rules
from app.sql import Statement

VoucherKey = tuple[str, str]
"""(region_code, voucher id)."""
FIRST: VoucherKey = ("", "")
"""Before every key of a voucher or a programme."""

ProgrammeKey = tuple[str, str]
"""(region_code, programme id)."""

ConsentKey = tuple[str, str, str]
"""(region_code, voucher id, provider id)."""

AdmissionKey = tuple[str, str, str]
"""(region_code, programme id, provider id)."""

_VOUCHER_IDS = Statement(
    "SELECT v.region_code, v.code, v.id, v.programme_id, v.firm_id FROM vouchers v"
    " JOIN unnest(CAST(:regions AS text[]), CAST(:codes AS text[])) AS asked(region_code, code)"
    " ON v.region_code = asked.region_code AND v.code = asked.code"
)
_VOUCHERS = (
    "SELECT v.region_code, v.id, v.code, v.programme_id, v.firm_id, v.balance_fen, v.held_fen, v.posting_count,"
    " v.issued_at, v.valid_from, v.valid_until, v.redeemable_until, v.frozen_at, v.ended_as, v.ended_at, v.terms,"
    " v.stands_still"
    " FROM vouchers v"
    " JOIN unnest(CAST(:regions AS text[]), CAST(:ids AS text[])) AS asked(region_code, id)"
    " ON v.region_code = asked.region_code AND v.id = asked.id"
    " ORDER BY v.region_code, v.id"
)
_READ = Statement(_VOUCHERS)
_LOCK_WAITING = Statement(_VOUCHERS + " FOR NO KEY UPDATE OF v")
_LOCK_SKIPPING = Statement(_VOUCHERS + " FOR NO KEY UPDATE OF v SKIP LOCKED")
_SHARES = Statement(
    # Fenced, or PostgreSQL may go from the region's pools to all that they were allotted to.
    "SELECT a.region_code, a.voucher_id, a.pool_id, a.balance_fen, a.redeemed_fen, p.closed_at, p.fiscal_year"
    " FROM unnest(CAST(:regions AS text[]), CAST(:ids AS text[])) AS asked(region_code, voucher_id)"
    " CROSS JOIN LATERAL (SELECT * FROM allotments"
    " WHERE region_code = asked.region_code AND voucher_id = asked.voucher_id ORDER BY line OFFSET 0) AS a"
    " JOIN pools p ON p.region_code = a.region_code AND p.id = a.pool_id"
    " ORDER BY a.region_code, a.voucher_id, a.line"
)
_MANDATES = Statement(
    "SELECT DISTINCT ON (m.region_code, m.voucher_id, m.provider_id) m.region_code, m.voucher_id, m.provider_id,"
    " m.id, m.limit_fen, m.used_fen, m.valid_until, m.revoked_at FROM mandates m"
    " JOIN unnest(CAST(:regions AS text[]), CAST(:ids AS text[]), CAST(:providers AS text[]))"
    " AS asked(region_code, voucher_id, provider_id) ON m.region_code = asked.region_code"
    " AND m.voucher_id = asked.voucher_id AND m.provider_id = asked.provider_id"
    " ORDER BY m.region_code, m.voucher_id, m.provider_id, m.revoked_at DESC NULLS FIRST, m.id DESC"
)
_ADMISSIONS = Statement(
    "SELECT a.region_code, a.programme_id, a.provider_id, a.categories FROM admissions a"
    " JOIN unnest(CAST(:regions AS text[]), CAST(:programmes AS text[]), CAST(:providers AS text[]))"
    " AS asked(region_code, programme_id, provider_id) ON a.region_code = asked.region_code"
    " AND a.programme_id = asked.programme_id AND a.provider_id = asked.provider_id WHERE a.status = 'listed'"
)
_TERMS = Statement(
    "SELECT p.region_code, p.id AS programme_id, p.status, l.origin, r.id, r.number, r.effective_on, r.rules"
    " FROM programmes p"
    " JOIN unnest(CAST(:regions AS text[]), CAST(:programmes AS text[])) AS asked(region_code, id)"
    " ON p.region_code = asked.region_code AND p.id = asked.id"
    " JOIN rule_versions r ON r.region_code = p.region_code AND r.programme_id = p.id AND r.status = 'published'"
    " LEFT JOIN logs l ON l.region_code = p.region_code"
    " ORDER BY p.region_code, p.id, r.effective_on DESC, r.number DESC"
)
_PARTIES = Statement(
    "SELECT o.id, o.kind, o.identifier_type, o.region_code, o.profile FROM organisations o"
    " WHERE o.id = ANY(CAST(:ids AS text[]))"
)


class Found(NamedTuple):
    """A voucher, its programme and its firm: none of it ever changes, so no lock is needed to know them."""

    voucher_id: str
    programme_id: str
    firm_id: str | None = None
    """None where it was found by a hold, which was decided before."""


def find_vouchers(tx: Connection, codes: Collection[tuple[str, str]]) -> dict[tuple[str, str], Found]:
    """Vouchers by (region_code, code), without a lock."""
    return ask_vouchers(tx, codes)()


def ask_vouchers(tx: Connection, codes: Collection[tuple[str, str]]) -> Callable[[], dict[tuple[str, str], Found]]:
    """The same, given when it is asked for: see `pipelined`."""
    rows = _VOUCHER_IDS.ask(tx, _columns(sorted(codes), "regions", "codes"))
    return lambda: {(row.region_code, row.code): Found(row.id, row.programme_id, row.firm_id) for row in rows()}


def lock_vouchers(tx: Connection, keys: Collection[VoucherKey], *, wait: bool) -> dict[VoucherKey, VoucherState]:
    """Lock vouchers in sorted order and load them with their shares.

    With `wait` false, what somebody else holds is left out instead of waited for.
    """
    return ask_locked_vouchers(tx, keys, wait=wait)()


def ask_locked_vouchers(
    tx: Connection, keys: Collection[VoucherKey], *, wait: bool
) -> Callable[[], dict[VoucherKey, VoucherState]]:
    """The same, given when it is asked for: see `pipelined`. What is asked after it is read under the locks."""
    return _ask_states(tx, _LOCK_WAITING if wait else _LOCK_SKIPPING, keys)


def read_voucher(tx: Connection, key: VoucherKey) -> VoucherState | None:
    """A voucher as it is, without a lock: for what only asks."""
    return read_vouchers(tx, [key]).get(key)


def read_vouchers(tx: Connection, keys: Collection[VoucherKey]) -> dict[VoucherKey, VoucherState]:
    """The same for several."""
    return _ask_states(tx, _READ, keys)()


def _ask_states(
    tx: Connection, statement: Statement, keys: Collection[VoucherKey]
) -> Callable[[], dict[VoucherKey, VoucherState]]:
    asked = _columns(sorted(keys), "regions", "ids")
    vouchers, allotments = statement.ask(tx, asked), _SHARES.ask(tx, asked)

    def states() -> dict[VoucherKey, VoucherState]:
        rows = vouchers()
        shares: dict[VoucherKey, list[Share]] = defaultdict(list)
        for row in allotments():
            share = Share(row.pool_id, row.balance_fen, row.redeemed_fen, row.fiscal_year, row.closed_at is not None)
            shares[row.region_code, row.voucher_id].append(share)
        return {
            (row.region_code, row.id): VoucherState(
                **{**row._asdict(), "terms": parse_terms(row.terms), "shares": shares[row.region_code, row.id]}
            )
            for row in rows
        }

    return states


def load_mandates(tx: Connection, keys: Collection[ConsentKey]) -> dict[ConsentKey, MandateState]:
    """The consent per (region_code, voucher id, provider id): the live one, or else the one withdrawn last."""
    return ask_mandates(tx, keys)()


def ask_mandates(tx: Connection, keys: Collection[ConsentKey]) -> Callable[[], dict[ConsentKey, MandateState]]:
    """The same, given when it is asked for: see `pipelined`."""
    rows = _MANDATES.ask(tx, _columns(sorted(keys), "regions", "ids", "providers"))
    return lambda: {
        (row.region_code, row.voucher_id, row.provider_id): MandateState(
            row.id, row.limit_fen, row.used_fen, row.valid_until, row.revoked_at
        )
        for row in rows()
    }


def load_admissions(tx: Connection, keys: Collection[AdmissionKey]) -> dict[AdmissionKey, tuple[str, ...]]:
    """Categories per (region_code, programme id, provider id) of the listed providers."""
    return ask_admissions(tx, keys)()


def ask_admissions(tx: Connection, keys: Collection[AdmissionKey]) -> Callable[[], dict[AdmissionKey, tuple[str, ...]]]:
    """The same, given when it is asked for: see `pipelined`."""
    rows = _ADMISSIONS.ask(tx, _columns(sorted(keys), "regions", "programmes", "providers"))
    return lambda: {(row.region_code, row.programme_id, row.provider_id): tuple(row.categories) for row in rows()}


def load_terms(tx: Connection, keys: Collection[ProgrammeKey]) -> dict[ProgrammeKey, ProgrammeTerms]:
    """Status and published rule versions per (region_code, programme id)."""
    return ask_terms(tx, keys)()


def ask_terms(tx: Connection, keys: Collection[ProgrammeKey]) -> Callable[[], dict[ProgrammeKey, ProgrammeTerms]]:
    """The same, given when it is asked for: see `pipelined`."""
    rows = _TERMS.ask(tx, _columns(sorted(keys), "regions", "programmes"))

    def terms() -> dict[ProgrammeKey, ProgrammeTerms]:
        statuses: dict[ProgrammeKey, tuple[str, str | None]] = {}
        versions: dict[ProgrammeKey, list[tuple[str, int, date, str]]] = defaultdict(list)
        for row in rows():
            key = (row.region_code, row.programme_id)
            statuses[key] = (row.status, row.origin)
            versions[key].append((row.id, row.number, row.effective_on, row.rules))
        return {key: _terms_of(*status, tuple(versions[key])) for key, status in statuses.items()}

    return terms


@lru_cache(maxsize=4096)
def _terms_of(status: str, log: str | None, versions: tuple[tuple[str, int, date, str], ...]) -> ProgrammeTerms:
    """The terms that these rows say: the same rows give the same object, and what it found out is not sought again."""
    dated = [DatedRules(one_id, number, on, parse_rules(rules)) for one_id, number, on, rules in versions]
    return ProgrammeTerms(status, tuple(dated), log)


def load_parties(tx: Connection, ids: Collection[str], *, on: date) -> dict[str, Party]:
    """What the registry says of firms and providers, by id; tags are those that hold on that day."""
    rows = _PARTIES(tx, {"ids": sorted(ids)})
    return {
        row.id: party_of(row.id, row.kind, row.identifier_type, row.region_code, row.profile, on=on) for row in rows
    }


def parse_terms(document: str | None) -> GrantTerms:
    """What officials fixed with a voucher's grant; nothing for most vouchers."""
    if document is None:
        return _NO_TERMS
    terms = json.loads(document)
    claim = {name: tuple(value) if isinstance(value, list) else value for name, value in terms["claim"].items()}
    return GrantTerms(claim, terms["exceptions_fen"], terms["layers_fen"])


_NO_TERMS = GrantTerms()


@lru_cache(maxsize=4096)
def parse_rules(document: str) -> Rules:
    """The typed rules of a stored document; published documents never change, so they are parsed once."""
    return Rules.model_validate_json(document)


def _columns(rows: Iterable[tuple[Any, ...]], *names: str) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for row in rows:
        for name, value in zip(names, row, strict=True):
            columns[name].append(value)
    return columns
