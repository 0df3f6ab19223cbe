"""Public notices from the shell, from the draft to the answer to an objection."""

from __future__ import annotations

from app.client import VoucherClient
from tests.cli.test_office import Shell, shell
from tests.notices.showing import showing
from tests.world import Actor, World, ok

__all__ = ["shell"]


def token(actor: Actor) -> str:
    return actor.http.headers["Authorization"].removeprefix("Bearer ")


def test_a_notice_from_its_draft_to_an_answered_objection(world: World, shell: Shell) -> None:
    desk = showing(world)
    city = desk.city
    batch_id, _ = desk.submitted_batch(100_00, 250_50)
    shell.become(city.maker)
    create = (
        *("notice", "create", "--programme", desk.programme_id, "--title", "拟发放名单公示"),
        *("--document-no", "杭经信〔2026〕9号", "--contact", "0571-85250000"),
    )
    assert shell.end(*create) == 2  # of what?
    assert shell.end(*create, "--batch", batch_id, "--kind", "vouchers") == 2
    assert shell.end(*create, "--kind", "batch") == 2
    assert shell.json(*create, "--batch", batch_id, "--dry-run")["body"]["subject"]["kind"] == "batch"
    assert shell.json("notice", "list")["data"] == []
    given_up = shell.json(*create, "--batch", batch_id)["id"]
    assert shell.json("notice", "withdraw", given_up, "--reason", "标题有误")["notice"]["status"] == "withdrawn"
    draft = shell.json(*create, "--batch", batch_id, "--working-days", "7")
    assert (draft["status"], draft["item_count"], draft["total_fen"], draft["working_days"]) == ("draft", 2, 350_50, 7)
    notice_id = draft["id"]
    asked = shell.json("notice", "submit", notice_id)["approval"]
    shell.become(city.checker)
    shell.run("approvals", "approve", asked["id"], "--yes")
    assert "公示中" in shell.run("notice", "show", notice_id, "--table")

    with world.anonymous() as anybody:
        sent = {"item_no": 2, "text": "该企业与申报条件不符，请核查。", "name": "张三"}
        objection = ok(anybody.post(f"/v1/public-notices/{notice_id}/objections", json=sent))["objection_id"]
    shell.become(city.maker)
    assert [one["id"] for one in shell.json("notice", "objections", notice_id)["data"]] == [objection]
    assert [one["status"] for one in shell.json("notice", "items", notice_id)["data"]] == ["listed", "frozen"]
    decide = ("notice", "decide", notice_id, objection, "--reason", "经核查，情况属实。")
    assert shell.end(*decide, "--outcome", "open") == 2
    asked = shell.json(*decide, "--outcome", "upheld")
    shell.become(city.checker)
    shell.run("approvals", "approve", asked["id"], "--yes")
    assert [one["status"] for one in shell.json("notice", "items", notice_id)["data"]] == ["listed", "removed"]
    assert "成立" in shell.run("notice", "objections", notice_id, "--table")

    with VoucherClient(world.base_url) as anybody_else:
        assert [one.item_no for one in anybody_else.shown_notices.items(notice_id)] == [1]
        assert anybody_else.shown_notices.objection(notice_id, objection).reason == "经核查，情况属实。"
    with VoucherClient(world.base_url, token=token(city.maker)) as client:
        objections = client.public_notices.objections
        assert objections.sender(notice_id, objection, purpose="核实异议").name == "张三"
        objections.erase_sender(notice_id, objection)
        assert [one.sender for one in objections.list(notice_id)] == [None]
