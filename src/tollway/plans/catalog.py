"""Reads catalog.toml: what is on sale, checked before a line of it is believed."""

import re
import tomllib
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tollway.kit.money import minor_units
from tollway.plans.entities import CatalogRefused, Overage

CURRENCY = re.compile("[A-Z]{3}")
FILE = Path(__file__).parents[3] / "catalog.toml"
BYTES_PER_MEGABYTE = 1_000_000


class _Plan(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    description: str
    price: Decimal = Field(ge=0, decimal_places=2)
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

    @model_validator(mode="after")
    def check_together(self) -> Self:
        """Refuse what each field allows by itself but no two of them together."""
        if self.free and self.price:
            raise ValueError("a free plan has no price")
        if self.overage is not Overage.STOP and not self.overage_rate:
            raise ValueError("a plan that goes on beyond its requests needs an overage_rate")
        if self.requests is None and (self.overage is not Overage.STOP or self.requests_per_day):
            raise ValueError("a plan without a bound has neither overage nor requests_per_day")
        return self


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
    except (OSError, ValueError) as failure:
        raise CatalogRefused(f"{file.name} cannot be read: {failure}") from failure
    currency = declared.pop("currency", None)
    if not isinstance(currency, str) or not CURRENCY.fullmatch(currency):
        raise CatalogRefused(
            f"{file.name}: currency must be the three letters of a currency, such as USD; it is {currency!r}."
        )
    return [
        CatalogPlan(product, tier, _content(product, tier, plan, currency))
        for product, content in declared.items()
        for tier, plan in _product(file.name, product, content).plans.items()
    ]


def _product(file_name: str, name: str, content: Any) -> _Product:
    try:
        return _Product.model_validate(content)
    except ValidationError as failure:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in (name, *one['loc']))}: {one['msg']}" for one in failure.errors()
        )
        raise CatalogRefused(f"{file_name}: {faults}.") from failure


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
