"""Documents sent in, named in an application, and read by who may."""

from __future__ import annotations

import hashlib
import os
from typing import Any

import httpx
import pytest

from app.cli.output import Failure
from app.cli.uploads import check
from app.database import Database
from app.embedded.databases import Urls
from app.services.uploads.store import store_in
from app.services.uploads.uploads import with_rows
from app.settings import Settings
from tests.applications import papers
from tests.applications.desk import Desk
from tests.world import HANGZHOU, NINGBO, Actor, World, ok, problem

MIB = 1024 * 1024


def send(firm: Actor, content: bytes, *, name: str = "合同.pdf", region_code: str = HANGZHOU) -> httpx.Response:
    files = {"file": (name, content, "application/pdf")}
    return firm.http.post("/v1/uploads", data={"region_code": region_code}, files=files)


def test_a_document_is_taken_in_once_and_saved_under_its_hash(desk: Desk) -> None:
    firm, content = desk.firm(), papers.pdf("一次")
    first = send(firm, content)
    again = send(firm, content, name="另一个名字.pdf")
    assert (first.status_code, again.status_code) == (201, 200)
    assert (ok(again)["id"], ok(again)["repeated"], ok(again)["file_name"]) == (ok(first)["id"], True, "合同.pdf")
    assert ok(first)["sha256"] == hashlib.sha256(content).hexdigest()
    other = ok(send(desk.firm(), content))
    assert other["id"] != ok(first)["id"], "another firm's is its own, although the bytes lie there once"


def test_a_document_is_saved_by_a_browser_and_never_shown(desk: Desk) -> None:
    firm = desk.firm()
    name = 'a"\r\nX-Evil: 1\\..\\合同.exe'
    upload = ok(send(firm, papers.png(), name=name))
    assert upload["file_name"] == "合同.exe.png"
    answer = firm.get(f"/v1/uploads/{upload['id']}/content")
    assert answer.content == papers.png()
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-disposition"].startswith("attachment; ")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "x-evil" not in answer.headers


def test_what_is_no_document_is_refused_and_kept_nowhere(world: World, settings: Settings) -> None:
    firm = Desk(world.city()).firm()
    for content, name, status, code in (
        (b"", "空.pdf", 422, "document_unreadable"),
        (b"MZ" + bytes(100), "合同.pdf", 415, "document_type_refused"),
        (b"<html></html>", "图.png", 415, "document_type_refused"),
        (papers.png() + b"<html></html>", "图.png", 422, "document_unreadable"),
    ):
        refused = problem(send(firm, content, name=name), status, code)
        assert refused["detail"] and refused["errors"][0]["pointer"] == "/file"
    left = [path.name for path in (settings.state_dir / "uploads").rglob("*") if path.is_file()]
    assert left == ["lock"]


def test_twenty_mebibytes_are_taken_and_a_byte_more_is_not(desk: Desk) -> None:
    firm = desk.firm()
    frame = len(papers.pdf(""))
    assert ok(send(firm, papers.pdf("x" * (20 * MIB - frame))))["size"] == 20 * MIB
    problem(send(firm, papers.pdf("x" * (20 * MIB - frame + 1))), 413, "body_too_large")


def test_papers_are_read_by_who_sees_the_application_and_each_reading_is_told(desk: Desk, shared_world: World) -> None:
    firm, stranger = desk.firm(), desk.firm()
    upload = ok(send(firm, papers.pdf("谁看过")))
    content = f"/v1/uploads/{upload['id']}/content"
    problem(desk.city.maker.get(content), 404, "not_found")
    documents = [{"document": "other", "upload_id": upload["id"]}]
    problem(desk.apply(desk.programme(), stranger, documents=documents), 404, "not_found")
    application = ok(desk.apply(desk.programme(), firm, documents=documents))
    assert application["documents"][0]["sha256"] == upload["sha256"]
    assert desk.city.maker.get(content).content == papers.pdf("谁看过")
    for nobody in (stranger, shared_world.city(NINGBO).maker, shared_world.city().maker):
        problem(nobody.get(content), 404, "not_found")
        problem(nobody.get(f"/v1/uploads/{upload['id']}"), 404, "not_found")
    query = "SELECT string_agg(principal_id, ' ') FROM audit_events WHERE action = 'evidence.read' AND object_id = %s"
    assert desk.stored(query, upload["id"]) == desk.city.maker.id
    facts = desk.events(application["id"])[1]["facts"]
    assert facts["documents"] == [
        {"document": "other", "sha256": upload["sha256"], "size": upload["size"], "type": "pdf"}
    ]


def test_officials_send_no_papers_and_forms_are_read_as_they_must_be(desk: Desk) -> None:
    firm = desk.firm()
    problem(send(desk.city.maker, papers.pdf()), 403, "forbidden")
    problem(send(firm, papers.pdf(), region_code="999999"), 422, "validation_failed")
    problem(firm.http.post("/v1/uploads", json={}), 415, "unsupported_media_type")
    two = [("file", ("a.pdf", papers.pdf())), ("file", ("b.pdf", papers.pdf()))]
    problem(firm.http.post("/v1/uploads", data={"region_code": HANGZHOU}, files=two), 400, "malformed_request")
    problem(firm.http.post("/v1/uploads", data={"region_code": HANGZHOU}), 415, "unsupported_media_type")


def test_what_nobody_names_is_swept_and_what_is_lost_is_told(
    world: World,
    settings: Settings,
    urls: Urls,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    firm, store = Desk(world.city()).firm(), store_in(settings.state_dir)
    upload = ok(send(firm, papers.pdf("留下")))
    with store.storing(), (settings.state_dir / "orphan").open("w+b") as file:
        file.write(papers.png())
        file.seek(0)
        orphan = store.put(file)
    unfinished = settings.state_dir / "uploads" / "incoming" / "half"
    unfinished.write_bytes(b"half")
    os.utime(unfinished, (0, 0))
    assert store.holds(orphan.sha256)

    def known(hashes: Any) -> Any:
        return database.transact(lambda tx: with_rows(tx, hashes))

    assert (store.sweep(known), store.holds(orphan.sha256), unfinished.exists()) == (2, False, False)
    assert store.holds(upload["sha256"])
    monkeypatch.setenv("VOUCHER_DATABASE_URL", urls.app_url)
    monkeypatch.setenv("VOUCHER_STATE_DIR", str(settings.state_dir))
    check()
    path = settings.state_dir / "uploads" / upload["sha256"][:2] / upload["sha256"]
    path.chmod(0o600)
    path.write_bytes(papers.pdf("换掉"))
    problem(firm.get(f"/v1/uploads/{upload['id']}/content"), 409, "document_lost")
    with pytest.raises(Failure, match="1 份材料"):
        check()
    assert upload["id"] in capsys.readouterr().out
