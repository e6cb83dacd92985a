"""Reads catalog.toml: what is on sale, checked before a line of it is believed."""

import tomllib
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tollway.kit.money import minor_units
from tollway.plans.entities import Overage

FILE = Path(__file__).parents[3] / "catalog.toml"
BYTES_PER_MEGABYTE = 1_000_000


class CatalogRefused(Exception):
    """The catalogue breaks a rule; the message names the place."""


class _Plan(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    description: str
    price: Decimal = Field(ge=0)
    free: bool = False
    public: bool
    requests: int | None = Field(None, ge=1)
    requests_per_day: int | None = Field(None, ge=1)
    overage: Overage
    overage_rate: Decimal = Field(Decimal(0), ge=0, max_digits=10, decimal_places=4)
    iterations: int = Field(ge=1_000)
    file_megabytes: int = Field(ge=1)
    runs_at_once: int = Field(ge=1)
    workbook_days: int = Field(ge=1)
    result_days: int = Field(ge=1)
    features: list[str]


class _Product(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    key_prefixes: dict[str, str]
    plans: dict[str, _Plan]


@dataclass(frozen=True, slots=True)
class CatalogPlan:
    """One plan as the file declares it, in the form that `plan_versions.content` keeps."""

    product: str
    tier: str
    content: dict[str, Any]


def read_catalog(file: Path = FILE) -> list[CatalogPlan]:
    """Read and check the catalogue; raises CatalogRefused."""
    try:
        declared = tomllib.loads(file.read_text())
        currency = str(declared.pop("currency"))
        products = {name: _Product.model_validate(product) for name, product in declared.items()}
    except (OSError, KeyError, tomllib.TOMLDecodeError, ValidationError) as failure:
        raise CatalogRefused(f"{file.name} cannot be used: {failure}") from failure
    return [
        CatalogPlan(product, tier, _content(product, tier, plan, currency))
        for product, declared_product in products.items()
        for tier, plan in declared_product.plans.items()
    ]


def _content(product: str, tier: str, plan: _Plan, currency: str) -> dict[str, Any]:
    return {
        "product": product,
        "tier": tier,
        "name": plan.name,
        "description": plan.description,
        "price_minor": minor_units(plan.price, currency),
        "currency": currency,
        "requests_included": plan.requests,
        "overage": plan.overage.value,
        "overage_rate": str(plan.overage_rate),
        "free": plan.free,
        "public": plan.public,
        "limits": {
            "iterations_max": plan.iterations,
            "file_bytes_max": plan.file_megabytes * BYTES_PER_MEGABYTE,
            "runs_at_once_max": plan.runs_at_once,
            "requests_per_day_max": plan.requests_per_day,
            "workbook_days": plan.workbook_days,
            "result_days": plan.result_days,
        },
        "features": plan.features,
    }
