"""Books of a city with as many entries as one likes, written straight into the tables, and right to the fen.

A programme, its money and its vouchers are made by the services; redemptions are copies of what the desk writes, with
facts, trace and leaf of the usual size. The guards are off while they are written, as nobody but an owner can do.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Connection, create_engine, text

import migrations
from app.database import Database
from app.embedded import databases
from app.embedded.databases import Urls
from app.embedded.server import Server
from app.reach import EVERYWHERE
from app.services.identity.signing_keys import SigningKeys
from app.services.rules.model import Rules
from app.services.sealing.keys import LogKeys
from app.services.sealing.seal import seal
from benchmarks.redemptions.books import Scheme, providers, scheme

REGION = "330100"
PER_VOUCHER = 10
"""Redemptions of one voucher."""
SUBSIDY_FEN, BILL_FEN = 3_000, 10_000
CHUNK = 100_000
RULES = Rules.model_validate(
    {
        "categories": ["training"],
        "rate": {"kind": "flat", "rate": "0.30"},
        "caps": [{"scope": "firm", "name": "firm_year", "limit_fen": 1_000_000_000}],
        "validity": {"kind": "months", "months": 24},
    }
)
"""A yearly cap, so that every redemption counts in a counter of its firm; valid for longer than they are spread."""
YEAR_S = 300 * 86_400
"""Over which the redemptions are spread."""

_NUMBERED = """
    SELECT v.region_code, v.id AS voucher_id, v.programme_id, v.firm_id, v.valid_from, v.rule_id, v.pool_id,
        v.mandate_id, v.provider_id, made.n / :vouchers + 1 AS seq, lpad(made.n::text, 26, '0') AS tail,
        v.valid_from + make_interval(secs => (made.n + 1) * :pause_s) AS at
    FROM generate_series(:first, :last - 1) AS made(n) JOIN bench_vouchers v ON v.place = made.n % :vouchers + 1
    ORDER BY made.n
"""
"""Round after round over all vouchers: ids, rows and leaves lie in the order of their instants, as a service's do."""

_SHA = "encode(sha256(convert_to({}, 'UTF8')), 'hex')"

_FACTS = (
    """'{{"balances":[],"bill":{{"lines":[{{"amount_fen":10000,"category":"training","quantity":"10000"}}],"""
    """"total_fen":10000}},"counted":[{{"base_fen":10000,"category":"","claims":1,"granted_fen":3000,"gross_fen":3000,"""
    """"holder":"firm","period":"2026"}}],"given":{{"at":"' || at || '","exceptions_fen":{{}},"x":"'"""
    """ || repeat('x', 420) || '"}},"holders":{{"firm":"' || firm_id || '"}},"order_no":"O' || tail || '","v":2}}'"""
)
_TRACE = """'{{"steps":"' || repeat('x', 600) || '"}}'"""

_LEAF = (
    """'{{"alg":"sha256","approval":null,"at":"' || to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
    f""" || '","checker":null,"details":"' || {_SHA.format("'{{}}'")} || '","facts":"' || {_SHA.format(_FACTS)}"""
    """ || '","id":"ent_' || region_code || '_' || tail || '","kind":"redeem","maker":null,"""
    """"organisation":"' || provider_id"""
    """ || '","pair":null,"postings":[{{"fen":' || :subsidy || ',"from":"committed","line":1,"""
    """"payee":"' || provider_id"""
    """ || '","pool":"' || pool_id || '","seq":' || (seq + 1) || ',"to":"obligated","voucher":"' || voucher_id"""
    """ || '"}}],"principal":"cli_bench","programme":"' || programme_id || '","region":"' || region_code"""
    """ || '","request":"' || md5(tail) || '","reverses":null,"rules":"' || rule_id || '","subject":"rdm_'"""
    f""" || region_code || '_' || tail || '","trace":"' || {_SHA.format(_TRACE)}"""
    """ || '","type":"entry","v":1,"voucher":"' || voucher_id || '","voucher_end":null}}'"""
)
"""The leaf as `ledger.entries` writes it: reconciliation proves it, or the benchmark fails."""

