"""What a customer tells of itself for its invoices, and what can be wrong with it."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cache

from babel import Locale

from tollway.customers.entities import company_fault, email_fault, normal_email
from tollway.kit.problems import FieldError, Invalid

ADDRESS_LINE_LENGTH_MAX = 200
POSTAL_CODE_LENGTH_MAX = 20
TAX_ID_LENGTH_MAX = 40
COUNTRY_PATTERN = r"^[A-Z]{2}$"

# Numbers of value added tax and their kin: letters, digits and what people write between them.
_TAX_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z .\-/]*")
# Groups of countries, and codes that stand for none.
_NO_COUNTRIES = {"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"}


@dataclass(frozen=True, slots=True)
class BillingAddress:
    """Where an invoice goes to; parts that an address does not have are empty."""

    line1: str
    city: str
    # Two letters of ISO 3166-1.
    country: str
    line2: str = ""
    postal_code: str = ""
    region: str = ""

    def parts(self) -> dict[str, str]:
        """Return each part by its name."""
        return asdict(self)

    def faults(self) -> dict[str, str]:
        """Say what is wrong with each part, by its name."""
        found = {}
        for one in fields(self):
            text = getattr(self, one.name)
            length_max = POSTAL_CODE_LENGTH_MAX if one.name == "postal_code" else ADDRESS_LINE_LENGTH_MAX
            if len(text) > length_max:
                found[one.name] = f"Use at most {length_max} characters; there are {len(text)}."
            elif not text.isprintable():
                found[one.name] = "There is a line break or another character that cannot be shown."
        if not self.line1:
            found["line1"] = "Enter street and number."
        if not self.city:
            found["city"] = "Enter the town or city."
        if self.country not in countries():
            found["country"] = "Choose the country: two letters of ISO 3166, such as DE."
        return found


@dataclass(frozen=True, slots=True)
class CompanyDetails:
    """What a customer tells of itself for its invoices; the last two are kept sealed (B45)."""

    company_name: str
    billing_email: str
    tax_id: str | None = field(default=None, repr=False)
    billing_address: BillingAddress | None = field(default=None, repr=False)

    @classmethod
    def checked(
        cls,
        company_name: str,
        billing_email: str,
        tax_id: str | None,
        billing_address: Mapping[str, str] | None,
    ) -> "CompanyDetails":
        """Read what was filled in; empty texts are as good as none.

        Raises: Invalid with pointers /name, /billing_email, /tax_id and /billing_address/PART.
        """
        name, email = company_name.strip(), normal_email(billing_email)
        tax_id = (tax_id or "").strip() or None
        parts = {part: text.strip() for part, text in (billing_address or {}).items() if text.strip()}
        address = BillingAddress(**({"line1": "", "city": "", "country": ""} | parts)) if parts else None
        faults = {
            "/name": company_fault(name),
            "/billing_email": email_fault(email),
            "/tax_id": _tax_id_fault(tax_id) if tax_id else "",
        }
        if address is not None:
            faults |= {f"/billing_address/{part}": fault for part, fault in address.faults().items()}
        errors = tuple(FieldError(pointer, fault) for pointer, fault in faults.items() if fault)
        if errors:
            words = " ".join(f"{one.pointer[1:]}: {one.message}" for one in errors)
            raise Invalid(f"The company's details cannot be kept as they are. {words}", errors=errors)
        return cls(name, email, tax_id, address)

    def changed_from(self, earlier: "CompanyDetails") -> list[str]:
        """Name the fields that differ, never what they hold."""
        return [one.name for one in fields(self) if getattr(self, one.name) != getattr(earlier, one.name)]


def _tax_id_fault(tax_id: str) -> str:
    if len(tax_id) > TAX_ID_LENGTH_MAX:
        return f"Use at most {TAX_ID_LENGTH_MAX} characters; there are {len(tax_id)}."
    if not _TAX_ID.fullmatch(tax_id):
        return "A tax number has letters, digits, spaces, dots, dashes and slashes alone."
    return ""


@cache
def countries() -> dict[str, str]:
    """Return the names of countries by their two letters, in the order of the names."""
    named = Locale("en").territories.items()
    found = {code: str(name) for code, name in named if len(code) == 2 and code not in _NO_COUNTRIES}
    return dict(sorted(found.items(), key=lambda item: item[1]))
