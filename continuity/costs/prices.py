"""The price file `prices.yaml`, checked."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

FILE: Final = Path(__file__).with_name("prices.yaml")
HOURS_PER_MONTH: Final = 730


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Model):
    """A price list: its currency, its date, and where the numbers come from."""

    currency: Literal["EUR", "USD"]
    date: date
    url: str
    origin: Annotated[str, Field(alias="from")]
    tolerance_percent: int


class Assumption(_Model):
    """An amount of use that no declaration has."""

    value: float
    about: str


class Price(_Model):
    """The price of one item of a resource. The price file describes the fields."""

    item: str
    source: str
    unit: Literal["hour", "month", "GB-month", "GB"]
    price: float | dict[str, float]
    by: str | None = None
    quantity: str | None = None
    absent: float | None = None
    when: Mapping[str, Any] = {}
    twice_if: str | None = None

    @model_validator(mode="after")
    def _selects(self) -> Self:
        if isinstance(self.price, dict) != (self.by is not None):
            raise PydanticCustomError("prices", f"{self.item}: `by` is needed for several prices, and for them only")
        return self


class Prices(_Model):
    """The price file. Types are Pulumi's type tokens."""

    sources: dict[str, Source]
    assumptions: dict[str, Assumption]
    prices: dict[str, list[Price]]
    free: frozenset[str]

    @model_validator(mode="after")
    def _refers(self) -> Self:
        unknown = {price.source for items in self.prices.values() for price in items} - set(self.sources)
        if unknown:
            raise PydanticCustomError("prices", f"these sources do not exist: {', '.join(sorted(unknown))}")
        both = self.free & set(self.prices)
        if both:
            raise PydanticCustomError("prices", f"these types have a price and are free: {', '.join(sorted(both))}")
        return self

    def currency(self, price: Price) -> str:
        return self.sources[price.source].currency


@functools.cache
def load_prices() -> Prices:
    return Prices.model_validate(yaml.safe_load(FILE.read_text()))
