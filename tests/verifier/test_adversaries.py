"""Packs made by somebody who knows the format: hashes and signatures are right, one thing is not. And damaged ones."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli.commands import app
from app.verifier.__main__ import main
from app.verifier.verify import Options, UnreadablePack, verify
from tests.verifier.packs import (
    OTHER_VOUCHER,
    REGION,
    VOUCHER,
    PackMaker,
    compact,
    head_text,
    list_again,
    note,
    posting,
    write_manifest,
)


def found(maker: PackMaker, folder: Path) -> set[str]:
    return set(verify(maker.write(folder), Options((maker.key.vkey,))).findings.counts)


def money_to_nobody(maker: PackMaker) -> None:
    """Owed to nobody, ordered and paid to nobody: no payee's account ever shows it."""
    redeemed = maker.story.leaves[4]
    redeemed["postings"][0]["payee"] = None


def money_granted_twice(maker: PackMaker) -> None:
    """The approval of the first appropriation, with an entry of its own and a pool that agrees."""
    first = maker.story.leaves[0]
    again = maker.story.entry("appropriate", posting("appropriation", "available", 100_000))
    again["approval"] = first["approval"]
    maker.stored["pools"][0]["available_fen"] += 100_000


def a_voucher_topped_up(maker: PackMaker) -> None:
    """A second issue on a voucher; its face and its pool agree."""
    maker.story.entry("issue", posting("available", "committed", 10_000, 7))
    maker.stored["pools"][0]["available_fen"] -= 10_000
    for table in ("vouchers", "allotments"):
        maker.stored[table][0]["face_fen"] += 10_000
        maker.stored[table][0]["balance_fen"] += 10_000
    maker.stored["vouchers"][0]["posting_count"] = 7


def a_refund_that_the_redemption_forgot(maker: PackMaker) -> None:
    """The refund's row is deleted and its redemption says that nothing came back, so all of it would be paid."""
    maker.stored["refunds"].clear()
    maker.stored["redemptions"][1]["refunded_fen"] = 0
    maker.stored["mandates"][0]["used_fen"] = 22_000


def a_refund_that_nobody_posted(maker: PackMaker) -> None:
    """2,000 of the first redemption are refunded in its row, and by no entry."""
    row = {"id": "rfd_330100_two", "redemption_id": "rdm_330100_one", "subsidy_refund_fen": 2_000, "entry_id": None}
    maker.stored["refunds"].append(row)
    maker.stored["redemptions"][0]["refunded_fen"] = 2_000
    maker.stored["mandates"][0]["used_fen"] = 17_000


def a_voucher_stored_twice(maker: PackMaker) -> None:
    maker.stored["vouchers"].append(maker.stored["vouchers"][0])


def a_pool_stored_twice(maker: PackMaker) -> None:
    maker.stored["pools"].append(maker.stored["pools"][0])


def an_allotment_stored_twice(maker: PackMaker) -> None:
    maker.stored["allotments"].append(maker.stored["allotments"][0])


def a_share_stored_twice(maker: PackMaker) -> None:
    maker.stored["hold_shares"].append(maker.stored["hold_shares"][0] | {"held_fen": 0})


def a_redemption_stored_twice(maker: PackMaker) -> None:
    maker.stored["redemptions"].append(maker.stored["redemptions"][0] | {"mandate_id": None})


def a_voucher_nobody_issued(maker: PackMaker) -> None:
    maker.stored["vouchers"].append(maker.stored["vouchers"][0] | {"id": OTHER_VOUCHER, "posting_count": 0})


def a_text_given_twice(maker: PackMaker) -> None:
    maker.story.texts.append(maker.story.texts[0])


def a_hold_of_another_voucher(maker: PackMaker) -> None:
    maker.story.entry("expire", posting("committed", "available", 5, 1, voucher=OTHER_VOUCHER), voucher=VOUCHER)


def a_row_without_its_amounts(maker: PackMaker) -> None:
    del maker.stored["holds"][0]["released_fen"]


def a_row_with_texts_for_amounts(maker: PackMaker) -> None:
    maker.stored["refunds"][0]["subsidy_refund_fen"] = "3000"


def rows_with_lists_for_ids(maker: PackMaker) -> None:
    for rows in maker.stored.values():
        rows.append({"id": [1], "mandate_id": {"a": 1}, "status": []})


def ids_of_two_kinds(maker: PackMaker) -> None:
    maker.stored["holds"].append(maker.stored["holds"][0] | {"id": 5, "mandate_id": 7, "held_fen": 9})


CRIMES: dict[Callable[[PackMaker], None], str] = {
    money_to_nobody: "payee",
    money_granted_twice: "approval_twice",
    a_voucher_topped_up: "issue",
    a_refund_that_the_redemption_forgot: "row_missing",
    a_refund_that_nobody_posted: "counter",
    a_voucher_stored_twice: "counter",
    a_pool_stored_twice: "counter",
    an_allotment_stored_twice: "counter",
    a_share_stored_twice: "counter",
    a_redemption_stored_twice: "counter",
    a_voucher_nobody_issued: "counter",
    a_text_given_twice: "text_unknown",
    a_hold_of_another_voucher: "voucher",
    a_row_without_its_amounts: "row_malformed",
    a_row_with_texts_for_amounts: "row_malformed",
    rows_with_lists_for_ids: "row_malformed",
    ids_of_two_kinds: "counter",
}


