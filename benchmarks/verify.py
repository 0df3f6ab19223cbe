"""`make bench-verify`: how many leaves a second the verifier judges on one core, beside plain SHA-256 of its bytes.

The pack is synthetic: vouchers of which each is issued once and drawn nine times, with facts and traces of the usual
length, and all stored counters. Nothing is asserted but that it is right.
"""

from __future__ import annotations

import argparse
import hashlib
import platform
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.services.export import journal
from app.services.export.export import FORMAT, LEAVES_PER_FILE, VERSION
from app.services.export.folder import Folder
from app.services.export.leaves import framed
from app.services.export.stored import TABLES
from app.tlog.checkpoints import Checkpoint
from app.tlog.keys import Ed25519Signer
from app.tlog.merkle import Frontier, leaf_hash
from app.tlog.notes import sign
from app.verifier.report import Report
from app.verifier.verify import Options, verify
from benchmarks.measuring import peak_mib, table

REGION, ORIGIN = "330100", "benchmark.example/330100"
POOL = "pol_330100_00000000000000000000000001"
PROVIDER = "org_00000000000000000000000001"
DRAWS = 9
VALIDITY = {
    "redeemable_until": "2027-01-01T00:00:00.000000Z",
    "valid_from": "2026-01-01T00:00:00.000000Z",
    "valid_until": "2027-01-01T00:00:00.000000Z",
}
ISSUED = orjson.dumps(VALIDITY).decode()
"""The details of an issue: they tell the voucher's validity."""
DRAWN_FEN, FACE_FEN = 1_000, 10_000
FACTS = orjson.dumps({"bill": {"lines": [{"category": "training", "amount_fen": 1_000}] * 10}}).decode()
TRACE = orjson.dumps(
    {"steps": [{"step": "rate", "rate": "0.30", "before_fen": 3_000, "after_fen": 1_000}] * 12}
).decode()
RULES = "{}"


