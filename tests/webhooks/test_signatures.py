"""Signatures, checked against vectors that others published and against an implementation of our own."""

import base64
import secrets
from datetime import UTC, datetime, timedelta

import pytest
from tests.webhooks.receivers import Received, plain_signature, standard_signature

from tollway.kit.log import redacted
from tollway.webhooks.signatures import SECRET_BYTES, new_secret, secret_fault, signed_headers

NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
BODY = '{"event":"model.uploaded","data":{"name":"Söhne"}}'


def headers(*secrets_: str, moment: datetime = NOW) -> dict[str, str]:
    return signed_headers("whd_1", "model.uploaded", BODY, secrets_, moment)


def received(found: dict[str, str], body: str = BODY) -> Received:
    return Received("POST", "/", {name.lower(): value for name, value in found.items()}, body.encode())


@pytest.mark.promise("X28")
def test_the_published_vector_of_standard_webhooks_is_met() -> None:
    """Source: the test vector in the libraries of Standard Webhooks (id, timestamp, body, secret, signature)."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    found = signed_headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "test",
        '{"test": 2432232314}',
        [secret],
        datetime.fromtimestamp(1_614_265_330, UTC),
    )
    assert found["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.promise("X28")
def test_both_signatures_cover_time_and_body_together() -> None:
    secret = new_secret()
    found = headers(secret)
    assert found["webhook-signature"] == standard_signature(secret, received(found))
    assert found["X-Tollway-Signature"] == plain_signature(secret, received(found))
    assert found["webhook-id"] == found["X-Tollway-Delivery"] == "whd_1"
    assert found["webhook-timestamp"] == found["X-Tollway-Timestamp"] == str(int(NOW.timestamp()))
    assert found["X-Tollway-Event"] == "model.uploaded"
    for other in (headers(secret, moment=NOW + timedelta(seconds=1)), headers(new_secret())):
        assert other["webhook-signature"] != found["webhook-signature"]
        assert other["X-Tollway-Signature"] != found["X-Tollway-Signature"]
    forged = received(found, BODY.replace("uploaded", "failed"))
    assert standard_signature(secret, forged) != found["webhook-signature"]


def test_a_former_secret_signs_too_and_no_comparison_of_whole_headers_breaks() -> None:
    new, former = new_secret(), new_secret()
    found = headers(new, former)
    came = received(found)
    assert found["webhook-signature"].split(" ") == [
        standard_signature(new, came),
        standard_signature(former, came),
    ]
    assert found["X-Tollway-Signature"] == plain_signature(new, came)
    assert found["X-Tollway-Signature-Former"] == plain_signature(former, came)
    assert "X-Tollway-Signature-Former" not in headers(new)


def test_a_secret_is_whsec_and_32_random_bytes() -> None:
    made = {new_secret() for _ in range(50)}
    assert len(made) == 50
    for secret in made:
        assert secret.startswith("whsec_")
        assert len(base64.b64decode(secret.removeprefix("whsec_"))) == SECRET_BYTES
        assert not secret_fault(secret)


@pytest.mark.parametrize("size", [24, 32, 64])
def test_a_secret_of_ones_own_may_be_as_standard_webhooks_says(size: int) -> None:
    assert not secret_fault("whsec_" + base64.b64encode(secrets.token_bytes(size)).decode())


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", "my secret", base64.b64encode(bytes(32)).decode(), "whsec_" + base64.b64encode(bytes(23)).decode(),
     "whsec_" + base64.b64encode(bytes(65)).decode(), "whsec_!" + base64.b64encode(bytes(32)).decode(), "whsec_ä" * 9,
     "whsec_" + "A" * 5_000],
)  # fmt: skip
def test_any_other_secret_is_refused_in_a_sentence(secret: str) -> None:
    assert "24 to 64 random bytes in base64" in secret_fault(secret)


def test_no_secret_reaches_a_log() -> None:
    secret = new_secret()
    assert secret not in str(redacted(f"sent with {secret} to nobody"))
