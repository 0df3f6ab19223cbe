"""The schema, step by step. `upgrade` brings a database to the newest step; `state_of` says how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, pool, text

ROOT = Path(__file__).resolve().parent


def configuration() -> Config:
    """Alembic's configuration, wherever the command is run from."""
    config = Config()
    config.set_main_option("script_location", str(ROOT).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


class NewerDatabase(Exception):
    """A newer version of the service has migrated this database to `found`; this one knows nothing beyond `newest`."""

    def __init__(self, found: str, newest: str) -> None:
        super().__init__(f"the database is at migration {found}, this version of the service ends at {newest}")
        self.found, self.newest = found, newest


@dataclass(frozen=True, slots=True)
class State:
    """How far a database has been migrated: None for an empty one; and how far this version would take it."""

    revision: str | None
    newest: str

    @property
    def due(self) -> bool:
        """Whether steps are missing."""
        return self.revision != self.newest


def newest() -> str:
    """The last step that this version of the service knows."""
    head = _scripts().get_current_head()
    assert head, "there are migrations"
    return head


def is_known(revision: str) -> bool:
    """Whether this version of the service has that step."""
    return any(script.revision == revision for script in _scripts().walk_revisions())


def state_of(url: str) -> State:
    """How far this database has been migrated, as its owner or as the service. Raises NewerDatabase."""
    engine = create_engine(url, poolclass=pool.NullPool)
    try:
        with engine.connect() as connection:
            found = None
            if connection.execute(text("SELECT to_regclass('public.alembic_version') IS NOT NULL")).scalar_one():
                found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    finally:
        engine.dispose()
    if found is not None and not is_known(found):
        raise NewerDatabase(found, newest())
    return State(found, newest())


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(configuration())


def upgrade(owner_url: str) -> None:
    """Apply what is due, as the owner of the schema. Does nothing where nothing is due. Raises NewerDatabase."""
    state_of(owner_url)
    engine = create_engine(owner_url, poolclass=pool.NullPool)
    try:
        with engine.connect() as connection:
            config = configuration()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()
