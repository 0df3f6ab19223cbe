"""Allocation rounds and waiting lists from the shell: a list, a draw, an approval, the next in line, the record."""

from __future__ import annotations

import hashlib
import json

from app.services.sheets.workbook import read_worksheets
from tests.allocation.rounds import ANNOUNCEMENT, faces, frozen_lottery, programme, rows_of
from tests.allocation.sheets import list_of
from tests.cli.test_office import Shell, city, shell
from tests.issuance.test_batches import firm_of
from tests.world import City, World

__all__ = ["city", "shell"]

SEED = "03 11 17 21 28 30 09"


def test_a_list_is_frozen_served_and_its_waiting_ended(world: World, city: City, shell: Shell) -> None:
    programme_id = programme(city, 100_050, on_exhaustion="waitlist")
    request = shell.folder / "round.json"
    request.write_text(json.dumps({"title": "第一轮", "rows": rows_of(world, 100_000, 50, 7_000, 9_000)}), "utf-8")
    shell.become(city.maker)
    create = ("allocation", "create", programme_id, "--body", str(request))
    preview = shell.json(*create, "--dry-run")
    assert (preview["id"], preview["granted_total_fen"], preview["waiting_total_fen"]) == (None, 100_050, 16_000)
    assert shell.json("allocation", "list")["data"] == []
    told = shell.run(*create, "--dry-run", "--table")
    assert "1,000.50" in told and "额度不足" in told
    assert shell.end("allocation", "create", programme_id, "--title", "第一轮") == 2
    assert shell.end(*create, "--budget-yuan", "500") == 2  # a body says all: nothing is passed over in silence
    none = shell.end("allocation", "create", programme_id, "--title", "第一轮", "--applications", "--dry-run")
    assert none == 1  # nobody has applied

    round_id = shell.json(*create, "--idempotency-key", "round-1")["id"]
    assert shell.json(*create, "--idempotency-key", "round-1")["id"] == round_id
    assert shell.json("allocation", "show", round_id)["status"] == "frozen"
    asked = shell.json("allocation", "cancel", round_id, "--reason", "名单有误")
    shell.become(city.checker)
    shell.run("approvals", "reject", asked["id"], "--reason", "名单无误", "--yes")
    shell.become(city.maker)
    assert shell.json("allocation", "submit", round_id, "--dry-run")["round_id"] == round_id
    asked = shell.json("allocation", "submit", round_id)
    shell.become(city.checker)
    shell.run("approvals", "approve", asked["id"], "--yes")
    shell.become(city.maker)
    assert "已执行" in shell.run("allocation", "show", round_id, "--table")
    found = shell.json("allocation", "candidates", round_id)["data"]
    assert [(one["reference_no"], one["granted_fen"], one["waits_fen"]) for one in found] == [
        ("A", 100_000, 0),
        ("B", 50, 0),
        ("C", 0, 7_000),
        ("D", 0, 9_000),
    ]
    assert sorted(faces(city, programme_id).values()) == [50, 100_000]

    city.fund(programme_id, 8_000)
    promote = ("allocation", "waitlist", "promote", programme_id)
    preview = shell.json(*promote, "--dry-run")
    assert (preview["total_fen"], preview["left_waiting"], preview["approval_id"]) == (7_000, 1, None)
    assert shell.end(*promote, "--limit-yuan", "69.99") == 1
    asked = shell.json(*promote)
    shell.become(city.checker)
    shell.run("approvals", "approve", asked["approval_id"], "--yes")
    shell.become(city.maker)
    waiting = shell.json("allocation", "waitlist", "list", programme_id)["data"]
    assert [(one["reference_no"], one["waits_fen"]) for one in waiting] == [("D", 9_000)]
    end = ("allocation", "waitlist", "end", programme_id, "--reason", "项目结束")
    assert shell.end(*end) == 2
    asked = shell.json(*end, "--reference-no", "D")
    shell.become(city.checker)
    shell.run("approvals", "approve", asked["id"], "--yes")
    assert shell.json("allocation", "waitlist", "list", programme_id)["data"] == []
    assert world.differences() == []


def test_a_lottery_is_drawn_after_asking_and_its_record_computed_again(world: World, city: City, shell: Shell) -> None:
    programme_id = programme(city, 100, method="lottery")
    round_ = frozen_lottery(city, programme_id, rows_of(world, 100, 100))
    shell.become(city.maker)
    assert ANNOUNCEMENT in shell.run("allocation", "show", round_.id, "--table")
    draw = ("allocation", "draw", round_.id, "--seed", SEED)
    assert shell.end(*draw) == 2  # nobody is there to be asked
    assert shell.json(*draw, "--yes")["seed"] == SEED
    asked = shell.json("allocation", "submit", round_.id)
    shell.become(city.checker)
    shell.run("approvals", "approve", asked["id"], "--yes")
    record = shell.folder / "record.json"
    record.write_text(shell.run("allocation", "record", round_.id), "utf-8")
    won = min("AB", key=lambda number: hashlib.sha256(f"{SEED}\n{number}".encode()).hexdigest())
    awards = json.loads(record.read_text("utf-8"))["awards"]
    assert [one["reference_no"] for one in awards if one["granted_fen"]] == [won]
    shell.run("allocation", "replay", str(record), "--noted", round_.proposed["frozen_sha256"])


def test_a_list_from_a_sheet_is_corrected_by_its_annotated_copy_and_frozen_once(
    world: World, city: City, shell: Shell
) -> None:
    programme_id = programme(city, 15_000, method="ranked")
    firms = [firm_of(world) for _ in range(2)]
    shell.become(city.maker)
    template = shell.folder / "模板.xlsx"
    assert shell.json("allocation", "template", programme_id, str(template))["file"] == str(template)
    assert shell.end("allocation", "template", programme_id, str(template)) == 1  # nothing is written over
    sheet = shell.folder / "名单.xlsx"
    sheet.write_bytes(list_of(firms, 100, 100, score=[90, ""]))
    create = ("allocation", "create", programme_id, "--title", "第一轮", "--sheet", str(sheet), "--count", "2")
    assert shell.end(*create) == 2  # the total is declared, too
    assert shell.end(*create, "--total-yuan", "200", "--applications") == 2
    declared = (*create, "--total-yuan", "200")
    assert shell.end(*declared, "--dry-run") == 1
    copy = shell.folder / "名单-校验结果.xlsx"
    page = next(read_worksheets(copy.read_bytes())).cells
    assert "E 评分" in str(page[2][-1]) and page[1][-1] == ""

    sheet.write_bytes(list_of(firms, 100, 100, score=[90, 95.5]))
    preview = shell.json(*declared, "--dry-run")
    assert [(one["reference_no"], one["granted_fen"]) for one in preview["awards"]] == [("B", 10_000), ("A", 5_000)]
    made = shell.json(*declared)
    assert shell.end(*declared) == 1  # the same file gives nothing twice
    assert [one["id"] for one in shell.json("allocation", "list")["data"]] == [made["id"]]
