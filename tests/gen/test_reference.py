# SPDX-License-Identifier: LGPL-2.1-or-later
"""The HTML and manual reference: complete, well formed, without dead links."""
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

VOID = {"meta", "br"}


class Page(HTMLParser):
    """Open tags, ids and links of a page."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if "id" in values:
            self.ids.add(values["id"])
        if tag == "a":
            self.links.append(values["href"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def pages(made) -> dict[str, Page]:
    return {p.name: Page(p.read_text()) for p in (made / "reference").glob("*.html")}


def test_every_call_and_type_has_a_place(api, pages):
    ids = set().union(*(page.ids for page in pages.values()))
    for table in (api.calls, api.callbacks, api.enums, api.structs, api.macros):
        assert set(table) <= ids


def test_links_lead_somewhere_and_tags_are_closed(pages):
    for name, page in pages.items():
        assert page.open == [], name
        for link in page.links:
            target, _, anchor = link.partition("#")
            where = pages[target or name]
            assert not anchor or anchor in where.ids, f"{name}: {link}"


def test_every_call_is_in_a_manual_page(api, made):
    text = "".join(p.read_text() for p in (made / "reference").glob("*.3"))
    assert set(re.findall(r'^\.SS "(\w+)"$', text, re.M)) >= set(api.calls)


def test_manual_pages_format_without_warnings(made):
    if not shutil.which("groff"):
        pytest.skip("groff is not installed")
    for path in sorted((made / "reference").glob("*.3")):
        run = subprocess.run(["groff", "-man", "-ww", "-z", path], text=True, capture_output=True)
        assert run.returncode == 0 and run.stderr == "", f"{path.name}: {run.stderr[:400]}"
