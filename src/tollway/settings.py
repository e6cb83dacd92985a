"""Every setting, read once at start from the environment; one frozen class, no globals.

Secrets have no defaults. In development they are made once and kept in the data folder; with
ENVIRONMENT=production whatever is missing, a published sample or weak is refused, all of it named at once.
"""

import base64
import contextlib
import importlib.util
import ipaddress
import json
import os
import re
import secrets
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

SECRET_LENGTH_MIN = 32
# Fewer different characters than this in a secret is a pattern, not randomness.
DIFFERENT_CHARACTERS_MIN = 10
# What guides print; anyone who reads them knows these.
SAMPLE_PARTS = ("change-me", "changeme", "your-", "your_", "example", "sample", "placeholder", "super-secret",
                "12345678901234567890", "abcdefghijklmnopqrstuvwxyz", "dev-secret", "password")  # fmt: skip


SET_MARK = "set, not shown"
NOT_SET_MARK = "not set"
DURATION = re.compile(r"(?P<number>[0-9]{1,9})(?P<unit>[smhd]?)")
DASK_ADDRESS = re.compile(r"(tcp|tls)://([\w.-]+|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}")
REDIS_SCHEMES = ("redis://", "rediss://", "unix://")
SECONDS_OF_UNIT = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}


class SettingsRefused(Exception):
    """The environment does not make a server that may run; `faults` has one sentence for each reason."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


def default_data_folder() -> Path:
    """Return where data live when TOLLWAY_DATA is not set: a place that needs no parent folder changed."""
    if os.geteuid() == 0:
        return Path("/var/lib/tollway")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "tollway"


class Settings(BaseSettings):
    """The settings by their names in the environment (lower case here, upper case there)."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_file=None, populate_by_name=True)

    environment: Literal["development", "production", "test"] = Field(
        "development", validation_alias=AliasChoices("ENVIRONMENT", "NODE_ENV")
    )
    host: str = "127.0.0.1"
    port: int = Field(6789, ge=1, le=65535)
    gateway_url: str = Field(
        "", description="The address customers see; http://localhost:PORT where it is empty."
    )
    tollway_data: Path = Field(default_factory=default_data_folder)
    database_url: SecretStr = Field(
        SecretStr(""), description="Empty: the embedded PostgreSQL in the data folder."
    )
    blob_url: str = Field(
        "", description="Empty: files in the data folder; else s3://, gs:// or az:// of a bucket."
    )

    jwt_secret: SecretStr = SecretStr("")
    jwt_expires_in_seconds: int = Field(
        3_600,
        ge=60,
        le=86_400,
        validation_alias=AliasChoices("JWT_EXPIRES_IN", "jwt_expires_in_seconds"),
        description="How long an access token works: seconds, or 15m, 1h, 1d.",
    )
    encryption_key: SecretStr = SecretStr("")

    smtp_host: str = Field("", description="Empty: mails stay in the development outbox at /outbox.")
    smtp_port: int = Field(587, ge=1, le=65535)
    smtp_username: str = ""
    smtp_password: SecretStr = SecretStr("")
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    mail_from: str = "Tollway <no-reply@localhost>"
    support_email: str = "support@localhost"

    alert_webhook_url: str = Field(
        "",
        max_length=2_000,
        pattern=r"^(https?://\S+)?$",
        description="A server of yours that alerts are sent to.",
    )
    alert_webhook_secret: SecretStr = Field(
        SecretStr(""), validate_default=True, description="Signs what is sent there; needed with the address."
    )

    redis_url: SecretStr = Field(
        SecretStr(""), description="Where limits are shared over machines; empty: on this machine alone."
    )
    server_processes: int = Field(1, ge=1, le=256, description="Processes that serve HTTP on PORT.")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    max_requests_per_minute: int = Field(1000, ge=1, description="Per client address, over every endpoint.")
    free_trial_days: int = Field(14, ge=1, le=365)
    usage_log_days: int = Field(
        400, ge=32, le=36_500, description="Days that single calls and sums by hour are kept."
    )
    worker_processes: int = Field(
        0, ge=0, le=256, description="Processes that compute runs; 0: one for each core."
    )
    reserved_workers: int = Field(
        0,
        ge=0,
        le=255,
        description="So many of them compute only runs of plans with reserved workers; one is left for everybody.",
    )
    dask_scheduler: str = Field(
        "",
        max_length=300,
        description="The scheduler of a Dask cluster that computes runs; empty: processes of this machine.",
    )
    trusted_proxies: Annotated[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...], NoDecode] = ()
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()

    enable_metrics: bool = Field(
        True, description="Whether metrics and the health of single parts can be read."
    )
    metrics_token: SecretStr = Field(
        SecretStr(""), description="What readers of metrics send; empty: their address decides."
    )
    metrics_networks: Annotated[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...], NoDecode] = Field(
        (), description="Who may read metrics without a token, beside this machine."
    )
    webhook_allow_private: bool = Field(
        default=False,
        description="Deliver webhooks to private addresses and this machine too; for development alone.",
    )

    @field_validator("trusted_proxies", "cors_origins", "metrics_networks", mode="before")
    @classmethod
    def split_list(cls, value: object) -> object:
        """Read `a, b` as two."""
        return (
            tuple(part.strip() for part in value.split(",") if part.strip())
            if isinstance(value, str)
            else value
        )

    @field_validator("alert_webhook_secret")
    @classmethod
    def check_alert_secret(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        """Refuse an address for alerts without a secret to sign them with."""
        if info.data.get("alert_webhook_url") and len(value.get_secret_value()) < SECRET_LENGTH_MIN:
            raise ValueError(
                f"ALERT_WEBHOOK_URL needs a secret of at least {SECRET_LENGTH_MIN} characters beside it. "
                "Make one with `tollway keygen`."
            )
        return value

    @field_validator("jwt_expires_in_seconds", mode="before")
    @classmethod
    def read_duration(cls, value: object) -> object:
        """Read `1h` as 3600."""
        match = DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
        return int(match["number"]) * SECONDS_OF_UNIT[match["unit"]] if match else value

    @field_validator("redis_url")
    @classmethod
    def check_redis_url(cls, value: SecretStr) -> SecretStr:
        """Refuse an address that is none of Redis."""
        if value.get_secret_value() and not value.get_secret_value().startswith(REDIS_SCHEMES):
            raise ValueError(f"expected an address that begins with one of {', '.join(REDIS_SCHEMES)}")
        return value

    @field_validator("dask_scheduler")
    @classmethod
    def check_dask_scheduler(cls, value: str) -> str:
        """Refuse an address that is none of a scheduler, and any where the package that speaks to it is missing."""
        if value and not DASK_ADDRESS.fullmatch(value):
            raise ValueError(
                "expected the address of a Dask scheduler with its port, as tcp://host:8786 or tls://host:8786"
            )
        if value and importlib.util.find_spec("distributed") is None:
            raise ValueError(
                'the package that speaks to Dask is not installed: pip install "tollway[dask]", or unset it'
            )
        return value

    @field_validator("metrics_token")
    @classmethod
    def refuse_short_token(cls, value: SecretStr) -> SecretStr:
        """Refuse a token that can be guessed; none at all is no token."""
        if 0 < len(value.get_secret_value()) < SECRET_LENGTH_MIN:
            raise ValueError(
                f"shorter than {SECRET_LENGTH_MIN} characters; make one with `tollway keygen`, or leave it empty"
            )
        return value

    @field_validator("environment", "log_level", mode="before")
    @classmethod
    def lower(cls, value: object) -> object:
        """Read `INFO` as `info`."""
        return value.lower() if isinstance(value, str) else value

    @property
    def base_url(self) -> str:
        """The address customers see, without a slash at its end."""
        return self.gateway_url.rstrip("/") or f"http://localhost:{self.port}"

    @property
    def secure(self) -> bool:
        """Whether customers come over HTTPS."""
        return self.base_url.startswith("https://")

    @property
    def journal_folder(self) -> Path:
        """Where processes write what they served, until it is carried to PostgreSQL."""
        return self.tollway_data / "journal"

    @property
    def counters_folder(self) -> Path:
        """Where the processes of this machine count what they do."""
        return self.tollway_data / "counters"

    @property
    def scratch_folder(self) -> Path:
        """Where servers and workers keep temporary files: uploads under way, shards of a run that is summed up."""
        return self.tollway_data / "scratch"

    @property
    def production(self) -> bool:
        """Whether strangers' money and data are at stake."""
        return self.environment == "production"


def read_settings() -> Settings:
    """Read the environment, and in development add the secrets of the data folder.

    Raises: SettingsRefused, naming everything that is wrong.
    """
    try:
        settings = Settings()
    except ValidationError as failure:
        raise SettingsRefused(
            [f"{str(one['loc'][0]).upper()}: {one['msg']}{_given(one)}" for one in failure.errors()]
        ) from failure
    if settings.production:
        if faults := production_faults(settings):
            raise SettingsRefused(faults)
        return settings
    faults = [
        f"{name} is shorter than {SECRET_LENGTH_MIN} characters."
        for name, value in _secrets_of(settings).items()
        if 0 < len(value) < SECRET_LENGTH_MIN
    ]
    if faults:
        raise SettingsRefused(faults)
    return _with_development_secrets(settings)


def _given(fault: ErrorDetails) -> str:
    """Say what was given instead; never a secret, however wrong it is."""
    field = Settings.model_fields.get(str(fault["loc"][0]))
    return "" if field is not None and field.annotation is SecretStr else f" (got {fault['input']!r})"


def shown_settings(settings: Settings) -> list[tuple[str, str, str]]:
    """Write every setting for administrators to see: its name, its value and what it is; no secret is shown."""
    shown = []
    for name, field in Settings.model_fields.items():
        value: Any = getattr(settings, name)
        if isinstance(value, SecretStr):
            text = SET_MARK if value.get_secret_value() else NOT_SET_MARK
        elif isinstance(value, tuple):
            text = ", ".join(map(str, value)) or NOT_SET_MARK
        else:
            text = str(value) if value != "" else NOT_SET_MARK
        alias = field.validation_alias
        written = str(alias.choices[0]) if isinstance(alias, AliasChoices) else name
        shown.append((written.upper(), text, field.description or ""))
    return sorted(shown)


def production_faults(settings: Settings) -> list[str]:
    """Say which secrets keep these settings from serving strangers (C7, X16)."""
    given = _secrets_of(settings)
    faults = [fault for name, value in given.items() for fault in _secret_faults(name, value)]
    if not faults and len(set(given.values())) < len(given):
        faults.append("JWT_SECRET and ENCRYPTION_KEY are the same: whoever learns one has both.")
    if settings.webhook_allow_private:
        faults.append(
            "WEBHOOK_ALLOW_PRIVATE is set: customers could have this server call machines of its own network. Unset it."
        )
    return faults


def production_advice(settings: Settings) -> list[str]:
    """Say what else an owner should set before strangers come; the server starts without it."""
    advice = []
    if not settings.secure:
        advice.append("GATEWAY_URL should be the https:// address that customers use.")
    elif not settings.trusted_proxies:
        advice.append(
            "TRUSTED_PROXIES is missing: whoever ends HTTPS in front of this server must be named there, or every "
            "request seems to come over HTTP, and from one address."
        )
    if not settings.smtp_host:
        advice.append("SMTP_HOST is missing: no customer gets the mail that verifies an address.")
    if not settings.database_url.get_secret_value():
        advice.append("DATABASE_URL is missing: the embedded database has no backup of its own.")
    return advice


def _secrets_of(settings: Settings) -> dict[str, str]:
    return {
        "JWT_SECRET": settings.jwt_secret.get_secret_value(),
        "ENCRYPTION_KEY": settings.encryption_key.get_secret_value(),
    }


def _secret_faults(name: str, value: str) -> list[str]:
    hint = "Make one with `tollway keygen`."
    if not value:
        return [f"{name} is missing. {hint}"]
    if any(part in value.lower() for part in SAMPLE_PARTS):
        return [f"{name} is a sample from a guide, which everybody knows. {hint}"]
    if len(value) < SECRET_LENGTH_MIN:
        return [f"{name} has {len(value)} characters; at least {SECRET_LENGTH_MIN} are needed. {hint}"]
    if len(set(value)) < DIFFERENT_CHARACTERS_MIN:
        return [f"{name} repeats {len(set(value))} characters; it can be guessed. {hint}"]
    return []


def new_secret() -> str:
    """Make 32 random bytes in base64, fit for JWT_SECRET and ENCRYPTION_KEY."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _with_development_secrets(settings: Settings) -> Settings:
    """Fill missing secrets from the data folder, where they are made once, readable by the owner alone."""
    if all(_secrets_of(settings).values()):
        return settings
    file = settings.tollway_data / "development-secrets.json"
    try:
        settings.tollway_data.mkdir(parents=True, exist_ok=True, mode=0o711)
        if not file.exists():
            made = json.dumps({"jwt_secret": new_secret(), "encryption_key": new_secret()})
            # Written aside and linked: whoever comes second at the same moment reads the first one's.
            draft = file.with_suffix(f".{secrets.token_hex(8)}")
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
                opened.write(made)
            with contextlib.suppress(FileExistsError):
                file.hardlink_to(draft)
            draft.unlink()
        kept = json.loads(file.read_text())
        missing = [name.lower() for name, value in _secrets_of(settings).items() if not value]
        return settings.model_copy(update={name: SecretStr(kept[name]) for name in missing})
    except OSError as failure:
        raise SettingsRefused(
            [
                f"The data folder {settings.tollway_data} cannot be used ({failure.strerror}). Set TOLLWAY_DATA."
            ]
        ) from failure
    except (ValueError, KeyError, TypeError) as failure:
        raise SettingsRefused(
            [f"{file} is damaged; restore it, or remove it: what was sealed with it is lost then."]
        ) from failure
