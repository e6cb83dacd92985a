"""Browsers without a browser: clients that keep cookies and send what forms send."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest
from tests.administrators import make_administrator

from tollway.app import Parts, build_app
from tollway.kit.clock import read_now
from tollway.plans import operations as plans

HTML = {"Accept": "text/html"}


@dataclass
class Visitor:
    """Somebody at a browser."""

    client: httpx.AsyncClient
    parts: Parts

    async def get(self, path: str) -> httpx.Response:
        return await self.client.get(path, headers=HTML)

    async def post(self, path: str, data: dict[str, object] | None = None) -> httpx.Response:
        return await self.client.post(path, data=data or {}, headers=HTML | {"Origin": "http://localhost"})

    async def sign_up(self, email: str, company: str = "Example Ltd") -> None:
        answer = await self.post(
            "/signup", {"email": email, "company": company, "use_case": "Portfolio Risk Analysis"}
        )
        assert answer.status_code == 303, answer.text
        assert answer.headers["location"] == "/dashboard"

    async def newest_mail(self, email: str) -> str:
        """The text of the last mail to an address, as the outbox keeps it."""
        async with self.parts.database.transaction() as tx:
            text = await tx.find_value(
                "SELECT text_body FROM outbox_mails WHERE to_address = %(email)s ORDER BY id DESC LIMIT 1",
                {"email": email},
            )
        assert isinstance(text, str), f"no mail to {email}"
        return text

    async def verify(self, email: str) -> httpx.Response:
        code = re.search(r"^(\d{6})$|\b(\d{6})\b", await self.newest_mail(email), re.MULTILINE)
        assert code
        return await self.post("/verify", {"code": code.group(0)})


@asynccontextmanager
async def visiting(parts: Parts, address: str = "127.0.0.1") -> AsyncIterator[Visitor]:
    transport = httpx.ASGITransport(app=build_app(parts), raise_app_exceptions=False, client=(address, 50000))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield Visitor(client, parts)


@pytest.fixture
async def catalog(parts: Parts) -> None:
    async with parts.database.transaction() as tx:
        await plans.load_catalog(tx, read_now())


@pytest.fixture
async def stranger(parts: Parts, catalog: None) -> AsyncIterator[Visitor]:
    """Nobody in particular."""
    async with visiting(parts) as visitor:
        yield visitor


@pytest.fixture
async def ana(parts: Parts, catalog: None) -> AsyncIterator[Visitor]:
    """A verified customer who is signed in."""
    async with visiting(parts) as visitor:
        await visitor.sign_up("ana@example.com")
        assert (await visitor.verify("ana@example.com")).status_code == 303
        yield visitor


@pytest.fixture
async def ben(parts: Parts, catalog: None) -> AsyncIterator[Visitor]:
    """Another one."""
    async with visiting(parts, "127.0.0.2") as visitor:
        await visitor.sign_up("ben@example.com", "Other Ltd")
        assert (await visitor.verify("ben@example.com")).status_code == 303
        yield visitor


@pytest.fixture
async def administrator(parts: Parts, catalog: None) -> AsyncIterator[Visitor]:
    """A super administrator who signed in with a second factor just now."""
    _, headers = await make_administrator(parts)
    async with visiting(parts, "127.0.0.3") as visitor:
        visitor.client.headers.update(headers)
        yield visitor
