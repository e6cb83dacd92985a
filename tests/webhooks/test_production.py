"""In production nothing is delivered over HTTP or to private addresses, and no setting changes that."""

from pydantic import SecretStr

from tollway.app import open_parts
from tollway.settings import Settings, new_secret, production_faults
from tollway.webhooks.entities import UrlRules


def strict(settings: Settings, **changed: object) -> Settings:
    good = {
        "environment": "production",
        "jwt_secret": SecretStr(new_secret()),
        "encryption_key": SecretStr(new_secret()),
        "webhook_allow_private": False,
    }
    return settings.model_copy(update=good | changed)


def test_a_server_that_would_deliver_into_its_own_network_is_refused(settings: Settings) -> None:
    assert production_faults(strict(settings)) == []
    (fault,) = production_faults(strict(settings, webhook_allow_private=True))
    assert fault.startswith("WEBHOOK_ALLOW_PRIVATE is set")


async def test_production_delivers_over_https_to_public_addresses_alone(settings: Settings) -> None:
    parts = await open_parts(strict(settings))
    try:
        assert parts.post_room.sender.rules == UrlRules(allows_http=False, allows_private=False)
    finally:
        await parts.close()
