"""Goes the full path once and writes what was sent and answered as the examples of the contract."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import migrations
from app.api.documentation import EXAMPLES
from app.database import Database
from app.embedded import databases
from app.embedded.server import temporary
from app.reach import EVERYWHERE
from app.services.identity.tokens import Tokens
from app.settings import Settings
from tests.conftest import serving
from tests.contract.full_path import go, people
from tests.world import World, ok


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, temporary() as server:
        urls = databases.prepare(server, database="examples")
        migrations.upgrade(urls.owner_url)
        settings = Settings(database_url=urls.app_url, state_dir=Path(folder))
        database = Database(urls.app_url, reach=EVERYWHERE)
        with serving(settings) as base_url:
            world = World(base_url, database, Tokens.from_settings(settings))
            steps = _recorded(world)
            world.close()
        database.dispose()
    EXAMPLES.write_text(json.dumps(steps, ensure_ascii=False, indent=1) + "\n")


def _recorded(world: World) -> list[dict[str, Any]]:
    actors = people(world)
    steps: list[dict[str, Any]] = []

    def call(operation: str, actor: str, method: str, path: str, body: Any = None) -> Any:
        number = len(steps) + 1
        headers = {"Idempotency-Key": f"example-{number}"}
        response = actors[actor].http.request(method, path, json=body, headers=headers)
        answer = ok(response)
        steps.append(
            {
                "operation": operation,
                "actor": actor,
                "method": method,
                "path": path,
                "body": body,
                "status": response.status_code,
                "answer": answer,
            }
        )
        return answer

    go(call, actors)
    return [{"actors": {name: [a.id, a.organisation_id] for name, a in actors.items()}}, *steps]


if __name__ == "__main__":
    main()
