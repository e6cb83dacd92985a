"""Reads catalog.toml: what is on sale, checked before a line of it is believed."""

import re
import tomllib
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tollway.kit.money import minor_units
from tollway.plans.entities import (
    LIMIT_MAX,
    PROCESSING_WEIGHT_MAX,
    PRODUCTS,
    CatalogRefused,
    Feature,
    Overage,
)

CURRENCY = re.compile("[A-Z]{3}")
ENDPOINT = r"^(GET|HEAD|POST|PUT|PATCH|DELETE) /\S*$"
WEIGHT_MAX = 1_000
FILE = Path(__file__).parents[3] / "catalog.toml"
BYTES_PER_MEGABYTE = 1_000_000
ModeName = Literal["test", "live"]
# What not every product counts; each product says which of them its plans must name.
Measure = Literal[
    "iterations",
    "file_megabytes",
    "runs_at_once",
    "processing_weight",
    "workbook_days",
    "result_days",
    "requests_per_minute",
    "agents",
]
MEASURES: tuple[str, ...] = get_args(Measure)


class _Plan(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    description: str
    price: Annotated[Decimal, Field(ge=0, decimal_places=2)] | Literal["custom"]
    free: bool = False
    public: bool
    requests: int | None = Field(None, ge=1, le=LIMIT_MAX)
    requests_per_day: int | None = Field(None, ge=1, le=LIMIT_MAX)
    requests_per_minute: int | None = Field(None, ge=1, le=LIMIT_MAX)
    fair_use_requests: int | None = Field(None, ge=1)
    overage: Overage
    overage_rate: Decimal = Field(Decimal(0), ge=0, max_digits=10, decimal_places=4)
    premium_rate: Decimal | None = Field(None, ge=0, max_digits=10, decimal_places=4)
    iterations: int = Field(0, ge=1_000, le=LIMIT_MAX)
    file_megabytes: int = Field(0, ge=1, le=LIMIT_MAX // BYTES_PER_MEGABYTE)
    runs_at_once: int = Field(0, ge=1, le=LIMIT_MAX)
    processing_weight: int = Field(1, ge=1, le=PROCESSING_WEIGHT_MAX)
    workbook_days: int = Field(0, ge=1, le=LIMIT_MAX)
    result_days: int = Field(0, ge=1, le=LIMIT_MAX)
    agents: int = Field(0, ge=1, le=LIMIT_MAX)
    api_keys: int = Field(ge=1, le=LIMIT_MAX)
    writes_at_once: int | None = Field(None, ge=1, le=LIMIT_MAX)
    support: str = Field(min_length=1)
    support_response_hours: int = Field(ge=1)
    sales_call_hours: int | None = Field(None, ge=1)
    uptime_sla: Decimal | None = Field(None, gt=0, lt=100)
    features: list[str]
    gates: list[Feature] = []
    durable_usage: bool = False
    calls_without_centre: int = Field(0, ge=0, le=LIMIT_MAX)

    @model_validator(mode="after")
    def check_together(self) -> Self:
        """Refuse what each field allows by itself but no two of them together."""
        if self.free and self.price:
            raise ValueError("a free plan has no price")
        if self.overage is not Overage.STOP and not self.overage_rate:
            raise ValueError("a plan that goes on beyond its requests needs an overage_rate")
        if self.requests is None and (self.overage is not Overage.STOP or self.requests_per_day):
            raise ValueError("a plan without a bound has neither overage nor requests_per_day")
        if self.fair_use_requests and self.requests is not None:
            raise ValueError("fair_use_requests is for a plan without a bound")
        if len(set(self.gates)) != len(self.gates):
            raise ValueError("a gate is named twice")
        return self


class _Extra(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    description: str
    price: Decimal = Field(gt=0, decimal_places=2)
    price_to: Annotated[Decimal, Field(gt=0, decimal_places=2)] | Literal["open"] | None = None
    every: Literal["month", "once"]
    gate: Feature | None = None


class _Product(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    key_prefixes: dict[ModeName, str]
    measures: list[Measure]
    weights: dict[Annotated[str, Field(pattern=ENDPOINT)], Annotated[int, Field(ge=1, le=WEIGHT_MAX)]] = {}
    plans: dict[str, _Plan]
    extras: dict[str, _Extra] = {}


@dataclass(frozen=True, slots=True)
class CatalogPlan:
    """One plan as the file declares it, in the form that `plan_versions.content` keeps."""

    product: str
    tier: str
    content: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Extra:
    """What is sold beside the plans of a product (C12, C13); `every` is month or once, an open price has no end."""

    product: str
    id: str
    name: str
    description: str
    price_minor: int
    price_to_minor: int | None
    is_open: bool
    currency: str
    every: str
    gate: Feature | None


@dataclass(frozen=True, slots=True)
class ProductOnSale:
    """One product: its name, how its API keys begin by mode, and what is sold beside its plans.

    `weights` says how many calls a call of an endpoint is taken for by limits a minute; 1 where it is not named.
    """

    product: str
    name: str
    key_prefixes: dict[ModeName, str]
    extras: tuple[Extra, ...]
    weights: dict[str, int]


def read_catalog(file: Path = FILE) -> list[CatalogPlan]:
    """Read and check the plans of the catalogue; raises CatalogRefused."""
    return [
        CatalogPlan(name, tier, _content(name, tier, plan, currency))
        for name, product, currency in _products(file)
        for tier, plan in product.plans.items()
    ]


def read_products(file: Path = FILE) -> list[ProductOnSale]:
    """Read and check the products of the catalogue and what is sold beside their plans; raises CatalogRefused."""
    return [
        ProductOnSale(
            name,
            product.name,
            dict(product.key_prefixes),
            tuple(_extra(name, key, extra, currency) for key, extra in product.extras.items()),
            dict(product.weights),
        )
        for name, product, currency in _products(file)
    ]


def _products(file: Path) -> tuple[tuple[str, _Product, str], ...]:
    try:
        text = file.read_text()
    except (OSError, ValueError) as failure:
        raise CatalogRefused(f"{file.name} cannot be read: {failure}") from failure
    return _declared(file.name, text)


@lru_cache(maxsize=1)
def _declared(file_name: str, text: str) -> tuple[tuple[str, _Product, str], ...]:
    """Check what a catalogue says; the same text is checked once."""
    try:
        declared = tomllib.loads(text)
    except ValueError as failure:
        raise CatalogRefused(f"{file_name} cannot be read: {failure}") from failure
    currency = declared.pop("currency", None)
    if not isinstance(currency, str) or not CURRENCY.fullmatch(currency):
        raise CatalogRefused(
            f"{file_name}: currency must be the three letters of a currency, such as USD; it is {currency!r}."
        )
    for name in declared:
        if name not in PRODUCTS:
            raise CatalogRefused(f"{file_name}: {name} is no product; they are {', '.join(PRODUCTS)}.")
    return tuple((name, _product(file_name, name, content), currency) for name, content in declared.items())


def _product(file_name: str, name: str, content: Any) -> _Product:
    try:
        product = _Product.model_validate(content)
    except ValidationError as failure:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in (name, *one['loc']))}: {one['msg']}" for one in failure.errors()
        )
        raise CatalogRefused(f"{file_name}: {faults}.") from failure
    for tier, plan in product.plans.items():
        for measure in MEASURES:
            if (measure in product.measures) != (measure in plan.model_fields_set):
                fault = "is missing" if measure in product.measures else f"is no measure of {name}"
                raise CatalogRefused(f"{file_name}: {name}.plans.{tier}.{measure}: {fault}.")
    return product


def _content(product: str, tier: str, plan: _Plan, currency: str) -> dict[str, Any]:
    return {
        "product": product,
        "tier": tier,
        "name": plan.name,
        "description": plan.description,
        "price_minor": None if plan.price == "custom" else minor_units(plan.price, currency),
        "currency": currency,
        "requests_included": plan.requests,
        "overage": plan.overage.value,
        "overage_rate": str(plan.overage_rate),
        "premium_rate": None if plan.premium_rate is None else str(plan.premium_rate),
        "fair_use_requests": plan.fair_use_requests,
        "free": plan.free,
        "public": plan.public,
        "limits": {
            "iterations_max": plan.iterations,
            "file_bytes_max": plan.file_megabytes * BYTES_PER_MEGABYTE,
            "runs_at_once_max": plan.runs_at_once,
            "requests_per_day_max": plan.requests_per_day,
            "workbook_days": plan.workbook_days,
            "result_days": plan.result_days,
            "requests_per_minute_max": plan.requests_per_minute,
            "agents_max": plan.agents,
            "api_keys_max": plan.api_keys,
            "writes_at_once_max": plan.writes_at_once,
        },
        "support": plan.support,
        "support_response_hours": plan.support_response_hours,
        "sales_call_hours": plan.sales_call_hours,
        "uptime_sla": None if plan.uptime_sla is None else str(plan.uptime_sla),
        "processing_weight": plan.processing_weight,
        "features": list(plan.features),
        "gates": sorted(gate.value for gate in plan.gates),
        "durable_usage": plan.durable_usage,
        "calls_without_centre": plan.calls_without_centre,
    }


def _extra(product: str, key: str, extra: _Extra, currency: str) -> Extra:
    is_open = extra.price_to == "open"
    price_to = None if extra.price_to is None or extra.price_to == "open" else extra.price_to
    return Extra(
        product=product,
        id=key,
        name=extra.name,
        description=extra.description,
        price_minor=minor_units(extra.price, currency),
        price_to_minor=None if price_to is None else minor_units(price_to, currency),
        is_open=is_open,
        currency=currency,
        every=extra.every,
        gate=extra.gate,
    )
