"""A city that shows lists to the public, and people who object to them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import count
from typing import Any

import httpx
from sqlalchemy import text

from app.kernel.clock import civil_date, utc_now
from app.kernel.vocabulary import OrganisationKind, Role
from tests.world import THIS_YEAR, City, World, ok

_numbers = count(1)


def today() -> date:
    return civil_date(utc_now())


def load_years(world: World) -> None:
    """Tables of the years around today, so that the tests do not end with the last published one."""
    keeper = world.person(Role.REGISTRAR, world.organisation(OrganisationKind.REGISTRY, "330000"), "330000")
    for year in (THIS_YEAR, THIS_YEAR + 1):
        days = [{"day": f"{year}-{on}", "kind": "holiday", "name": "节"} for on in ("01-01", "05-01", "10-01")]
        if keeper.get(f"/v1/calendars/{year}").status_code == 404:
            ok(keeper.http.put(f"/v1/calendars/{year}", json={"document_no": "测试", "days": days}))


@dataclass(frozen=True)
class Showing:
    """An authority that draws up, publishes and ends notices."""

    city: City
    programme_id: str

    @property
    def world(self) -> World:
        return self.city.world

    def draw_up(self, subject: dict[str, Any], **changes: Any) -> httpx.Response:
        body = {
            "programme_id": self.programme_id,
            "subject": subject,
            "title": "2026年度算力券拟发放名单公示",
            "document_no": "杭经信〔2026〕9号",
            "contact": "杭州市经济和信息化局 0571-85250000",
        }
        return self.city.maker.http.post("/v1/public-notices", json=body | changes)

    def publish(self, subject: dict[str, Any], **changes: Any) -> str:
        notice_id: str = ok(self.draw_up(subject, **changes))["id"]
        ok(self.city.approve(self.city.maker.http.post(f"/v1/public-notices/{notice_id}/submit")))
        return notice_id

    def submitted_batch(self, *faces_fen: int) -> tuple[str, str]:
        """A batch that waits, and its approval."""
        rows = [
            {
                "reference_no": f"N{next(_numbers)}",
                "firm_id": self.world.firm(name=f"杭州{number}号公司"),
                "face_value_fen": fen,
            }
            for number, fen in enumerate(faces_fen, start=1)
        ]
        body = {
            "programme_id": self.programme_id,
            "declared_count": len(rows),
            "declared_total_fen": sum(faces_fen),
            "rows": rows,
        }
        submitted = ok(self.city.maker.post("/v1/issuance-batches", body))
        return submitted["batch_id"], submitted["approval_id"]

    def object_to(self, notice_id: str, item_no: int = 1, /, **changes: Any) -> httpx.Response:
        body = {"item_no": item_no, "text": "该企业与申报条件不符，请核查。"} | changes
        return self.world.anonymous().post(f"/v1/public-notices/{notice_id}/objections", json=body)

    def decide(self, notice_id: str, objection_id: str, outcome: str) -> httpx.Response:
        body = {"outcome": outcome, "reason": "经核查，予以答复。"}
        path = f"/v1/public-notices/{notice_id}/objections/{objection_id}/decide"
        return self.city.approve(self.city.maker.http.post(path, json=body))

    def end(self, notice_id: str, *, shown: bool = False) -> None:
        """Let the period be over now; `shown`: within the days for which it is still to be seen."""
        statement = (
            "UPDATE public_notices SET published_at = published_at - interval '90 days', ends_at = clock_timestamp(),"
            f" shown_until = clock_timestamp() + interval '{1 if shown else 0} day' WHERE id = :id"
        )
        self.world.database.transact(lambda tx: tx.execute(text(statement), {"id": notice_id}))


def showing(world: World, **changes: Any) -> Showing:
    load_years(world)
    city = world.city()
    return Showing(city, city.programme(**changes))