def main() -> None:
    """Write the pack, verify it, hash its leaves, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leaves", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for has_texts in (False, True):
            path = Path(folder) / ("texts" if has_texts else "leaves")
            write(path, asked.leaves, has_texts=has_texts)
            _measure(path, asked.leaves, asked.rounds, "leaves, facts and traces" if has_texts else "leaves alone")
    print(f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()}, one thread")


def _measure(path: Path, leaves: int, rounds: int, name: str) -> None:
    hashed = [_hash_plainly(path) for _ in range(rounds)]
    judged = [_judge(path) for _ in range(rounds)]
    plain, verified = min(seconds for seconds, _ in hashed), min(judged)
    rows = [
        ["verify", f"{verified:.2f}", f"{leaves / verified:,.0f}", f"{verified / plain:.1f}"],
        ["SHA-256 of the same bytes", f"{plain:.2f}", f"{leaves / plain:,.0f}", "1"],
    ]
    table([name, "processor s", "leaves/s", "×"], rows)
    print(f"{leaves:,} leaves, {hashed[0][1] / 1e6:.0f} MB, best of {rounds}; peak memory {peak_mib()} MiB\n")


def _judge(path: Path) -> float:
    began = time.process_time()
    report: Report = verify(path, Options())
    spent = time.process_time() - began
    assert report.is_right, report.to_text()
    return spent


def _hash_plainly(path: Path) -> tuple[float, int]:
    """Every byte of the pack once, file by file."""
    began, length = time.process_time(), 0
    for place in path.rglob("*"):
        if place.is_file():
            written = place.read_bytes()
            hashlib.sha256(written).hexdigest()
            length += len(written)
    return time.process_time() - began, length


def write(path: Path, leaves: int, *, has_texts: bool) -> None:
    """A right pack of one region."""
    folder, frontier = Folder(path), Frontier()
    touched: set[journal.Side] = set()
    firsts = range(0, leaves, LEAVES_PER_FILE)
    entries = enumerate(_entries(leaves, has_texts=has_texts))
    for first in firsts:
        part = [next(entries) for _ in range(min(LEAVES_PER_FILE, leaves - first))]
        written = [orjson.dumps(leaf, option=orjson.OPT_SORT_KEYS) for _, leaf in part]
        hashes = [leaf_hash(leaf) for leaf in written]
        frontier = frontier.extend(hashes)
        name = f"{first:012d}"
        folder.write(f"{REGION}/leaves/{name}.bin", map(framed, written))
        for kind in ("hashes", "tiles"):
            folder.write(f"{REGION}/{kind}/{name}.bin", hashes)
        texts = (_texts(leaf) for _, leaf in part)
        folder.write(f"{REGION}/texts/{name}.jsonl", texts)
        folder.write(
            f"{REGION}/journal/{name}.beancount", (journal.transaction(leaf, index).encode() for index, leaf in part)
        )
        touched |= {side for _, leaf in part for side in journal.sides(leaf)}
    parts = [f"{first:012d}.beancount" for first in firsts]
    folder.write(f"{REGION}/journal.beancount", [journal.head(REGION, touched, parts).encode()])
    signer = Ed25519Signer(ORIGIN, Ed25519PrivateKey.generate())
    note = sign(Checkpoint(ORIGIN, frontier.size, frontier.root()).text(), signer)
    _write_rows(folder, "checkpoints", [{"size": leaves, "note": note}])
    _write_rows(folder, "cosignatures", [])
    rules = {"id": "rul_330100_1", "rules": RULES, "rules_sha256": hashlib.sha256(RULES.encode()).hexdigest()}
    _write_rows(folder, "rules", [rules])
    for name, rows in _stored(leaves).items():
        _write_rows(folder, f"stored/{name}", rows)
    folder.write(f"{REGION}/unsealed.bin", [])
    folder.write("keys.txt", [signer.verifier.vkey.encode()])
    region = {"region": REGION, "origin": ORIGIN, "size": leaves, "unsealed": 0}
    manifest = {"format": FORMAT, "version": VERSION, "taken_at": "2026-12-01T00:00:00.000000Z"}
    folder.finish(manifest | {"leaves_per_file": LEAVES_PER_FILE, "every_head": False, "regions": [region]})


def _write_rows(folder: Folder, name: str, rows: Iterator[dict[str, Any]] | list[dict[str, Any]]) -> None:
    folder.write(f"{REGION}/{name}.jsonl", (orjson.dumps(row) + b"\n" for row in rows))


def _texts(leaf: dict[str, Any]) -> bytes:
    told: tuple[tuple[str, str], ...] = (("facts", FACTS), ("trace", TRACE)) if leaf["facts"] else ()
    if leaf["kind"] == "issue":
        told = (("details", ISSUED),)
    return b"".join(orjson.dumps({"entry": leaf["id"], "kind": kind, "text": text}) + b"\n" for kind, text in told)


def _voucher(number: int) -> str:
    return f"vch_330100_{number:026d}"


def _entries(leaves: int, *, has_texts: bool) -> Iterator[dict[str, Any]]:
    hashes = [hashlib.sha256(text.encode()).hexdigest() for text in (FACTS, TRACE)] if has_texts else [None, None]
    yield _entry(0, "appropriate", "appropriation", "available", leaves * FACE_FEN, None, [None, None])
    for number in range(1, leaves):
        voucher, draw = divmod(number - 1, DRAWS + 1)
        if draw == 0:
            yield _entry(number, "issue", "available", "committed", FACE_FEN, (voucher, 1), [None, None])
        else:
            yield _entry(number, "redeem", "committed", "obligated", DRAWN_FEN, (voucher, draw + 1), hashes)


def _entry(
    number: int,
    kind: str,
    source: str,
    destination: str,
    fen: int,
    on: tuple[int, int] | None,
    hashes: list[str | None] | list[str] | list[None],
) -> dict[str, Any]:
    two = kind != "redeem"
    voucher = None if on is None else _voucher(on[0])
    payee = PROVIDER if kind == "redeem" else None
    return {
        "v": 1,
        "alg": "sha256",
        "type": "entry",
        "id": f"ent_330100_{number:026d}",
        "region": REGION,
        "kind": kind,
        "at": f"2026-11-{1 + number % 28:02d}T{number % 24:02d}:08:29.{number:06d}Z",
        "programme": "prg_330100_00000000000000000000000001",
        "voucher": voucher,
        "subject": f"rdm_330100_{number:026d}",
        "principal": "cli_00000000000000000000000001",
        "organisation": PROVIDER,
        "maker": "usr_00000000000000000000000001" if two else None,
        "checker": "usr_00000000000000000000000002" if two else None,
        "approval": f"apv_330100_{number:026d}" if two else None,
        "request": f"{number:032x}",
        "rules": "rul_330100_1",
        "reverses": None,
        "pair": None,
        "voucher_end": None,
        "facts": hashes[0],
        "trace": hashes[1],
        "details": hashlib.sha256(ISSUED.encode() if kind == "issue" else b"{}").hexdigest(),
        "postings": [
            {
                "line": 1,
                "pool": POOL,
                "from": source,
                "to": destination,
                "fen": fen,
                "voucher": voucher,
                "seq": None if on is None else on[1],
                "payee": payee,
            }
        ],
    }


def _stored(leaves: int) -> dict[str, list[dict[str, Any]]]:
    issued = -(-(leaves - 1) // (DRAWS + 1))
    vouchers, redemptions = [], []
    for voucher in range(issued):
        count = min(leaves - 1 - voucher * (DRAWS + 1), DRAWS + 1)
        redeemed = (count - 1) * DRAWN_FEN
        others = dict.fromkeys(("held_fen", "recovered_fen", "expired_fen", "voided_fen", "surrendered_fen"), 0)
        amounts = {"face_fen": FACE_FEN, "balance_fen": FACE_FEN - redeemed, "redeemed_fen": redeemed, **others}
        vouchers.append({"id": _voucher(voucher), "posting_count": count, **amounts, **VALIDITY})
        first = voucher * (DRAWS + 1) + 2
        for number in range(first, first + count - 1):
            subject = f"rdm_330100_{number:026d}"
            stands = {"status": "posted", "refunded_fen": 0, "recovered_fen": 0, "mandate_id": None}
            redemptions.append({"id": subject, "subsidy_fen": DRAWN_FEN, **stands})
    pool = {"id": POOL, "available_fen": leaves * FACE_FEN - issued * FACE_FEN, "closed_at": None}
    allotments = [row | {"voucher_id": row["id"], "pool_id": POOL} for row in vouchers]
    rows = {"pools": [pool], "vouchers": vouchers, "allotments": allotments, "redemptions": redemptions}
    return rows | {name: [] for name in TABLES if name not in rows}


if __name__ == "__main__":
    main()
