"""A pack that was exported from real books is right, holds what it promises, and can be written while work goes on."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli.replay_sample import replay_sample
from app.services.export.export import PackExists
from app.verifier.findings import Findings
from app.verifier.verify import Options, verify
from tests.tampering.books import Books, forge
from tests.world import HANGZHOU, NINGBO


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_pack_of_sealed_books_is_right(books: Books, tmp_path: Path) -> None:
    with books.copy() as copy:
        done = copy.export(tmp_path / "pack")
        entries = copy.one("SELECT count(*) FROM entries")
        leaves = copy.one("SELECT count(*) FROM log_leaves")
        texts = copy.one(
            "SELECT (SELECT count(*) FROM redemptions) + (SELECT count(*) FROM holds) + (SELECT count(*) FROM refunds)"
        )
    receipts = tmp_path / "receipts.jsonl"
    receipts.write_text("".join(f"{json.dumps(one)}\n" for one in books.receipts))
    report = verify(tmp_path / "pack", Options(books.vkeys, (books.half_head,), receipts))
    assert report.is_right, report.to_text()
    assert (done.regions, done.leaves, done.unsealed, done.kept_leaves) == (2, leaves, 0, 0)
    assert [one.region for one in report.regions] == [HANGZHOU, NINGBO]
    assert sum(one.entries for one in report.regions) == entries
    assert report.regions[0].earlier_heads == 1
    assert report.receipts == {"kept": 7, "not_due": 0, "broken": 0, "not_judged": 0}
    files = [path for region in (HANGZHOU, NINGBO) for path in (tmp_path / "pack" / region / "texts").iterdir()]
    named = [row for path in files for row in lines(path)]
    assert sum(row["kind"] == "facts" for row in named) == texts


def test_the_verifier_runs_without_the_service(books: Books, tmp_path: Path) -> None:
    with books.copy() as copy:
        copy.export(tmp_path / "pack")
    program = (
        "import runpy, sys; sys.argv = ['verify', sys.argv[1], '--json']\n"
        "try: runpy.run_module('app.verifier', run_name='__main__')\n"
        "finally:\n"
        "    known = {'sqlalchemy', 'psycopg', 'pydantic', 'typer'} & set(sys.modules)\n"
        "    ours = {name for name in sys.modules if name.startswith('app.') and not name.startswith('app.verifier')}\n"
        "    print(sorted(known | ours), file=sys.stderr)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "pack")], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["result"] == "right"
    assert ran.stderr.splitlines()[-1] == "[]"


def test_nothing_that_people_wrote_is_in_a_pack(books: Books, tmp_path: Path) -> None:
    """But a provider's own numbers, in the facts of its bills and nowhere else: the leaf binds them."""
    with books.copy() as copy:
        copy.export(tmp_path / "pack")
        numbers = copy.one("SELECT string_agg(order_no, ' ') FROM redemptions").split()
    files = [path for path in (tmp_path / "pack").rglob("*") if path.is_file()]
    written = b"".join(path.read_bytes() for path in files)
    for word in ("退单", "重复发放", "测试", "maker-"):
        assert word.encode() not in written, word
        assert json.dumps(word)[1:-1].encode() not in written, word
    assert "财字9号".encode() in written
    texts = [json.loads(line) for path in files if path.suffix == ".jsonl" for line in path.read_bytes().splitlines()]
    facts = [json.loads(row["text"]) for row in texts if row.get("kind") == "facts"]
    assert {one["order_no"] for one in facts if "order_no" in one} == set(numbers)
    unescaped = written.replace(b"\\", b"")
    assert len(numbers) == len(set(numbers)) == sum(unescaped.count(f'"{number}"'.encode()) for number in numbers)


def test_unsealed_entries_are_in_the_pack_and_told(books: Books, tmp_path: Path) -> None:
    with books.copy() as copy:
        copy.unseal(NINGBO)
        done = copy.export(tmp_path / "pack")
    report = verify(tmp_path / "pack", Options(books.vkeys))
    assert report.is_right, report.to_text()
    assert done.unsealed == report.regions[1].unsealed > 5
    assert ("nothing_sealed", NINGBO) in report.warnings


def test_a_pack_is_one_instant_whatever_goes_on_meanwhile(books: Books, tmp_path: Path) -> None:
    with books.copy() as copy:
        size = copy.one("SELECT size FROM logs WHERE region_code = '330100'")

        def meanwhile(done: int, _total: int) -> None:
            if done == 16:
                like = copy.one("SELECT id FROM entries WHERE region_code = '330100' AND kind = 'redeem' LIMIT 1")
                leaf = json.loads(copy.one("SELECT convert_from(leaf, 'UTF8') FROM entries WHERE id = :id", id=like))
                forge(copy, like, leaf)
                copy.tamper("UPDATE mandates SET used_fen = used_fen + 1", "UPDATE pools SET available_fen = 0")

        copy.export(tmp_path / "pack", meanwhile, leaves_per_file=16)
        assert copy.one("SELECT size FROM logs WHERE region_code = '330100'") == size + 1
    report = verify(tmp_path / "pack", Options(books.vkeys))
    assert report.is_right, report.to_text()
    assert report.regions[0].leaves == size