_STEPS = (
    f"""
    INSERT INTO entries (region_code, id, kind, at, programme_id, voucher_id, subject_id, principal_id,
        organisation_id, rule_version_id, request_id, details, leaf)
    SELECT region_code, 'ent_' || region_code || '_' || tail, 'redeem', at, programme_id, voucher_id,
        'rdm_' || region_code || '_' || tail, 'cli_bench', provider_id, rule_id, md5(tail), '{{{{}}}}',
        convert_to({_LEAF}, 'UTF8')
    FROM ({{numbered}}) AS made
    """,
    """
    INSERT INTO seal_queue (region_code, leaf_kind, leaf_id)
    SELECT region_code, 'entry', 'ent_' || region_code || '_' || tail FROM ({numbered}) AS made
    """,
    """
    INSERT INTO postings (region_code, entry_id, line, pool_id, source, destination, amount_fen, voucher_id,
        voucher_seq, payee_id)
    SELECT region_code, 'ent_' || region_code || '_' || tail, 1, pool_id, 'committed', 'obligated', :subsidy,
        voucher_id, seq + 1, provider_id
    FROM ({numbered}) AS made
    """,
    f"""
    INSERT INTO redemptions (region_code, id, voucher_id, programme_id, firm_id, provider_id, mandate_id, order_no,
        rule_version_id, bill_total_fen, subsidy_fen, firm_pays_fen, refunded_fen, bill_refunded_fen, recovered_fen,
        status, facts, trace, entry_id, redeemed_at, redeemed_by)
    SELECT region_code, 'rdm_' || region_code || '_' || tail, voucher_id, programme_id, firm_id, provider_id,
        mandate_id, 'O' || tail, rule_id, :bill, :subsidy, :bill - :subsidy, 0, 0, 0,
        'posted',
        {_FACTS},
        {_TRACE}, 'ent_' || region_code || '_' || tail, at, 'cli_bench'
    FROM ({{numbered}}) AS made
    """,
    """
    INSERT INTO order_numbers SELECT region_code, provider_id, 'O' || tail, 'rdm_' || region_code || '_' || tail
    FROM ({numbered}) AS made
    """,
    """
    INSERT INTO idempotency_keys (region_code, principal_id, route, key, fingerprint, resource_id, status, body,
        created_at)
    SELECT region_code, 'cli_bench', 'POST /v1/redemptions', tail, decode(md5(tail) || md5(tail), 'hex'),
        'rdm_' || region_code || '_' || tail, 201, convert_to(repeat('x', 600), 'UTF8'), at
    FROM ({numbered}) AS made
    """,
)

_VOUCHERS = """
    CREATE UNLOGGED TABLE bench_vouchers AS
    SELECT v.region_code, v.id, v.programme_id, v.firm_id, v.valid_from, a.pool_id, m.id AS mandate_id, m.provider_id,
        (SELECT max(r.id) FROM rule_versions r WHERE r.region_code = v.region_code) AS rule_id,
        row_number() OVER (ORDER BY v.id) AS place
    FROM vouchers v
    JOIN allotments a ON a.region_code = v.region_code AND a.voucher_id = v.id
    JOIN mandates m ON m.region_code = v.region_code AND m.voucher_id = v.id
"""

_COUNTERS = (
    """
    UPDATE vouchers SET balance_fen = balance_fen - :per * :subsidy, redeemed_fen = :per * :subsidy,
        posting_count = posting_count + :per
    """,
    "UPDATE allotments SET balance_fen = balance_fen - :per * :subsidy, redeemed_fen = :per * :subsidy",
    "UPDATE mandates SET used_fen = :per * :subsidy",
    """
    INSERT INTO positions (region_code, programme_id, holder, holder_id, period, category, base_fen, gross_fen,
        granted_fen, claims)
    SELECT region_code, programme_id, 'firm', firm_id, '2026', '', count(*) * :bill, count(*) * :subsidy,
        count(*) * :subsidy, count(*)
    FROM redemptions GROUP BY 1, 2, 4
    """,
    "DROP TABLE bench_vouchers",
)


def fill(server: Server, urls: Urls, *, entries: int) -> Scheme:
    """Books with about so many entries, sealed: one in eleven issues a voucher, the others redeem."""
    vouchers = max(1, entries // (PER_VOUCHER + 1))
    database = Database(urls.app_url, reach=EVERYWHERE)
    of = scheme(
        database,
        REGION,
        providers(database, [REGION]),
        vouchers=vouchers,
        rules=RULES,
        told=_telling("vouchers", vouchers),
    )
    engine = create_engine(server.url("postgres", server.password, urls.owner_url.rsplit("/", 1)[1]))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as tx:
        tx.execute(text("SET session_replication_role = replica"))
        tx.execute(text(_VOUCHERS))
        _redemptions(tx, vouchers)
        _run(tx, _COUNTERS)
        _seal(urls)
        tx.execute(text("VACUUM ANALYZE"))
    engine.dispose()
    database.dispose()
    return of


def _seal(urls: Urls) -> None:
    sealing = Database(urls.sealer_url)
    with TemporaryDirectory() as folder:
        keys = LogKeys(SigningKeys.load_or_create(Path(folder) / "keys"), name="benchmark")
        while sealing.transact(partial(seal, region_code=REGION, keys=keys)) is not None:
            pass
    sealing.dispose()


def _redemptions(tx: Connection, vouchers: int) -> None:
    total = vouchers * PER_VOUCHER
    told = _telling("redemptions", total)
    for first in range(0, total, CHUNK):
        last = min(first + CHUNK, total)
        _run(
            tx,
            [step.format(numbered=_NUMBERED) for step in _STEPS],
            first=first,
            last=last,
            vouchers=vouchers,
            pause_s=YEAR_S / total,
        )
        told(last)


def _run(tx: Connection, statements: Sequence[str], **places: float) -> None:
    values = {"per": PER_VOUCHER, "subsidy": SUBSIDY_FEN, "bill": BILL_FEN, **places}
    for statement in statements:
        known = {name: value for name, value in values.items() if f":{name}" in statement}
        tx.execute(text(statement.replace('":', '"\\:')), known)


def _telling(what: str, total: int):  # type: ignore[no-untyped-def]
    return lambda done: print(f"· {what}: {done:,}/{total:,}", file=sys.stderr, flush=True)


def prepared(server: Server, name: str) -> Urls:
    """A database of the schema as it is."""
    urls = databases.prepare(server, database=name)
    migrations.upgrade(urls.owner_url)
    return urls
