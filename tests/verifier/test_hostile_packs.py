"""Packs from somebody who wants the auditor to read, or to skip, what nobody judged."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli.commands import app
from app.verifier import verify as verifying
from app.verifier.__main__ import main
from app.verifier.pack import Pack, UnreadablePack
from app.verifier.verify import Options, verify
from tests.cli.processes import COMMAND
from tests.verifier.packs import ORIGIN, PROVIDER, REGION, VOUCHER, PackMaker, compact, list_again, posting
from tests.verifier.test_adversaries import archive
from tests.verifier.test_verify import Interrupted, paid_and_closed, receipt, receipts_file

FORGED = b'2026-11-26 * "redeem" "rdm_330100_forged"\n'
ANOTHER = "org_another"


def named(path: Path, *vkeys: str, **options: Any) -> set[tuple[str, str]]:
    return {(one.check, one.subject) for one in verify(path, Options(vkeys, **options)).findings.kept}


# -- progress ---------------------------------------------------------------------------------------------------------


def test_progress_that_came_with_the_pack_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its maker can say of every leaf that it was judged: the progress of a right pack, for one with a leaf altered."""
    monkeypatch.setattr(verifying, "SAVE_EVERY_S", 0)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "own"))
    maker = PackMaker(per_file=2)
    right, state = maker.write(tmp_path / "right"), tmp_path / "state.json"

    def stop(done: int, _total: int) -> None:
        if done == 7:
            raise Interrupted

    with pytest.raises(Interrupted):
        verify(right, Options((maker.key.vkey,), state=state), progress=stop)
    logged = maker.written()
    maker.story.leaves[0]["maker"] = "usr_nobody"
    folder = maker.write(tmp_path / "wrong", hashed=logged)
    saved = json.loads(state.read_bytes())
    options = Options((maker.key.vkey,))
    saved["of"] = verifying._fingerprint(Pack(folder), options)
    (tmp_path / "wrong.verify-state.json").write_bytes(compact(saved))
    ran = CliRunner().invoke(app, ["verify", str(folder), "--vkey", maker.key.vkey])
    assert ran.exit_code == 1, ran.output
    assert f"{REGION} #0" in ran.output


def test_progress_lies_with_the_auditor_and_is_taken_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifying, "SAVE_EVERY_S", 0)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "own"))
    maker = PackMaker(per_file=2)
    folder = maker.write(tmp_path / "pack")
    monkeypatch.setattr("app.cli.verify.counted", _interrupting)
    ran = CliRunner().invoke(app, ["verify", str(folder), "--vkey", maker.key.vkey])
    assert isinstance(ran.exception, Interrupted)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own", "pack"]
    monkeypatch.undo()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "own"))
    ran = CliRunner().invoke(app, ["verify", str(folder), "--vkey", maker.key.vkey])
    assert ran.exit_code == 0, ran.output
    assert f"resumed at  {REGION} #4" in ran.output
    assert not [path for path in (tmp_path / "own").rglob("*") if path.is_file()]


class _interrupting:  # noqa: N801 - stands where a function does
    def __init__(self, *_words: str) -> None: ...

    def __enter__(self) -> Any:
        def stop(done: int, _total: int) -> None:
            if done == 6:
                raise Interrupted

        return stop

    def __exit__(self, *_: object) -> None: ...


# -- files that nobody judges -----------------------------------------------------------------------------------------


def test_a_listed_file_that_the_format_does_not_know_is_named(tmp_path: Path) -> None:
    """The guide's own `grep … journal/*.beancount` would count it."""
    maker = PackMaker()
    folder = maker.write(tmp_path / "pack")
    unknown = (
        *(f"{REGION}/journal/{name}.beancount" for name in ("000000000008", "000000000001", "0")),
        f"{REGION}/stored/payments.jsonl",
        f"{REGION}/leaves/000000000000.txt",
        "330200/rules.jsonl",
        "README.txt",
    )
    for name in unknown:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(FORGED)
    list_again(folder)
    assert named(folder, maker.key.vkey) == {("file_unknown", name) for name in unknown}


