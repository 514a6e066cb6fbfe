"""Where a request comes from, as far as proxies are trusted."""

import pytest

from server.web.proxy import Origin, behind

DIRECT = Origin("10.0.0.5", "http", "inside:3000")


@pytest.mark.parametrize(
    ("trust", "forwarded", "address"),
    [
        ("", "203.0.113.7", "10.0.0.5"),
        ("false", "203.0.113.7", "10.0.0.5"),
        ("true", "203.0.113.7", "203.0.113.7"),
        ("true", "1.2.3.4, 203.0.113.7", "203.0.113.7"),
        ("true", "", "10.0.0.5"),
        ("true", "unknown", "10.0.0.5"),
        ("10.0.0.0/8", "1.2.3.4, 203.0.113.7, 10.9.9.9", "203.0.113.7"),
        ("10.0.0.0/8, 203.0.113.0/24", "1.2.3.4, 203.0.113.7", "1.2.3.4"),
        ("192.168.0.0/16", "203.0.113.7", "10.0.0.5"),
        ("10.0.0.0/8", "2001:db8::1", "2001:db8::1"),
    ],
)
def test_the_address_is_the_first_that_no_proxy_vouches_for(trust: str, forwarded: str, address: str) -> None:
    assert behind(trust, DIRECT, {"X-Forwarded-For": forwarded}).address == address


def test_scheme_and_host_come_from_a_trusted_proxy_only() -> None:
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example, patch.example.com"}
    seen = behind("true", DIRECT, headers)
    assert (seen.secure, seen.url) == (True, "https://patch.example.com")
    assert behind("", DIRECT, headers) == DIRECT
    assert behind("true", DIRECT, {"X-Forwarded-Proto": "javascript"}).scheme == "http"