TRANSACTION = re.compile(
    r'20[0-9]{2}-[01][0-9]-[0-3][0-9] \* "[a-z_]+" "[a-z]{3}_[0-9]{6}_[0-9a-z]{26}"\n'
    r'(?:  [a-z]+: (?:"[^"\n]*"|[0-9]+)\n)+'
    r'((?:  [A-Z][A-Za-z]+(?::[A-Z0-9][A-Za-z0-9-]*)+  -?[0-9]+\.[0-9]{2} CNY\n(?:    payee: "[^"\n]+"\n)?)+)\n'
)
"""What of Beancount's syntax a journal is made of (its account names: capitals or digits first, no underscores)."""


def test_the_journal_is_well_formed_balances_and_opens_its_accounts(books: Books, tmp_path: Path) -> None:
    with books.copy() as copy:
        copy.export(tmp_path / "pack", leaves_per_file=16)
        committed = copy.one("SELECT sum(balance_fen) FROM vouchers WHERE region_code = '330100'")
    folder = tmp_path / "pack" / HANGZHOU
    head = (folder / "journal.beancount").read_text()
    opened = set(re.findall(r"^2000-01-01 open (\S+) CNY$", head, re.MULTILINE))
    text = "".join((folder / name).read_text() for name in re.findall(r'^include "(.+)"$', head, re.MULTILINE))
    balances: dict[str, int] = {}
    place = 0
    while place < len(text):
        found = TRANSACTION.match(text, place)
        assert found is not None, text[place : place + 400]
        place = found.end()
        amounts = re.findall(r"^  (\S+)  (-?)([0-9]+)\.([0-9]{2}) CNY$", found[1], re.MULTILINE)
        signed = [(account, int(sign + yuan + fen)) for account, sign, yuan, fen in amounts]
        assert sum(fen for _, fen in signed) == 0, found[0]
        for account, fen in signed:
            balances[account] = balances.get(account, 0) + fen
    assert set(balances) == opened
    assert sum(fen for account, fen in balances.items() if account.endswith(":Committed")) == committed > 0


class Interrupted(Exception):
    pass


def test_an_interrupted_export_goes_on_with_what_is_whole(books: Books, tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    with books.copy() as copy:
        assert copy.one("SELECT max(size) FROM logs") > 32

        def stop(done: int, _total: int) -> None:
            if done >= 24:
                raise Interrupted

        with pytest.raises(Interrupted):
            copy.export(pack, stop, leaves_per_file=8)
        (pack / HANGZHOU / "texts" / "000000000008.jsonl").write_bytes(b"cut off")
        done = copy.export(pack, leaves_per_file=8)
        assert done.kept_leaves == 16, "three files were full, and one of them is not what it was"
        assert done.anew is None
        assert not (pack / "export-progress.json").exists()
        with pytest.raises(PackExists):
            copy.export(pack)
    assert verify(pack, Options(books.vkeys)).is_right
    assert not list(pack.rglob("*.new"))


def test_an_export_with_other_options_starts_anew_and_says_so(books: Books, tmp_path: Path) -> None:
    def stop(done: int, _total: int) -> None:
        raise Interrupted

    with books.copy() as copy:
        with pytest.raises(Interrupted):
            copy.export(tmp_path / "pack", stop, leaves_per_file=8)
        done = copy.export(tmp_path / "pack", leaves_per_file=16)
    assert (done.anew, done.kept_leaves) == ("other_options", 0)
    assert verify(tmp_path / "pack", Options(books.vkeys)).is_right


def test_a_region_can_be_exported_alone(books: Books, tmp_path: Path) -> None:
    with books.copy() as copy:
        copy.export(tmp_path / "pack", region_code=NINGBO)
    report = verify(tmp_path / "pack", Options(books.vkeys))
    assert report.is_right
    assert [one.region for one in report.regions] == [NINGBO]


def test_a_sample_of_assessments_is_computed_again(books: Books, tmp_path: Path) -> None:
    with books.copy() as copy:
        copy.export(tmp_path / "right")
        copy.tamper(
            "UPDATE redemptions SET subsidy_fen = subsidy_fen + 1, firm_pays_fen = firm_pays_fen - 1"
            " WHERE region_code = '330200'"
        )
        copy.export(tmp_path / "wrong")
    findings = Findings()
    told = replay_sample(tmp_path / "right", 100, 7, findings)
    assert len(findings) == 0, findings.kept
    assert told["replayed"] == len(set(told["subjects"])) >= 10
    sample = replay_sample(tmp_path / "right", 3, 7, findings)["subjects"]
    assert replay_sample(tmp_path / "right", 3, 7, findings)["subjects"] == sample
    assert replay_sample(tmp_path / "right", 3, 8, findings)["subjects"] != sample
    replay_sample(tmp_path / "wrong", 100, 7, findings)
    assert findings.counts == {"replay": 1}
