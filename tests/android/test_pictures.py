"""The pictures of the app: all are shown, none is missing, and together they stay small."""

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
PICTURES = DOCS / "android"
MOST_BYTES = 2_500_000


def linked(page: Path) -> list[Path]:
    return [
        (page.parent / target).resolve()
        for target in re.findall(r"!\[[^]]+\]\(([^)]+\.png)\)", page.read_text(encoding="utf-8"))
    ]


def test_the_page_shows_every_picture_once():
    there = sorted(path.resolve() for path in PICTURES.rglob("*.png"))
    assert sorted(linked(PICTURES / "README.md")) == there
    assert len(there) > 100


def test_every_kind_of_phone_has_every_screen():
    screens = {
        folder.name: {path.name for path in folder.glob("*.png")}
        for folder in PICTURES.iterdir()
        if folder.is_dir()
    }
    assert len(set(map(frozenset, screens.values()))) == 1, screens


def test_the_readme_shows_some():
    shown = linked(DOCS.parent / "android_demo" / "README.md")
    assert shown
    assert all(path.is_file() for path in shown)


def test_they_stay_small():
    assert sum(path.stat().st_size for path in PICTURES.rglob("*.png")) < MOST_BYTES