def test_what_lies_beside_the_packs_own_folder_in_an_archive_is_named(tmp_path: Path) -> None:
    """Read as one pack, unpacked into two: `pack/` would be the forged one."""
    maker = PackMaker()
    folder = maker.write(tmp_path / "pack")
    journal = f"{REGION}/journal/000000000000.beancount"
    right = (folder / journal).read_bytes()
    (folder / journal).write_bytes(FORGED)
    place = tmp_path / "pack.tar"
    with tarfile.open(place, "w") as tar:
        tar.add(folder, "pack")
        for name, content in ((journal, right), ("manifest.json", b"{}"), ("../x", b""), ("/y", b"")):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    found = named(place, maker.key.vkey)
    assert {("file_unlisted", name) for name in (journal, "manifest.json", "../x", "/y")} <= found
    assert ("file_differs", journal) in found


def test_links_and_devices_in_an_archive_are_named(tmp_path: Path) -> None:
    maker = PackMaker()
    place = archive(maker.write(tmp_path / "pack"), tmp_path / "pack.tar")
    with tarfile.open(place, "a") as tar:
        for name, kind in (("pack/link", tarfile.SYMTYPE), (f"pack/{REGION}/rules.jsonl", tarfile.LNKTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "pack/keys.txt"
            tar.addfile(info)
    found = named(place, maker.key.vkey)
    assert found == {("file_unlisted", "pack/link"), ("file_twice", f"pack/{REGION}/rules.jsonl")}


def test_what_is_no_plain_file_is_not_waited_for(tmp_path: Path) -> None:
    """A pipe nobody writes to would hold the verifier for ever."""
    maker = PackMaker()
    folder = maker.write(tmp_path / "pack")
    for name in (f"{REGION}/rules.jsonl", "keys.txt", f"{REGION}/tiles/000000000000.bin"):
        (folder / name).unlink()
        os.mkfifo(folder / name)
    os.mkfifo(folder / "extra")
    (folder / "nowhere").symlink_to("nothing")
    found = named(folder, maker.key.vkey)
    assert {
        ("file_unreadable", f"{REGION}/rules.jsonl"),
        ("file_unreadable", f"{REGION}/tiles/000000000000.bin"),
        ("file_unreadable", "keys.txt"),
        ("file_unlisted", "extra"),
        ("file_unlisted", "nowhere"),
    } <= found
    (folder / "manifest.json").unlink()
    os.mkfifo(folder / "manifest.json")
    with pytest.raises(UnreadablePack):
        verify(folder, Options())


# -- one reading, and one that can be shown ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "instead"),
    [
        (b'"balance_fen":', b'"balance_fen":999,"balance_fen":'),
        (b'"held_fen":0', b'"held_fen":false'),
        (b'"held_fen":0', b'"held_fen":-0.0'),
        (b'"held_fen":0', b'"held_fen":-0'),
        (b'"held_fen":0', b'"held_fen": 0'),
        (b'"face_fen":50000', b'"face_fen":5e4'),
        (b'"face_fen":50000', b'"face_fen":50000.0'),
        (b'"id":"vch', b'"\\u0069d":"vch'),
    ],
)
def test_a_stored_row_that_can_be_read_in_two_ways_is_named(told: bytes, instead: bytes, tmp_path: Path) -> None:
    maker = paid_and_closed()
    folder = maker.write(tmp_path / "pack")
    path = folder / REGION / "stored" / "vouchers.jsonl"
    written = path.read_bytes()
    assert told in written
    path.write_bytes(written.replace(told, instead, 1))
    list_again(folder)
    assert ("file_malformed", f"{REGION}/stored/vouchers.jsonl") in named(folder, maker.key.vkey)


@pytest.mark.parametrize(("kind", "check"), [("hashes", "leaf_hash"), ("tiles", "tile")])
def test_hashes_beyond_the_last_leaf_are_named(kind: str, check: str, tmp_path: Path) -> None:
    maker = PackMaker()
    folder = maker.write(tmp_path / "pack")
    last = max((folder / REGION / kind).iterdir())
    last.write_bytes(last.read_bytes() + bytes(32))
    list_again(folder)
    report = verify(folder, Options((maker.key.vkey,)))
    assert [(one.check, one.index) for one in report.findings.kept] == [(check, len(maker.story.leaves))]


@pytest.mark.parametrize(
    ("told", "instead"),
    [
        (b'"taken_at":"2026', b'"taken_at":"2020-01-01T00:00:00.000000Z","taken_at":"2026'),
        (b'"taken_at":"2026-11-26', b'"taken_at":"2026-13-45'),
        (b'"path":"keys.txt"', b'"path":"keys.txt\\u0000"'),
        (b'"path":"keys.txt"', b'"path":"\\u001b[2J"'),
        (b'"path":"keys.txt"', b'"path":"330100/RULES.jsonl"'),
        (b'"version":1', b'"version":1.0'),
    ],
)
def test_a_manifest_that_can_be_read_in_two_ways_is_none(told: bytes, instead: bytes, tmp_path: Path) -> None:
    folder = PackMaker().write(tmp_path / "pack")
    path = folder / "manifest.json"
    written = compact(json.loads(path.read_bytes()))
    path.write_bytes(written)
    assert verify(folder, Options()).findings.counts == {}
    assert told in written
    path.write_bytes(written.replace(told, instead, 1))
    with pytest.raises(UnreadablePack):
        verify(folder, Options())


def test_a_file_whose_name_is_no_text_or_steers_a_terminal_is_named_plainly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = PackMaker().write(tmp_path / "pack")
    Path(os.fsdecode(bytes(folder) + b"/\xff\x1b[2J")).write_bytes(b"x")
    for arguments in ([str(folder)], [str(folder), "--json"]):
        assert main(arguments) == 1
        shown = capsys.readouterr().out
        assert "\x1b" not in shown
        assert "udcff" in shown
        assert "x1b[2J" in shown


@pytest.mark.parametrize("command", [(sys.executable, "-m", "app.verifier"), (*COMMAND, "verify")])
def test_a_console_without_chinese_shows_the_report_all_the_same(command: tuple[str, ...], tmp_path: Path) -> None:
    maker = PackMaker()
    folder = maker.write(tmp_path / "审计包")
    ran = subprocess.run(
        [*command, str(folder), "--vkey", maker.key.vkey],
        env={**os.environ, "PYTHONIOENCODING": "ascii", "XDG_STATE_HOME": str(tmp_path)},
        capture_output=True,
        check=False,
    )
    assert (ran.returncode, b"Traceback" in ran.stderr, b"right" in ran.stdout) == (0, False, True)


# -- when it was taken ------------------------------------------------------------------------------------------------


def test_a_pack_cannot_be_dated_back_to_before_its_promises_fell_due(tmp_path: Path) -> None:
    """The newest leaf is of 2026-11-24T03:08:29; the manifest says it was taken in January."""
    maker = PackMaker()
    folder = maker.write(tmp_path / "pack")
    manifest = json.loads((folder / "manifest.json").read_bytes())
    early = manifest | {"taken_at": "2026-01-01T00:00:00.000000Z"}
    (folder / "manifest.json").write_bytes(compact(early))
    omitted = receipt(maker, "ent_330100_omitted", b"never written", "2026-11-20T12:00:00.000000Z")
    path = receipts_file(tmp_path, omitted)
    found = named(folder, maker.key.vkey, receipts=path)
    assert found == {("taken_at", "manifest.json"), ("receipt_omitted", "ent_330100_omitted")}
    for nonsense in ("", "yesterday", "2026-01-01"):
        (folder / "manifest.json").write_bytes(compact(manifest | {"taken_at": nonsense}))
        with pytest.raises(UnreadablePack, match="taken_at"):
            verify(folder, Options())


# -- who is paid, whose money comes back ------------------------------------------------------------------------------


def test_a_payment_to_another_whom_money_is_owed_too_is_named(tmp_path: Path) -> None:
    """12,000 of the first redemption are paid to the payee of the second; rows, order and all sums agree with it."""
    maker = paid_and_closed()
    for leaf in maker.story.leaves:
        if leaf["subject"] == "rdm_330100_two":
            leaf["postings"][0] |= {"payee": ANOTHER, "fen": 15_000}
    for index in (7, 8):
        maker.story.leaves[index]["postings"][0]["payee"] = ANOTHER
    maker.stored["payment_orders"][0]["payee_id"] = ANOTHER
    report = verify(maker.write(tmp_path / "pack"), Options((maker.key.vkey,)))
    wrong = {(one.subject, one.index, one.expected, one.actual) for one in report.findings.kept if one.check == "payee"}
    assert wrong == {("rdm_330100_one", place, PROVIDER, ANOTHER) for place in (7, 8)}


def test_a_refund_from_another_payee_or_to_another_voucher_is_named(tmp_path: Path) -> None:
    """The second redemption is another's; its refund takes the 3,000 from whom the first is owed to."""
    maker = PackMaker()
    maker.story.leaves[4]["postings"][0]["payee"] = ANOTHER
    report = verify(maker.write(tmp_path / "pack"), Options((maker.key.vkey,)))
    assert [(one.check, one.subject) for one in report.findings.kept] == [("counter", "refunds rfd_330100_one of")]
    assert (report.findings.kept[0].expected, report.findings.kept[0].actual) == (
        f"{ANOTHER} {VOUCHER}",
        f"{PROVIDER} {VOUCHER}",
    )


def test_a_hold_is_drawn_and_released_for_its_own_voucher(tmp_path: Path) -> None:
    maker = PackMaker()
    other = VOUCHER.replace("vch1", "vch2")
    maker.story.leaves[3]["voucher"] = other
    maker.story.leaves[3]["postings"] = [posting("held", "obligated", 12_000, 1, voucher=other) | {"line": 1}]
    report = verify(maker.write(tmp_path / "pack"), Options((maker.key.vkey,)))
    assert ("hold", 3) in {(one.check, one.index) for one in report.findings.kept}


def test_an_issue_whose_validity_was_left_out_is_named(tmp_path: Path) -> None:
    """Without its details any validity could be stored."""
    maker = PackMaker()
    issue = maker.story.leaves[1]["id"]
    maker.story.texts = [one for one in maker.story.texts if (one["entry"], one["kind"]) != (issue, "details")]
    maker.stored["vouchers"][0]["valid_until"] = "2099-12-31T16:00:00.000000Z"
    assert ("text_missing", f"{issue} details") in named(maker.write(tmp_path / "pack"), maker.key.vkey)


# -- keys -------------------------------------------------------------------------------------------------------------


def test_keys_are_read_from_a_file_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    maker = PackMaker()
    folder, keys = maker.write(tmp_path / "pack"), tmp_path / "keys.txt"
    keys.write_text(f"\ufeff# by letter of 1 March\r\n{maker.key.vkey}\r\n\r\n{maker.witness.vkey}\r\n", newline="")
    assert main([str(folder), "--vkeys", str(keys)]) == 0
    assert "witness.example.org@7" in capsys.readouterr().out
    ran = CliRunner().invoke(app, ["verify", str(folder), "--vkeys", str(keys)])
    assert ran.exit_code == 0, ran.output
    keys.write_text(maker.witness.vkey)
    assert main([str(folder), "--vkeys", str(keys)]) == 1
    told = capsys.readouterr().out
    assert f"{ORIGIN}+{maker.key.key_id.hex()}" in told, "whose key is missing"
    keys.write_text("\n")
    assert main([str(folder), "--vkeys", str(keys)]) == 2
