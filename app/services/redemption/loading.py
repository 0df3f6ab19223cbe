"""Locks and look-ups of the redemption path: each is one statement, however many commands there are."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import date
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection

from app.database import Statement
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

VoucherKey = tuple[str, str]
"""(region_code, voucher id)."""

_VOUCHER_IDS = Statement(
    "SELECT v.region_code, v.code, v.id FROM vouchers v"
    " JOIN unnest(CAST(:regions AS text[]), CAST(:codes AS text[])) AS asked(region_code, code)"
    " ON v.region_code = asked.region_code AND v.code = asked.code"
)
_VOUCHERS = (
    "SELECT v.region_code, v.id, v.code, v.programme_id, v.firm_id, v.balance_fen, v.held_fen, v.posting_count,"
    " v.issued_at, v.valid_from, v.valid_until, v.redeemable_until, v.frozen_at, v.ended_as, v.ended_at, v.terms"
    " FROM vouchers v"
    " JOIN unnest(CAST(:regions AS text[]), CAST(:ids AS text[])) AS asked(region_code, id)"
    " ON v.region_code = asked.region_code AND v.id = asked.id"
    " ORDER BY v.region_code, v.id"
)
_READ = Statement(_VOUCHERS)
_LOCK_WAITING = Statement(_VOUCHERS + " FOR NO KEY UPDATE OF v")
_LOCK_SKIPPING = Statement(_VOUCHERS + " FOR NO KEY UPDATE OF v SKIP LOCKED")
_SHARES = Statement(
    "SELECT a.region_code, a.voucher_id, a.pool_id, a.balance_fen, a.redeemed_fen FROM allotments a"
    " JOIN unnest(CAST(:regions AS text[]), CAST(:ids AS text[])) AS asked(region_code, voucher_id)"
    " ON a.region_code = asked.region_code AND a.voucher_id = asked.voucher_id"
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
    "SELECT p.region_code, p.id AS programme_id, p.status, r.id, r.number, r.effective_on, r.rules FROM programmes p"
    " JOIN unnest(CAST(:regions AS text[]), CAST(:programmes AS text[])) AS asked(region_code, id)"
    " ON p.region_code = asked.region_code AND p.id = asked.id"
    " JOIN rule_versions r ON r.region_code = p.region_code AND r.programme_id = p.id AND r.status = 'published'"
    " ORDER BY p.region_code, p.id, r.effective_on DESC, r.number DESC"
)
_PARTIES = Statement(
    "SELECT o.id, o.kind, o.identifier_type, o.region_code, o.profile FROM organisations o"
    " WHERE o.id = ANY(CAST(:ids AS text[]))"
)


def find_vouchers(tx: Connection, codes: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Voucher ids by (region_code, code), without a lock."""
    rows = _VOUCHER_IDS(tx, _columns(sorted(codes), "regions", "codes"))
    return {(row.region_code, row.code): row.id for row in rows}


def lock_vouchers(tx: Connection, keys: Collection[VoucherKey], *, wait: bool) -> dict[VoucherKey, VoucherState]:
    """Lock vouchers in sorted order and load them with their shares.

    With `wait` false, what somebody else holds is left out instead of waited for.
    """
    return _states(tx, _LOCK_WAITING if wait else _LOCK_SKIPPING, keys)


def read_voucher(tx: Connection, key: VoucherKey) -> VoucherState | None:
    """A voucher as it is, without a lock: for what only asks."""
    return _states(tx, _READ, [key]).get(key)


def _states(tx: Connection, statement: Statement, keys: Collection[VoucherKey]) -> dict[VoucherKey, VoucherState]:
    rows = statement(tx, _columns(sorted(keys), "regions", "ids"))
    shares = _shares(tx, [(row.region_code, row.id) for row in rows])
    return {
        (row.region_code, row.id): VoucherState(
            **{**row._asdict(), "terms": parse_terms(row.terms), "shares": shares[row.region_code, row.id]}
        )
        for row in rows
    }


def load_mandates(tx: Connection, keys: Collection[tuple[str, str, str]]) -> dict[tuple[str, str, str], MandateState]:
    """The consent per (region_code, voucher id, provider id): the live one, or else the one withdrawn last."""
    rows = _MANDATES(tx, _columns(sorted(keys), "regions", "ids", "providers"))
    return {
        (row.region_code, row.voucher_id, row.provider_id): MandateState(
            row.id, row.limit_fen, row.used_fen, row.valid_until, row.revoked_at
        )
        for row in rows
    }


def load_admissions(
    tx: Connection, keys: Collection[tuple[str, str, str]]
) -> dict[tuple[str, str, str], tuple[str, ...]]:
    """Categories per (region_code, programme id, provider id) of the listed providers."""
    rows = _ADMISSIONS(tx, _columns(sorted(keys), "regions", "programmes", "providers"))
    return {(row.region_code, row.programme_id, row.provider_id): tuple(row.categories) for row in rows}


def load_terms(tx: Connection, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], ProgrammeTerms]:
    """Status and published rule versions per (region_code, programme id)."""
    statuses: dict[tuple[str, str], str] = {}
    versions: dict[tuple[str, str], list[tuple[str, int, date, str]]] = defaultdict(list)
    for row in _TERMS(tx, _columns(sorted(keys), "regions", "programmes")):
        key = (row.region_code, row.programme_id)
        statuses[key] = row.status
        versions[key].append((row.id, row.number, row.effective_on, row.rules))
    return {key: _terms_of(status, tuple(versions[key])) for key, status in statuses.items()}


@lru_cache(maxsize=4096)
def _terms_of(status: str, versions: tuple[tuple[str, int, date, str], ...]) -> ProgrammeTerms:
    """The terms that these rows say: the same rows give the same object, and what it found out is not sought again."""
    dated = [DatedRules(one_id, number, on, parse_rules(rules)) for one_id, number, on, rules in versions]
    return ProgrammeTerms(status, tuple(dated))


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


def _shares(tx: Connection, keys: Sequence[VoucherKey]) -> dict[VoucherKey, list[Share]]:
    shares: dict[VoucherKey, list[Share]] = defaultdict(list)
    if keys:
        for row in _SHARES(tx, _columns(keys, "regions", "ids")):
            shares[row.region_code, row.voucher_id].append(Share(row.pool_id, row.balance_fen, row.redeemed_fen))
    return shares


def _columns(rows: Iterable[tuple[Any, ...]], *names: str) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for row in rows:
        for name, value in zip(names, row, strict=True):
            columns[name].append(value)
    return columns
