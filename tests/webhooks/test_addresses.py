"""Where deliveries may lead, by the text of the address."""

import pytest

from tollway.webhooks.addresses import UrlRules, WebhookUrlRefused, is_public_address

PRODUCTION = UrlRules()
DEVELOPMENT = UrlRules(allows_http=True)

PUBLIC = ["8.8.8.8", "1.1.1.1", "203.0.114.1", "2606:4700::1111", "2a00:1450:4001:800::200e", "::ffff:8.8.8.8",
          "64:ff9b::808:808"]  # fmt: skip
NOT_PUBLIC = {
    "this machine": ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1"],
    "no address": ["0.0.0.0", "0.1.2.3", "::", "not an address", ""],
    "private networks": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fd12:3456::1"],
    "shared by a provider's customers": ["100.64.0.1", "100.127.255.255"],
    "link-local, where clouds tell secrets": ["169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0"],
    "a cloud's service for its machines": ["168.63.129.16", "fd00:ec2::254", "::ffff:168.63.129.16"],
    "site-local": ["fec0::1"],
    "multicast": ["224.0.0.1", "239.255.255.255", "233.252.0.1", "ff02::1", "ff0e::1"],
    "broadcast and reserved": ["255.255.255.255", "240.0.0.1", "192.0.0.1", "192.0.0.170"],
    "for documents": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1"],
    "for measurements": ["198.18.0.1", "198.19.255.255"],
    "an inner address": ["::ffff:10.0.0.1", "64:ff9b::a00:1", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::1",
                         "2002:a00:1::", "2001:0:53aa:64c:0:0:80ff:fffe", "::ffff:169.254.169.254"],
}  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_one(address: str) -> None:
    assert is_public_address(address)


@pytest.mark.parametrize("address", [one for found in NOT_PUBLIC.values() for one in found])
def test_any_other_is_none(address: str) -> None:
    assert not is_public_address(address)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://example.com/hooks?tenant=7&x=%20",
        "https://example.com:8443/hooks",
        "https://8.8.8.8/hooks",
        "https://[2606:4700::1111]/hooks",
        "https://xn--bcher-kva.example/hooks",
        "https://a-b.c_d.example.com./hooks",
        " https://example.com/hooks ",
    ],
)
def test_an_address_of_the_internet_is_taken(url: str) -> None:
    assert PRODUCTION.checked(url) == url.strip()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com/hooks",
        "ftp://example.com",
        "file:///etc/passwd",
        "gopher://example.com",
        "javascript:alert(1)",
        "http://example.com/hooks",
        "https://",
        "https:///hooks",
        "https://user@example.com",
        "https://user:password@example.com",
        "https://@example.com",
        "https://example.com/#part",
        "https://example.com\\@10.0.0.1/",
        "https://example.com/a b",
        "https://exam\nple.com/",
        "https://exämple.com",
        "https://example.com:0",
        "https://example.com:25",
        "https://example.com:99999",
        "https://example.com:x",
        "https://localhost/hooks",
        "https://LOCALHOST./hooks",
        "https://api.localhost",
        "https://printer.local",
        "https://metadata.google.internal/computeMetadata/v1/",
        "https://db.lan",
        "https://intranet",
        "https://-example.com",
        "https://exa..mple.com",
        "https://127.0.0.1",
        "https://127.0.0.1.",
        "https://127.1",
        "https://2130706433",
        "https://0x7f000001",
        "https://0x7f.1",
        "https://0177.0.0.1",
        "https://10.0.0.1:8443",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[fe80::1%25eth0]/",
        "https://[::1",
        "https://example.com/" + "a" * 2_000,
    ],
)
@pytest.mark.promise("X28")
def test_an_address_that_leads_elsewhere_is_refused_with_a_pointer(url: str) -> None:
    with pytest.raises(WebhookUrlRefused) as refused:
        PRODUCTION.checked(url, "/simulation_config/webhook_url")
    (error,) = refused.value.errors
    assert error.pointer == "/simulation_config/webhook_url"
    assert error.message


def test_http_is_for_development_and_private_networks_for_developers_who_ask() -> None:
    assert DEVELOPMENT.checked("http://example.com/hooks")
    with pytest.raises(WebhookUrlRefused):
        DEVELOPMENT.checked("http://127.0.0.1:8000/hooks")
    own = UrlRules(allows_http=True, allows_private=True)
    for url in ("http://127.0.0.1:8000/hooks", "http://localhost:8000/hooks", "http://[::1]:8000/"):
        assert own.checked(url) == url
