"""The pages hold together: links resolve, every page is reachable, the changelog keeps its form."""

import re
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS.rglob("*.md")])
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]

_FENCED = re.compile(r"^(`{3,}).*?^\1", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)[^)]*\)")


def _slugs(page: Path) -> set[str]:
    text = _FENCED.sub("", page.read_text("utf-8"))
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = _FENCED.sub("", page.read_text("utf-8"))
    broken = []
    for target in _LINK.findall(text):
        if re.match(r"https?://|mailto:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        if not path.exists():
            broken.append(target)
        elif anchor and path.suffix == ".md" and anchor not in _slugs(path):
            generated = "<!-- reference:" in path.read_text("utf-8")
            if not generated:  # the strict build of the site knows these anchors
                broken.append(target)
    assert not broken


def test_every_page_is_in_the_navigation() -> None:
    _, _, nav = (ROOT / "mkdocs.yml").read_text("utf-8").partition("\nnav:\n")
    listed = re.findall(r": (\S+\.md)$", nav, re.MULTILINE)
    assert sorted(listed) == sorted(
        page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")
    )


def test_the_readme_gives_the_two_commands_a_fresh_machine_needs() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert "python dev.py demo" in text
    assert "python dev.py test" in text


def test_the_readme_links_only_to_what_is_in_the_repository() -> None:
    targets = _LINK.findall((ROOT / "README.md").read_text("utf-8"))
    pages = {target for target in targets if target.startswith("docs/")}
    assert len(pages) >= 4


# ── the changelog ──────────────────────────────────────────────────────────────────────────────

_KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_changelog_has_a_section_for_this_version_or_unreleased() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    sections = re.findall(r"^## \[(.+?)\](?: - (\d{4}-\d{2}-\d{2}))?$", text, re.MULTILINE)
    assert sections, "no section at all"
    assert all(date or name == "Unreleased" for name, date in sections)
    assert sections[0][0] in {"Unreleased", VERSION}
    others = [line for line in text.splitlines() if line.startswith("## ")]
    assert len(others) == len(sections)


def test_the_changelog_speaks_in_sentences_under_known_headings() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) <= _KINDS
    entries = re.findall(r"^- (.+(?:\n  .+)*)", text, re.MULTILINE)
    assert entries
    assert [entry for entry in entries if not entry.rstrip().endswith(".")] == []


# ── the built site ─────────────────────────────────────────────────────────────────────────────


class _Requests(HTMLParser):
    """What a browser fetches by itself when it opens a page; links a reader follows are not."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "link" and given.get("rel") not in ("canonical", "next", "prev"):
            self.fetched.append(given.get("href", ""))
        elif tag in ("script", "img", "iframe", "source", "video", "audio"):
            self.fetched.append(given.get("src", ""))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def test_the_site_asks_nothing_of_any_other_server(site: Path) -> None:
    outside = set()
    for page in site.rglob("*.html"):
        requests = _Requests()
        requests.feed(page.read_text("utf-8"))
        outside |= {one for one in requests.fetched if re.match(r"(https?:)?//", one)}
    for sheet in site.rglob("*.css"):
        outside |= set(re.findall(r"url\(['\"]?((?:https?:)?//[^)]+)\)", sheet.read_text("utf-8")))
    assert not outside


def test_no_reference_mark_is_left_unfilled(site: Path) -> None:
    assert [page.name for page in site.rglob("*.html") if "reference:" in page.read_text()] == []


def test_the_command_reference_names_every_command(site: Path) -> None:
    import typer.main

    from cadenza_cli.main import every_command

    def paths(command: Any, path: str) -> list[str]:
        below = getattr(command, "commands", {}).items()
        return [path] + [
            p for name, sub in below if not sub.hidden for p in paths(sub, f"{path} {name}")
        ]

    text = (site / "cli.html").read_text("utf-8")
    assert [
        one for one in paths(typer.main.get_command(every_command()), "cadenza") if one not in text
    ] == []


def test_the_api_reference_names_every_route(site: Path) -> None:
    from cadenza_server import ServerSettings, create_app

    routes = create_app(ServerSettings(env="dev")).openapi()["paths"]
    text = (site / "api.html").read_text("utf-8")
    assert [path for path in routes if path not in text] == []


def test_the_settings_table_names_every_setting(site: Path) -> None:
    from cadenza_uploader import Settings

    text = (site / "cli.html").read_text("utf-8")
    hidden = {"timings"}
    names = [f"CADENZA_{name.upper()}" for name in Settings.model_fields if name not in hidden]
    assert [name for name in names if name not in text] == []
