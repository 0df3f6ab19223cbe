"""The demonstration's memory beside the database, `demo.json` (0600): what the database does not tell a second time."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from app.cli.lanes import Place
from app.embedded.private import write_private

FILE = "demo.json"


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine client of a provider with its secret."""

    provider: str
    client_id: str
    client_secret: str


@dataclass(slots=True)
class DemoState:
    """Saved after each change: all of it or nothing."""

    path: Path
    year: int
    """The fiscal year the province was founded in; its programmes stay those of that year."""
    machines: dict[str, Machine] = field(default_factory=dict)
    """By the key of the provider."""
    places: list[Place] = field(default_factory=list)
    """The compute vouchers, in the order in which a replay chooses among them."""
    signins_shown: bool = False

    @property
    def secrets(self) -> dict[str, str]:
        """The machines' secrets by client id."""
        return {machine.client_id: machine.client_secret for machine in self.machines.values()}

    def save(self) -> None:
        """Write it down, readable by the owner alone."""
        kept = {name: value for name, value in asdict(self).items() if name != "path"}
        write_private(self.path, json.dumps(kept, ensure_ascii=False, indent=2))


def load_state(folder: Path, *, year: int) -> DemoState:
    """What is known, or an empty beginning in `year`."""
    path = folder / FILE
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return DemoState(path, year)
    kept["places"] = [Place(place["voucher_code"], tuple(place["client_ids"])) for place in kept["places"]]
    kept["machines"] = {key: Machine(**machine) for key, machine in kept["machines"].items()}
    return DemoState(path, **kept)
