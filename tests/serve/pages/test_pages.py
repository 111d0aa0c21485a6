"""The pages as documents: pictures with tables and CSV, nothing inline, names harmless,
private things private, and pictures that others may embed."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from flask import Flask, render_template_string
from flask.testing import FlaskClient

from tests.serve.conftest import VERSION, csrf, log_in
from tests.serve.marts import ODD_NAMES, World, key, publish
from tests.serve.pages.test_browser import ARTIST, HOSTILE, PAGES, REVERSED

HTML = {"Accept": "text/html"}
#: What leads a visitor nowhere: back, to last.fm, and to one's own things.
LEFT_OUT = ("/theme/", "/login", "/api/v1/account/")


class Document(HTMLParser):
    """The tags of a page, and what stands in each figure."""

    def __init__(self, body: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.figures: list[list[tuple[str, dict[str, str]]]] = []
        self.scripts: list[str] = []
        self._in: list[str] = []
        self.feed(body)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        item = (tag, {name: value or "" for name, value in attrs})
        self.tags.append(item)
        if tag == "figure":
            self.figures.append([])
        if self.figures:
            self.figures[-1].append(item)
        if tag == "script":
            self._in.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == "script" and self._in:
            self._in.pop()

    def handle_data(self, data: str) -> None:
        if self._in and data.strip():
            self.scripts.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        """The attributes of all tags of one kind."""
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def visitor(pages_app: Flask) -> FlaskClient:
    """A browser without cookies."""
    return pages_app.test_client()


def _document(client: FlaskClient, path: str, status: int = 200) -> Document:
    response = client.get(path, headers=HTML)
    assert response.status_code == status, response.text[:500]
    assert response.mimetype == "text/html"
    return Document(response.text)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_names_itself_and_holds_no_script_style_or_foreign_file(
    visitor: FlaskClient, name: str
) -> None:
    page = _document(visitor, PAGES[name])
    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("h1")) == 1 and page.all("title")
    ids = [given["id"] for _, given in page.tags if "id" in given]
    assert len(ids) == len(set(ids))
    assert page.scripts == [] and page.all("style") == []
    for tag, given in page.tags:
        assert not [attribute for attribute in given if attribute.startswith("on")]
        assert "style" not in given
        if tag in ("script", "img", "iframe", "source", "link"):
            source = given.get("src") or given.get("href", "")
            assert source.startswith("/") and not source.startswith("//")


@pytest.mark.parametrize("name", PAGES)
def test_every_picture_has_names_a_table_and_a_csv_that_can_be_had(
    visitor: FlaskClient, name: str
) -> None:
    page = _document(visitor, PAGES[name])
    for figure in page.figures:
        tags = [tag for tag, _ in figure]
        pictures = [
            given for tag, given in figure if "picture" in given.get("class", "")
        ]
        if pictures:
            assert "table" in tags and "caption" in tags
            ids = {given.get("id") for tag, given in figure if tag in ("title", "desc")}
            assert set(pictures[0]["aria-labelledby"].split()) <= ids
        csvs = [
            given["href"]
            for tag, given in figure
            if tag == "a" and re.search(r"\.csv(\?|$)", given.get("href", ""))
        ]
        assert csvs
        answer = visitor.get(csvs[0])
        assert (answer.status_code, answer.mimetype) == (200, "text/csv"), csvs[0]


def test_every_link_of_the_pages_leads_somewhere(visitor: FlaskClient) -> None:
    seen: set[str] = set()
    for path in PAGES.values():
        for given in _document(visitor, path).all("a"):
            href = given.get("href", "").split("#")[0]
            if href.startswith("/") and not href.startswith(LEFT_OUT):
                seen.add(href)
    assert len(seen) > 100
    for href in sorted(seen)[:: max(1, len(seen) // 70)]:
        answer = visitor.get(href, headers=HTML)
        assert answer.status_code in (200, 301, 303), href


def test_the_check_of_links_sees_a_dead_one(visitor: FlaskClient) -> None:
    assert visitor.get(f"/artists/{'0' * 32}", headers=HTML).status_code == 404


@pytest.mark.parametrize("name", ODD_NAMES)
def test_an_odd_name_is_shown_as_it_is_and_nothing_more(
    visitor: FlaskClient, name: str
) -> None:
    answer = visitor.get(f"/artists/{key(name)}", headers=HTML)
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    assert f"<bdi>{_escaped(name)}</bdi>" in answer.text
    without = re.sub(r"<bdi>.*?</bdi>", "", answer.text)
    in_text = re.sub(r"<title>.*?</title>|<meta [^>]*>", "", without)
    assert "\u202e" not in in_text


def test_an_artist_s_lists_are_shown_as_they_were(
    visitor: FlaskClient, world: World
) -> None:
    artist_id = key("Artist 00")
    since = world.as_of - timedelta(days=30)
    names = {row["tag_id"]: row["tag_name"] for row in world["dim_tags"]}
    held = {
        row["valid_to_date"]: names[row["item_id"]]
        for row in world["artist_list_history"]
        if (row["artist_id"], row["list_name"]) == (artist_id, "tags")
    }

    def tags(**query: str) -> str:
        page = visitor.get(f"/artists/{artist_id}", query_string=query, headers=HTML)
        assert page.status_code == 200
        return page.text.partition('id="figure-tags"')[2].partition("</figure>")[0]

    assert held[None] in tags() and held[since] not in tags()
    before = tags(on=str(since - timedelta(days=1)))
    assert held[since] in before and held[None] not in before
    assert "No answer of last.fm until that day" in tags(on="2020-01-01")
    late = {"on": str(world.as_of + timedelta(days=1))}
    refused = visitor.get(f"/artists/{artist_id}", query_string=late, headers=HTML)
    assert refused.status_code == 404


def _escaped(name: str) -> str:
    for sign, written in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&#34;")):
        name = name.replace(sign, written)
    return name


HOSTILE_QUERIES = [
    "/charts/nothing",
    "/charts/panel_artists?issue=yesterday",
    "/charts/panel_artists?period=day",
    "/charts/country_artists?scope=%3Cscript%3E",
    "/charts/panel_artists?limit=0",
    "/artists/xyz",
    f"/artists/{ARTIST}?measure=drop",
    f"/artists/{ARTIST}?from=2026-03-02&to=2026-03-01",
    f"/artists/{ARTIST}/series.svg?measure=%00",
    "/compare?artists=1,2",
    "/trends?grain=second",
    "/trends?range=week&from=2026-01-01",
    "/tags/none",
    "/listeners/%2e%2e%2f%09",
    "/listeners?sort=password",
    "/theme/pink",
]


@pytest.mark.parametrize("path", HOSTILE_QUERIES)
def test_what_cannot_be_is_told_as_a_page_with_a_way_on(
    visitor: FlaskClient, path: str
) -> None:
    answer = visitor.get(path, headers=HTML)
    assert 400 <= answer.status_code < 500
    assert answer.mimetype == "text/html"
    assert 'href="/charts"' in answer.text and "<script>%" not in answer.text


def test_a_program_gets_the_problem_document_where_a_person_gets_a_page(
    visitor: FlaskClient,
) -> None:
    for headers in ({}, {"Accept": "application/json"}, {"Accept": "*/*"}):
        answer = visitor.get("/artists/xyz", headers=headers)
        assert answer.mimetype == "application/problem+json"
    assert visitor.get("/api/v1/artists/xyz", headers=HTML).mimetype == (
        "application/problem+json"
    )


def test_what_a_page_does_not_know_leads_to_the_address_without_it(
    visitor: FlaskClient, pages_app: Flask
) -> None:
    """Links collect such things; each would be an answer more to compute and keep."""
    asked = 0
    for rule in pages_app.url_map.iter_rules():
        if not rule.endpoint.startswith("pages.") or "GET" not in (rule.methods or ()):
            continue
        path = re.sub(r"<(?:[^:>]+:)?[a-z_]+>", "x", rule.rule)
        if path.startswith("/static"):
            continue
        moved = visitor.get(f"{path}?utm_source=x&fbclid=1", headers=HTML)
        assert (moved.status_code, moved.headers["Location"]) == (302, path), path
        assert moved.headers["Cache-Control"] == "no-store"
        asked += 1
    assert asked > 15
    moved = visitor.get("/artists?q=bj%C3%B6rk&utm_source=x", headers=HTML)
    assert moved.headers["Location"] == "/artists?q=bj%C3%B6rk"
    # The control: what a page knows stays.
    assert visitor.get("/artists?q=bj%C3%B6rk", headers=HTML).status_code == 200


def test_a_spelling_leads_to_its_artist(visitor: FlaskClient) -> None:
    answer = visitor.get(f"/artists/{key('artist zero')}")
    assert answer.status_code == 301
    assert answer.location == f"/artists/{key('Artist 00')}"
    answer = visitor.get(f"/compare?artists={ARTIST}&add=Artist%20Zero")
    assert answer.location == f"/compare?artists={ARTIST}%2C{key('Artist 00')}"


def test_at_most_five_artists_are_compared(visitor: FlaskClient) -> None:
    keys = [key(f"Artist 0{number}") for number in range(5)]
    answer = visitor.get(f"/compare?artists={','.join(keys)}&add=Artist%2005")
    kept = answer.location.split("artists=")[1].split("%2C")
    assert kept == [*keys[1:], key("Artist 05")]


def test_holes_in_a_series_are_shaded_and_named(visitor: FlaskClient) -> None:
    holed = visitor.get(f"/artists/{ARTIST}?measure=listeners&days=90", headers=HTML)
    main = holed.text.split('id="figure-main"')[1].split("</figure>")[0]
    assert main.count("<title>no observation:") == 1
    assert "2 days without an observation" in main
    full = visitor.get(
        f"/artists/{ARTIST}?measure=panel_scrobbles&days=30", headers=HTML
    )
    main = full.text.split('id="figure-main"')[1].split("</figure>")[0]
    assert "no observation" not in main


def test_a_series_can_be_embedded_with_an_etag_of_its_own(pages_app: Flask) -> None:
    client = pages_app.test_client()
    path = f"/artists/{HOSTILE}/series.svg?measure=score"
    answer = client.get(path)
    assert answer.mimetype == "image/svg+xml"
    root = ElementTree.fromstring(answer.text)
    title = root.find("{http://www.w3.org/2000/svg}title")
    assert title is not None and "<script>alert(1)</script>" in (title.text or "")
    assert not list(root.iter("{http://www.w3.org/2000/svg}script"))
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "frame-ancestors *" in answer.headers["Content-Security-Policy"]
    etag = answer.headers["ETag"]
    assert client.get(path, headers={"If-None-Match": etag}).status_code == 304
    other = client.get(f"/artists/{HOSTILE}/series.svg?measure=score&theme=dark")
    assert other.headers["ETag"] != etag and other.data != answer.data
    reversed_name = client.get(f"/artists/{REVERSED}/series.svg").text
    assert "\u202e" not in reversed_name
    page = client.get(f"/artists/{HOSTILE}")
    assert page.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]


def test_a_public_page_is_the_same_for_everybody_and_kept(pages_app: Flask) -> None:
    visitor, anna = pages_app.test_client(), log_in(pages_app, "anna")
    visitor.get("/theme/dark")
    for path in ("/", "/charts/panel_artists", f"/artists/{ARTIST}", "/trends"):
        one, other = visitor.get(path), anna.get(path)
        assert one.data == other.data
        assert one.headers["ETag"] == other.headers["ETag"]
        assert "public" in one.headers["Cache-Control"]
        assert "Age" in other.headers
        given = {"If-None-Match": one.headers["ETag"]}
        assert anna.get(path, headers=given).status_code == 304


def test_a_page_follows_the_version(
    make_service: Callable[..., Flask], data_dir: Path, world: World
) -> None:
    client = make_service().test_client()
    before = client.get("/charts")
    assert VERSION in before.text
    path = data_dir / "versions" / f"warehouse-{VERSION}.duckdb"
    path.with_name("warehouse-20260314-000002.duckdb").write_bytes(path.read_bytes())
    publish(data_dir, "20260314-000002", world.as_of)
    after = client.get("/charts")
    assert "20260314-000002" in after.text
    assert after.headers["ETag"] != before.headers["ETag"]


def test_the_choice_of_light_or_dark_is_one_cookie_and_one_style_sheet(
    pages_app: Flask,
) -> None:
    client = pages_app.test_client()
    assert "color-scheme" not in client.get("/theme.css").text
    back = {"Referer": "http://localhost/tags?sort=name"}
    answer = client.get("/theme/dark", headers=back)
    assert (answer.status_code, answer.location) == (303, "/tags?sort=name")
    assert "color-scheme:dark" in client.get("/theme.css").text
    assert "no-cache" in client.get("/theme.css").headers["Cache-Control"]
    client.get("/theme/system")
    assert "color-scheme" not in client.get("/theme.css").text


@pytest.mark.parametrize(
    "referrer",
    ["http://elsewhere.invalid/x", "//elsewhere.invalid", "http://localhost//evil", ""],
)
def test_the_choice_never_leads_to_another_site(
    pages_app: Flask, referrer: str
) -> None:
    answer = pages_app.test_client().get("/theme/dark", headers={"Referer": referrer})
    assert answer.location == "/"


def test_a_listener_s_page_is_for_its_owner_until_it_is_public(
    service: Flask,
) -> None:
    visitor, anna, bert = (
        service.test_client(),
        log_in(service, "anna"),
        log_in(service, "bert"),
    )
    for client in (visitor, bert):
        shut = client.get("/listeners/Anna", headers=HTML)
        assert (shut.status_code, shut.headers["Cache-Control"]) == (
            200,
            "private, no-store",
        )
        assert "This listener keeps this private" in shut.text
        assert "anna" not in shut.text.lower()
    assert "6 last.fm accounts" in visitor.get("/listeners", headers=HTML).text
    assert "0 of them are public" in visitor.get("/listeners", headers=HTML).text
    own = anna.get("/listeners/ANNA", headers=HTML)
    assert own.status_code == 200 and "heard by Bert" in own.text
    assert own.headers["Cache-Control"] == "private, no-store"
    token = re.search(r'name="csrf_token" value="([0-9a-f]+)"', own.text)
    assert token is not None
    form = {"csrf_token": token[1], "is_public": "true"}
    assert anna.post("/me/visibility", data=form).status_code == 303
    shown = visitor.get("/listeners/anna", headers=HTML)
    assert shown.status_code == 200
    assert "Your library" not in shown.text and "csrf_token" not in shown.text
    assert shown.headers["Cache-Control"] == "private, no-store"
    assert "1 of them is public" in visitor.get("/listeners", headers=HTML).text
    nobody = visitor.get("/listeners/nobody", headers=HTML)
    assert nobody.text == visitor.get("/listeners/bert", headers=HTML).text


def test_what_changes_something_needs_the_token_of_the_form(service: Flask) -> None:
    anna, bert = log_in(service, "anna"), log_in(service, "bert")
    for path in ("/me/panel", "/me/visibility"):
        assert service.test_client().post(path, headers=HTML).status_code == 401
        assert anna.post(path, data={"is_public": "true"}).status_code == 403
    good = {"csrf_token": csrf(anna)["X-CSRF-Token"]}
    assert anna.post("/me/panel", data=good).status_code == 303
    page = anna.get("/me", headers=HTML).text
    found = re.search(r'data-job="([0-9a-f]{32})" data-state="queued"', page)
    assert found is not None
    cancel = f"/me/jobs/{found[1]}/cancel"
    assert (
        bert.post(cancel, data={"csrf_token": csrf(bert)["X-CSRF-Token"]}).status_code
        == 404
    )
    assert anna.post(cancel, data=good).status_code == 303
    assert 'data-state="cancelled"' in anna.get("/me", headers=HTML).text


def test_who_is_not_in_the_panel_yet_is_told_how_to_join(service: Flask) -> None:
    newcomer = log_in(service, "zoe")
    page = newcomer.get("/me", headers=HTML)
    assert page.status_code == 200 and "Fetch my whole library" in page.text


def test_a_visitor_s_own_page_says_what_to_do(service: Flask) -> None:
    page = service.test_client().get("/me", headers=HTML)
    assert page.status_code == 200 and "Login is not set up here" in page.text


def test_data_carries_no_headers_of_documents(client: FlaskClient) -> None:
    of_documents = {"Permissions-Policy", "Referrer-Policy"}
    assert not of_documents & set(client.get("/api/v1/artists").headers.keys())
    assert of_documents <= set(client.get("/").headers.keys())
    refused = client.get("/exchange/orders", headers=HTML)
    assert refused.mimetype == "text/html"
    assert "style-src 'self'" in refused.headers["Content-Security-Policy"]


def test_the_docs_site_is_shown_in_a_sandbox_once_it_is_made(
    make_service: Callable[..., Flask], tmp_path: Path
) -> None:
    site = tmp_path / "site"
    client = make_service(docs_site=site).test_client()
    before = client.get("/docs/", headers=HTML)
    assert before.status_code == 200 and "make docs" in before.text
    site.mkdir()
    (site / "index.html").write_text("<script>document.title = 'tables'</script>")
    after = client.get("/docs/", headers=HTML)
    policy = after.headers["Content-Security-Policy"]
    assert after.text.startswith("<script>") and "sandbox allow-scripts" in policy
    assert "allow-same-origin" not in policy
    assert "unsafe-inline" not in client.get("/").headers["Content-Security-Policy"]


def test_without_a_version_the_pages_say_what_to_run(
    make_service: Callable[..., Flask], tmp_path: Path
) -> None:
    client = make_service(data_dir=tmp_path / "empty").test_client()
    for path in ("/", "/charts", f"/artists/{ARTIST}", "/about"):
        page = client.get(path, headers=HTML)
        assert page.status_code == 503 and "make daily" in page.text
    with client.get("/static/site.css") as answer:
        assert answer.status_code == 200


def test_files_of_our_own_are_kept_for_good_under_a_name_of_their_content(
    pages_app: Flask,
) -> None:
    client = pages_app.test_client()
    sheet = re.search(r'href="(/static/site\.css\?v=[0-9a-f]+)"', client.get("/").text)
    assert sheet is not None
    with client.get(sheet[1]) as answer:
        assert "immutable" in answer.headers["Cache-Control"]


NAMED_BARS = {
    "/artists": 12,
    f"/artists/{ARTIST}": 4,
    "/charts/panel_artists": 15,
    "/tags": 3,
    f"/tags/{key('jazz')}": 12,
    f"/albums/{key('Artist 03' + chr(31) + 'Album')}": 3,
}


@pytest.mark.parametrize("path", NAMED_BARS)
def test_the_names_in_pictures_are_links_that_lead_somewhere(
    visitor: FlaskClient, path: str
) -> None:
    text = visitor.get(path, headers=HTML).text
    found = re.findall(r'<a href="([^"]+)"><text', text)
    assert len(found) >= NAMED_BARS[path]
    # What is inside an image cannot be reached by keyboard.
    assert 'role="group"' in text
    for address in dict.fromkeys(found[:: max(1, len(found) // 5)]):
        answer = visitor.get(address.replace("&amp;", "&"), headers=HTML)
        assert answer.status_code in (200, 301), address


def test_a_page_tells_other_sites_what_it_is_with_a_picture(
    make_service: Callable[..., Flask],
) -> None:
    client = make_service(public_url="https://example.org").test_client()
    page = client.get(PAGES["artist"]).text
    title = re.search(r'property="og:title" content="([^"]*)"', page)
    assert title and title[1] == "Artist 03"
    found = re.search(r'property="og:image" content="https://example.org([^"]*)"', page)
    assert found
    card = client.get(found[1])
    assert card.mimetype == "image/png" and card.data[:4] == b"\x89PNG"
    assert struct.unpack(">II", card.data[16:24]) == (1200, 630)


def test_no_page_that_is_kept_repeats_the_host_a_visitor_sends(
    make_service: Callable[..., Flask],
) -> None:
    app = make_service()
    for name, path in PAGES.items():
        page = app.test_client().get(path, headers={"Host": "evil.invalid"})
        assert "evil.invalid" not in page.text, name
    # The control: what stands in a page's template would be found.
    with app.test_request_context("/", base_url="http://evil.invalid"):
        assert "evil.invalid" in render_template_string("{{ request.host_url }}")


def test_a_phone_can_put_the_site_on_its_home_screen(visitor: FlaskClient) -> None:
    page = visitor.get("/").text
    assert '<link rel="manifest" href="/manifest.webmanifest">' in page
    manifest = visitor.get("/manifest.webmanifest")
    assert manifest.mimetype == "application/manifest+json"
    told = manifest.get_json()
    assert {"name", "short_name", "start_url", "display", "icons"} <= set(told)
    assert "manifest-src 'self'" in manifest.headers["Content-Security-Policy"]
    for entry in told["icons"]:
        answer = visitor.get(entry["src"])
        wide, high = struct.unpack(">II", answer.data[16:24])
        assert answer.mimetype == "image/png" and entry["sizes"] == f"{wide}x{high}"
    assert visitor.get("/icon-180.png").status_code == 200
    assert visitor.get("/icon-181.png").status_code == 404


def test_the_index_of_charts_names_who_stands_first(
    visitor: FlaskClient, world: World
) -> None:
    rows = [r for r in world["fct_chart_positions"] if r["chart"] == "panel_artists"]
    newest = max(r["issue_date"] for r in rows if r["period"] == "week")
    (first,) = {
        r["entity_id"]
        for r in rows
        if (r["period"], r["issue_date"], r["rank"]) == ("week", newest, 1)
    }
    page = visitor.get("/charts").text
    _, _, section = page.partition('id="c-panel_artists"')
    assert (
        f'Number one: <a href="/artists/{first}"' in section.partition("</section>")[0]
    )


def test_the_search_leads_to_the_form_where_nothing_has_the_name(
    service: Flask,
) -> None:
    browser = log_in(service, "anna")
    link = "/me/artists?q=Nobody%20Heard"
    assert link in browser.get("/artists?q=Nobody Heard").text.replace("+", "%20")
    assert link in browser.get("/search?q=Nobody Heard").text
    for path in ("/artists", "/search"):
        assert "/me/artists" not in browser.get(f"{path}?q=artist 01").text
    page = browser.get("/me/artists?q=Nobody Heard").text
    assert 'value="Nobody Heard"' in page
    form = {"artist": "Nobody Heard", "csrf_token": csrf(browser)["X-CSRF-Token"]}
    assert browser.post("/me/artists", data=form).status_code == 303
    assert "Nobody Heard" in browser.get("/me").text
    assert browser.post("/me/artists", data={"artist": "X"}).status_code == 403


def test_the_page_of_the_api_shows_every_operation_with_its_parameters(
    visitor: FlaskClient,
) -> None:
    spec = visitor.get("/openapi.json").get_json()
    page = visitor.get("/api/docs").text
    shown = re.findall(r'<details id="(\w+)"><summary><code>(\w+) ([^<]+)</code>', page)
    described = {
        (operation["operationId"], method.upper(), path)
        for path, item in spec["paths"].items()
        for method, operation in item.items()
    }
    assert len(described) > 100
    assert {(key, method, unescape(path)) for key, method, path in shown} == described
    (section,) = re.findall(
        r'<details id="charts_issue">.*?</details>', page, re.DOTALL
    )
    issue = spec["paths"]["/api/v1/charts/{chart}"]["get"]
    for parameter in issue["parameters"]:
        assert f"<code>{parameter['name']}</code>" in section
    assert "panel_artists" in section and "&#34;version&#34;" in section
    # A visitor can open what needs no key, and nothing that is one's own.
    assert '<a href="/api/v1/charts">Open</a>' in page
    assert '<a href="/api/v1/account">Open</a>' not in page
