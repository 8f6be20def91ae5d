"""The dashboard's own web server says what the API says where it serves the dashboard."""

import re
from pathlib import Path

from services.api.web.dashboard import ASSETS_CACHE, PAGE_CACHE
from services.api.web.middleware import SECURITY_HEADERS

NGINX = Path(__file__).parents[3] / "frontend" / "nginx"


def test_security_headers_are_those_of_the_api() -> None:
    given = dict(re.findall(r"add_header (\S+) (\$\w+) always;", (NGINX / "security-headers.conf").read_text()))
    maps = re.findall(r'map (\S+) (\$\w+) \{\s+"" (?:"([^"]*)"|(\S+));', (NGINX / "nginx.conf").read_text())
    defaults = {variable: (source, quoted or bare) for source, variable, quoted, bare in maps}
    assert {name: defaults[variable][1] for name, variable in given.items()} == dict(SECURITY_HEADERS)
    # What the API has set is not set twice.
    for name, variable in given.items():
        assert defaults[variable][0] == f"$upstream_http_{name.lower().replace('-', '_')}"


def test_what_has_a_header_of_its_own_has_the_security_headers_too() -> None:
    """Any `add_header` of a location takes away those of the server around it."""
    locations = re.findall(r"location [^{]+\{(.*?)\n        \}", (NGINX / "nginx.conf").read_text(), re.DOTALL)
    for location in locations:
        assert ("add_header" in location) == ("security-headers.conf" in location)


def test_files_are_kept_as_the_api_has_them_kept() -> None:
    text = (NGINX / "nginx.conf").read_text()
    assets = re.search(r"location \^~ /assets/ \{(.*?)\}", text, re.DOTALL)
    assert assets is not None
    assert f'Cache-Control "{ASSETS_CACHE}"' in assets[1]
    assert text.count(f"Cache-Control {PAGE_CACHE};") == 2


def test_the_metrics_are_not_passed_on() -> None:
    text = (NGINX / "nginx.conf").read_text()
    assert re.search(r"location = /metrics \{\s+return 404;", text)