@pytest.mark.parametrize("crime", CRIMES, ids=lambda crime: crime.__name__)
def test_what_only_its_meaning_betrays_is_found(crime: Callable[[PackMaker], None], tmp_path: Path) -> None:
    maker = PackMaker()
    crime(maker)
    assert CRIMES[crime] in found(maker, tmp_path / "pack")


def rows(folder: Path, name: str, *lines: Any) -> None:
    (folder / REGION / name).write_bytes(
        b"".join(line if type(line) is bytes else compact(line) + b"\n" for line in lines)
    )
    list_again(folder)


FILES: dict[str, tuple[str, tuple[Any, ...], str]] = {
    "a head with a list for its size": ("checkpoints.jsonl", ({"size": [7], "note": 5},), "head_malformed"),
    "a head of a size with 5,000 digits": (
        "checkpoints.jsonl",
        ({"size": 7, "note": "o\n" + "9" * 5_000 + "\nAA==\n\n— o AAAAAAA=\n"},),
        "head_malformed",
    ),
    "a head in letters that are not base64": (
        "checkpoints.jsonl",
        ({"size": 7, "note": "o\n7\né\n\n— o é\n"},),
        "head_malformed",
    ),
    "a cosignature of a list": ("cosignatures.jsonl", ({"size": [7], "line": []},), "cosignature"),
    "rules that are a number": ("rules.jsonl", ({"id": 1, "rules": 2},), "rules_hash"),
    "a file that is no JSON": ("stored/holds.jsonl", (b"{\n",), "file_malformed"),
    "a list where an object belongs": ("stored/holds.jsonl", ([1],), "file_malformed"),
    "JSON without an end to its depth": ("stored/holds.jsonl", (b'{"id":' + b"[" * 100_000,), "file_malformed"),
    "texts of a list": ("texts/000000000000.jsonl", ({"entry": [1], "kind": {}, "text": None},), "text_unknown"),
}


@pytest.mark.parametrize("name", FILES)
def test_what_cannot_be_what_it_should_is_a_finding_and_no_traceback(name: str, tmp_path: Path) -> None:
    maker = PackMaker()
    folder = maker.write(tmp_path / "pack")
    place, lines, check = FILES[name]
    rows(folder, place, *lines)
    assert check in verify(folder, Options((maker.key.vkey,))).findings.counts


# -- a manifest that lies ---------------------------------------------------------------------------------------------


def manifest(folder: Path, **changes: Any) -> None:
    place = folder / "manifest.json"
    place.write_bytes(compact(json.loads(place.read_bytes()) | changes))


REGION_ROW: dict[str, Any] = {"region": REGION, "origin": "vouchers.example.gov.cn/330100", "size": 7, "unsealed": 0}

LIES: dict[str, tuple[dict[str, Any], str]] = {
    "a region twice": ({"regions": [REGION_ROW, REGION_ROW]}, "regions listed twice: 330100"),
    "a region that leads elsewhere": ({"regions": [REGION_ROW | {"region": "../../etc"}]}, "region"),
    "a size below zero": ({"regions": [REGION_ROW | {"size": -1}]}, "size"),
    "a size in words": ({"regions": [REGION_ROW | {"size": "7"}]}, "size"),
    "a file outside": ({"files": [{"path": "../x", "bytes": 1, "sha256": ""}]}, "leads out of the pack"),
    "a file twice": ({"files": [{"path": "x", "bytes": 1, "sha256": ""}] * 2}, "files listed twice: x"),
    "no leaves in a file": ({"leaves_per_file": 0}, "leaves_per_file"),
    "too many leaves in a file": ({"leaves_per_file": 10**12}, "leaves_per_file"),
}


@pytest.mark.parametrize("name", LIES)
def test_a_manifest_that_cannot_be_is_refused(name: str, tmp_path: Path) -> None:
    folder = PackMaker().write(tmp_path / "pack")
    change, told = LIES[name]
    manifest(folder, **change)
    with pytest.raises(UnreadablePack, match=told):
        verify(folder, Options())


def test_a_size_that_the_leaves_do_not_have_is_named(tmp_path: Path) -> None:
    folder = PackMaker().write(tmp_path / "pack")
    manifest(folder, regions=[REGION_ROW | {"size": 10**15}])
    assert {"leaves_count", "log_size"} <= set(verify(folder, Options()).findings.counts)


def test_a_pack_without_a_region_proves_nothing(tmp_path: Path) -> None:
    write_manifest(tmp_path, [], per_file=4)
    report = verify(tmp_path, Options())
    assert not report.is_right
    assert set(report.findings.counts) == {"empty", "file_missing"}, "and it has no keys"


