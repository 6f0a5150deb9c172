"""The colours keep their promise: WCAG contrast computed from the stylesheet itself."""

from __future__ import annotations

import re

import pytest

from brahmastra_site.launcher.environment import REPOSITORY

TOKENS = dict(
    re.findall(r"--([a-z]+):\s*(#[0-9a-f]{6});", (REPOSITORY / "static/css/tokens.css").read_text())
)
GROUNDS = ("ground", "panel", "raised")
WORDS = ("text", "muted", "accent", "gain", "loss", "warn", "stop", "good", "hypo")


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb (WCAG 2.2)."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """WCAG contrast of two colours, 1 to 21."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_the_formula_knows_its_ends() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("word", WORDS)
def test_every_text_colour_is_readable_on_every_ground(word: str, ground: str) -> None:
    assert contrast(TOKENS[word], TOKENS[ground]) >= 4.5


@pytest.mark.parametrize("fill", ["accent", "stop"])
def test_dark_words_are_readable_on_filled_buttons(fill: str) -> None:
    assert contrast(TOKENS["ground"], TOKENS[fill]) >= 4.5


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("edge", ["edge", "accent"])
def test_edges_of_controls_and_focus_are_visible(edge: str, ground: str) -> None:
    assert contrast(TOKENS[edge], TOKENS[ground]) >= 3


def test_the_hatch_takes_no_readability_away() -> None:
    """Violet at 9 % over the ground is the worst place a word may stand on."""
    mixed = [
        round(int(TOKENS["ground"][at : at + 2], 16) * 0.91 + part * 0.09)
        for at, part in ((1, 183), (3, 156), (5, 255))
    ]
    hatched = "#" + "".join(f"{value:02x}" for value in mixed)
    for word in WORDS:
        assert contrast(TOKENS[word], hatched) >= 4.5, word


def test_no_template_carries_style_script_or_code_in_attributes() -> None:
    forbidden = re.compile(r"<script(?![^>]*\bsrc=)|<style\b|\sstyle=|\son[a-z]+=|hx-on|\bjs:")
    for path in (REPOSITORY / "templates").rglob("*.html"):
        assert not forbidden.search(path.read_text()), path


def test_no_stylesheet_or_script_sends_anyone_elsewhere() -> None:
    for path in (*(REPOSITORY / "static").rglob("*.css"), *(REPOSITORY / "static").rglob("*.js")):
        assert not re.search(r"https?://|eval\(|new Function|@import", path.read_text()), path
