"""What the tests of the page share: a headless Chromium a worker, and pages to open in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from opened import Opened
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

NEEDED = ("chromium", "chromedriver", "node")


def pytest_configure() -> None:
    """End where a program is missing: a test that is skipped says nothing."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        raise pytest.UsageError(
            f"the tests of the page need {', '.join(missing)}; Debian's packages"
            " are chromium, chromium-driver and nodejs"
        )


@cache
def _driver() -> Chrome:
    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for option in (
        "--headless=new",
        "--no-sandbox",  # in a container there is none
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--hide-scrollbars",
    ):
        options.add_argument(option)
    options.set_capability(
        "goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"}
    )
    return Chrome(options, ChromeService(shutil.which("chromedriver")))


@pytest.fixture(scope="session")
def driver() -> Iterator[Chrome]:
    """A browser, one for all tests of a worker."""
    driver = _driver()
    yield driver
    driver.quit()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the pages lie, each written once."""
    return tmp_path_factory.mktemp("pages")


@pytest.fixture
def opened(driver: Chrome, folder: Path) -> Opened:
    """A browser that opens pages: `opened("aab")` shows that of a bundled program."""
    return Opened(driver, folder)