def test_a_region_left_out_is_told_by_a_head_of_it(tmp_path: Path) -> None:
    maker = PackMaker()
    head = note(head_text(maker.written()), maker.key)
    folder = maker.write(tmp_path / "pack")
    manifest(folder, regions=[REGION_ROW | {"origin": "vouchers.example.gov.cn/330200"}])
    report = verify(folder, Options((maker.key.vkey,), (head,)))
    assert "vouchers.example.gov.cn/330100 7" in {
        one.subject for one in report.findings.kept if one.check == "log_missing"
    }


# -- archives ---------------------------------------------------------------------------------------------------------


def archive(folder: Path, place: Path) -> Path:
    with tarfile.open(place, "w") as tar:
        tar.add(folder, "pack")
    return place


def test_a_file_that_an_archive_has_twice_is_named(tmp_path: Path) -> None:
    place = archive(PackMaker().write(tmp_path / "pack"), tmp_path / "pack.tar")
    with tarfile.open(place, "a") as tar:
        tar.add(tmp_path / "pack" / "keys.txt", "pack/keys.txt")
    report = verify(place, Options())
    assert ("file_twice", "pack/keys.txt") in {(one.check, one.subject) for one in report.findings.kept}


def test_a_renamed_file_is_missed_and_not_listed(tmp_path: Path) -> None:
    folder = PackMaker().write(tmp_path / "pack")
    (folder / REGION / "rules.jsonl").rename(folder / REGION / "rule.jsonl")
    named = {(one.check, one.subject) for one in verify(folder, Options()).findings.kept}
    assert {("file_missing", f"{REGION}/rules.jsonl"), ("file_unlisted", f"{REGION}/rule.jsonl")} <= named


def test_an_archive_may_be_cut_anywhere(tmp_path: Path) -> None:
    whole = archive(PackMaker().write(tmp_path / "pack"), tmp_path / "pack.tar").read_bytes()
    place = tmp_path / "cut.tar"
    used = len(whole.rstrip(b"\0"))
    for length in range(0, used, used // 17):
        place.write_bytes(whole[:length])
        assert main([str(place)]) in {1, 2}, length


def test_a_file_of_a_terabyte_of_nothing_is_not_read(tmp_path: Path) -> None:
    folder = PackMaker().write(tmp_path / "pack")
    for name in ("leaves/000000000004.bin", "stored/holds.jsonl", "journal.beancount"):
        os.truncate(folder / REGION / name, 10**12)
    named = {one.subject: one.check for one in verify(folder, Options()).findings.kept}
    assert named[f"{REGION}/leaves/000000000004.bin"] in {"file_differs", "leaves_count"}
    assert named[f"{REGION}/stored/holds.jsonl"] == "file_differs"


# -- as an auditor calls it -------------------------------------------------------------------------------------------


def called(*arguments: object) -> tuple[int, str]:
    ran = CliRunner().invoke(app, ["verify", *map(str, arguments)])
    assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
    return ran.exit_code, ran.output


def test_what_is_no_pack_is_said_in_both_languages(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("?")
    (tmp_path / "empty").mkdir()
    (tmp_path / "pack.tar.gz").write_bytes(b"\x1f\x8b\x08" + bytes(50))
    for name, told in {
        "letter.txt": "不是文件夹，也不是完整、未压缩的 .tar / no folder, no whole and uncompressed .tar",
        "pack.tar.gz": "不是文件夹，也不是完整、未压缩的 .tar",
        "empty": "没有 manifest.json，不是完整的审计包 / no manifest.json in it: no pack, or not all of one",
        "nothing": "没有这个文件或文件夹 / there is no such file or folder",
    }.items():
        status, output = called(tmp_path / name)
        assert (status, told in output) == (2, True), output


def test_options_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    folder = PackMaker().write(tmp_path / "pack")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for option in ("--checkpoint", "--receipts"):
        for name in ("binary", "nothing"):
            status, output = called(folder, option, tmp_path / name)
            assert (status, name in output) == (2, True), output


def test_a_pack_is_verified_from_inside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PackMaker().write(tmp_path / "pack"))
    assert called(".")[0] == 0


def test_a_wrong_pack_can_be_replayed_without_a_traceback(tmp_path: Path) -> None:
    maker = PackMaker()
    rows_with_lists_for_ids(maker)
    status, output = called(maker.write(tmp_path / "pack"), "--replay", 5)
    assert (status, "[replay]" in output) == (1, True), output


def test_what_holds_for_many_regions_is_noted_once(tmp_path: Path) -> None:
    folder = PackMaker().write(tmp_path / "pack")
    empty = [{"region": f"33{number:02d}00", "origin": "", "size": 0, "unsealed": 0} for number in range(2, 6)]
    manifest(folder, regions=[REGION_ROW, *empty])
    _, output = called(folder)
    assert output.count("该地区尚无签名树头 / nothing of this region is sealed yet") == 1
    assert "  330200、330300、330400、330500：该地区尚无签名树头" in output
