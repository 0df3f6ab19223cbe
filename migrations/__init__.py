"""The schema, step by step. `upgrade` brings a database to the newest step."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, pool

ROOT = Path(__file__).resolve().parent


def configuration() -> Config:
    """Alembic's configuration, wherever the command is run from."""
    config = Config()
    config.set_main_option("script_location", str(ROOT).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def upgrade(owner_url: str) -> None:
    """Apply what is due, as the owner of the schema. Does nothing where nothing is due."""
    engine = create_engine(owner_url, poolclass=pool.NullPool)
    try:
        with engine.connect() as connection:
            config = configuration()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()
