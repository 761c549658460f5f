"""The page can be read at every width, in both themes, and used without a mouse."""

from __future__ import annotations

import pytest
from opened import Opened
from pages import EVERY, SOME, text_for

WIDER = """return [document.documentElement.scrollWidth,
  ...[...document.body.querySelectorAll('*')]
    .filter((one) => !one.parentElement.closest('.scroll, .tokens'))
    .map((one) => one.getBoundingClientRect().right)].reduce((a, b) => Math.max(a, b), 0)"""
CONTROLS = """return [...document.querySelectorAll(
    'button, input, select, textarea, summary, [tabindex="0"]')]
  .filter((one) => !one.disabled && one.checkVisibility())
  .filter((one) => one.type !== 'radio' || one.checked).length"""
REACHED = """const one = document.activeElement;
  if (one === document.body || window.reached?.has(one)) return false;
  (window.reached ??= new Set()).add(one);
  const style = getComputedStyle(one.closest('.choice') ? one.parentElement : one);
  return one.matches('a, button, input, select, textarea, summary, [tabindex="0"]') &&
    (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 ? 'seen' : 'unseen')"""


@pytest.mark.parametrize("name", EVERY)
def test_no_page_is_wider_than_its_window(opened: Opened, name: str) -> None:
    opened(name).type(text_for(name))
    for width in (320, 768, 1920):
        opened.width(width)
        opened.settle()
        assert opened.driver.execute_script(WIDER) <= width


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", SOME)
def test_axe_finds_nothing_serious(
    opened: Opened, name: str, theme: str
) -> None:
    opened.theme(theme)
    opened(name, width=1280 if theme == "light" else 400).type(text_for(name))
    opened.click("[data-key^=rule]")  # as edited
    assert opened.axe() == []
    opened.type("?")  # with a problem
    assert opened.axe() == []
    opened.theme("light")


def test_axe_finds_nothing_serious_in_two_models(opened: Opened) -> None:
    opened("aab", "abc").type("ab")
    assert opened.axe() == []


@pytest.mark.parametrize("name", ["aab", "sequence/sort"])
def test_tab_reaches_every_control_and_the_focus_is_seen(
    opened: Opened, name: str
) -> None:
    opened(name).type(text_for(name))
    opened.click("[data-key^=rule]")
    controls = opened.driver.execute_script(CONTROLS)
    seen = []
    while len(seen) <= controls:
        opened.tab()
        found = opened.driver.execute_script(REACHED)
        if not found:
            break
        seen.append(found)
    assert set(seen) == {"seen"}
    assert len(seen) == controls


def test_headings_and_landmarks_name_the_parts(opened: Opened) -> None:
    opened("aab")
    assert opened.texts("h1") == ["aab"]
    assert len(opened.all("main, footer")) == 2
    assert all(opened.texts("h2"))
    assert opened.one("html").get_attribute("lang") == "en"
    unnamed = "table:not(:has(caption)), .scroll:not([aria-label])"
    assert opened.all(unnamed) == []


def test_on_paper_nothing_is_cut_off(opened: Opened) -> None:
    opened("sort").type(text_for("sort"))
    opened.theme("light", "print")
    hidden = """return [...document.querySelectorAll('.scroll')]
      .filter((one) => one.scrollHeight > one.clientHeight + 1).length"""
    assert opened.driver.execute_script(hidden) == 0
    assert not opened.one(".undo").is_displayed()
    opened.theme("light")


def test_colours_never_speak_alone(opened: Opened) -> None:
    opened("sort").type(text_for("sort"))
    assert all(
        text.startswith("-") or text == "~0"
        for text in opened.texts("td.minus")
    )
    assert all(
        float(text) > 0 for text in opened.texts("td.plus") if text != "~0"
    )
