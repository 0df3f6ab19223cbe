"""The settings of the service, from the environment (prefix `VOUCHER_`) and nothing else."""

from __future__ import annotations

from datetime import time
from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """One object, made once in `create_app` or by the command line and passed down."""

    model_config = SettingsConfigDict(env_prefix="VOUCHER_", frozen=True, extra="ignore")

    database_url: str = Field(description="PostgreSQL as the service's role, which owns nothing.")
    state_dir: Path = Field(default=Path(".voucher"), description="Private folder of the signing keys.")
    public_url: str = Field(default="http://127.0.0.1:8000", description="Where clients reach the service; the issuer.")
    access_token_ttl_s: int = Field(default=600, ge=60, le=600)
    personal_token_ttl_s: int = Field(default=12 * 3600, ge=60, le=12 * 3600)
    dpop_nonce: bool = Field(default=False, description="Whether proofs of keys (DPoP) must carry the service's nonce.")
    principal_cache_s: int = Field(default=15, ge=0, le=60, description="How long a verified token is trusted unseen.")
    session_idle_s: int = Field(default=1800, ge=60)
    session_max_s: int = Field(default=12 * 3600, ge=60)
    staff_second_factor: bool = Field(
        default=True, description="Whether officials sign in with a second factor only; off for demonstrations."
    )
    step_up_max_age_s: int = Field(
        default=900, ge=60, le=12 * 3600, description="How old the proof of a person may be who decides an approval."
    )
    invitation_ttl_s: int = Field(default=7 * 24 * 3600, ge=60)
    pool_size: int = Field(default=10, ge=2, description="Database connections of one process.")
    desk_batch_limit: int = Field(default=200, ge=1, description="Commands in one transaction of the desk.")
    desk_queue_limit: int = Field(default=2000, ge=1000, description="Commands that may wait; past it, 503.")
    sweep_every_s: float = Field(default=5, gt=0, description="How often the money of expired holds is given back.")
    keep_answers_days: int = Field(
        default=400, ge=400, le=36_500, description="How long the body of an answer is kept for its repetition."
    )
    log_name: str = Field(default="", description="Name of the logs; default: the host of the public URL.")
    witnesses: str = Field(default="", description="Addresses of the logs' witnesses, with spaces between.")
    seal_promise_s: int = Field(default=86_400, ge=60, description="Within which a receipt promises to be sealed.")
    openid_file: Path | None = Field(
        default=None, description="The outside OpenID Connect providers at which people may sign in (TOML)."
    )
    reconcile_at: time | None = Field(
        default=time(2, 30), description="When all regions are reconciled each night, Asia/Shanghai; empty: never."
    )

    @field_validator("reconcile_at", mode="before")
    @classmethod
    def _empty_is_never(cls, given: object) -> object:
        return None if given == "" else given

    @field_validator("openid_file", mode="before")
    @classmethod
    def _empty_is_none(cls, given: object) -> object:
        return None if given == "" else given
