"""Applications from the shell, from the queue to the vouchers."""

from __future__ import annotations

from tests.applications.desk import Desk
from tests.cli.test_office import Shell, city, shell
from tests.world import City, World, ok

__all__ = ["city", "shell"]


def test_applications_from_the_queue_to_vouchers(world: World, city: City, shell: Shell) -> None:
    desk = Desk(city)
    programme = desk.programme()
    first, second, third = (ok(desk.apply(programme))["id"] for _ in range(3))
    shell.become(city.maker)
    assert {one["id"] for one in shell.json("application", "list")["data"]} == {first, second, third}
    assert shell.json("application", "counts")["statuses"]["submitted"] == 3
    for application in (first, second, third):
        assert shell.json("application", "accept", application)["status"] == "accepted"
    back = shell.json("application", "return", third, "--reason", "材料不全", "--item", "合同缺页", "--days", "5")
    assert (back["status"], back["correction_items"]) == ("correction", ["合同缺页"])
    assert "合同缺页" in shell.run("application", "show", third, "--table")
    for application in (first, second):
        assessed = ("assess", application, "--amount-yuan", "3,000.5", "--reason", "按合同核定")
        assert shell.json("application", *assessed)["assessed_fen"] == 300_050
    asked = shell.json("application", "approve", first, second)
    assert (asked["count"], asked["total_fen"]) == (2, 600_100)
    assert shell.end("application", "reject", first, "--reason", "不符") == 1
    refused = shell.json("application", "reject", third, "--reason", "逾期未补正")
    assert (refused["kind"], refused["status"]) == ("reject_application", "pending")
    sheet = shell.folder / "申领.xlsx"
    shell.run("application", "export", str(sheet))
    assert sheet.read_bytes()[:2] == b"PK"
    shell.become(city.checker)
    shell.run("approvals", "approve", asked["approval_id"], "--yes")
    shell.run("approvals", "approve", refused["id"], "--yes")
    assert shell.json("application", "show", third)["decision_reason"] == "逾期未补正"
    assert len(shell.json("voucher", "list", "--programme", programme)["data"]) == 2
    assert world.differences() == []


def test_several_are_rejected_in_one_approval(city: City, shell: Shell) -> None:
    desk = Desk(city)
    programme = desk.programme()
    several = [desk.accepted(programme) for _ in range(2)]
    shell.become(city.maker)
    reject = ("application", "reject", *several, "--reason", "不属于支持范围")
    assert shell.json(*reject, "--dry-run")["application_ids"] == several
    asked = shell.json(*reject)
    assert (asked["kind"], asked["effect"]["count"]) == ("reject_application", 2)
    assert shell.end("application", "waitlist", *several, "--reason", "额度不足") == 1
    shell.become(city.checker)
    shell.run("approvals", "approve", asked["id"], "--yes")
    assert {shell.json("application", "show", one)["decision_reason"] for one in several} == {"不属于支持范围"}
