"""Evil texts in every text field: nothing breaks, what is stored is what was sent, and nothing makes it run."""

from __future__ import annotations

import csv
import html
import io
import re
from typing import Any

import openpyxl  # type: ignore[import-untyped]  # ships no type information
import pytest

from app.main import openapi_document
from tests.applications.desk import Desk
from tests.contract.full_path import people
from tests.edges import injections
from tests.edges.injections import EVIL, FORMULA, SCRIPT
from tests.notices.showing import showing
from tests.world import Actor, World, ok

SOME_ID = "vch_330100_01m85r7edwejb9kg3szhzhwwdp"


def filled(template: str) -> str:
    return re.sub(r"\{\w+\}", SOME_ID, template)


def test_no_text_field_of_any_route_breaks_anything(shared_world: World) -> None:
    known = people(shared_world)
    document = openapi_document()
    tried: dict[str, set[int]] = {}
    actors: list[Actor] = list(known.values())
    for number, (method, path, operation, body) in enumerate(injections.bodies(document)):
        actor = known["maker"] if number % 2 else actors[number // 2 % len(actors)]
        answer = actor.http.request(method, filled(path), json=body, headers={"Idempotency-Key": f"evil-{number}"})
        assert answer.status_code < 500, (method, path, body, answer.text)
        assert "evil" not in answer.headers.get("set-cookie", "")
        tried.setdefault(operation, set()).add(answer.status_code)
    assert len(tried) > 60
    assert sum(bool(seen & {201, 200, 409, 422}) for seen in tried.values()) > 50  # most were read, not only refused


def test_no_query_field_breaks_anything(shared_world: World) -> None:
    maker = people(shared_world)["auditor"]
    for path, names in injections.queries(openapi_document()):
        for evil in EVIL[:: 3 if names else 6]:
            answer = maker.http.get(filled(path), params=dict.fromkeys(names, evil))
            assert answer.status_code < 500, (path, evil, answer.text)
            assert answer.headers["content-type"].startswith(("application/", "text/plain", "text/csv")), path


@pytest.mark.parametrize("evil", [*EVIL, "+1+1", "@SUM(1)", "-2+3", "\t=1", "\uff1d1+1"])
def test_an_application_says_what_was_written_wherever_it_is_shown(shared_world: World, evil: str) -> None:
    desk = Desk(shared_world.city())
    programme_id = desk.programme()
    firm = desk.firm(name=f"公司 {FORMULA}"[:60])
    sent = desk.apply(programme_id, firm, purpose=evil)
    if sent.status_code == 422:  # control characters, and more lines than a field takes
        assert any(character < " " for character in evil), sent.text
        return
    made: dict[str, Any] = ok(sent)
    assert made["purpose"] == evil.strip()  # the ends of a text are nobody's
    assert ok(firm.get(f"/v1/applications/{made['id']}"))["purpose"] == evil.strip()
    maker = desk.city.maker
    as_csv = exported(maker, programme_id, "csv")
    cells = [cell for row in csv.reader(io.StringIO(as_csv.decode("utf-8-sig"))) for cell in row]
    assert any(cell in {evil.strip(), f"'{evil.strip()}"} for cell in cells)
    assert not [
        cell
        for cell in cells
        if cell.startswith(("=", "+", "@", "\t", "\r", "\uff1d")) or re.match(r"-\D|-\d+\D", cell)
    ]
    xlsx = exported(maker, programme_id, "xlsx")
    for sheet in openpyxl.load_workbook(io.BytesIO(xlsx)):
        for row in sheet.iter_rows():
            assert not [cell.value for cell in row if cell.data_type == "f" or cell.hyperlink]


def exported(actor: Actor, programme_id: str, as_what: str) -> bytes:
    answer = actor.get("/v1/applications/export", programme_id=programme_id, format=as_what)
    assert answer.status_code == 200, answer.text
    return answer.content


def test_a_public_notice_shows_evil_names_as_text(shared_world: World) -> None:
    desk = showing(shared_world)
    names = [f"{evil[:50]}有限公司" for evil in (SCRIPT, injections.TEMPLATE, injections.SQL)]
    rows = [
        {"reference_no": f"E{number}", "firm_id": shared_world.firm(name=name), "face_value_fen": 100}
        for number, name in enumerate(names)
    ]
    body = {"programme_id": desk.programme_id, "declared_count": 3, "declared_total_fen": 300, "rows": rows}
    batch_id = ok(desk.city.maker.post("/v1/issuance-batches", body))["batch_id"]
    notice_id = desk.publish({"kind": "batch", "batch_id": batch_id}, title=f"公示 {SCRIPT}")
    page = shared_world.anonymous().get(f"/notices/{notice_id}").text
    for text in (*names, SCRIPT):
        assert html.escape(text, quote=True).replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in page
    assert "<script" not in page and "<img src=x" not in page and "49" not in re.findall(r"\{\{(.*?)\}\}", page)
