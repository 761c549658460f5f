"""What the tests of the page share: a headless Chromium a worker, and pages to open in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from opened import Opened, start
from selenium.webdriver import Chrome

NEEDED = ("chromium", "chromedriver", "node")


def pytest_configure() -> None:
    """End where a program is missing: a test that is skipped says nothing."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        raise pytest.UsageError(
            f"the tests of the page need {', '.join(missing)}; Debian's packages"
            " are chromium, chromium-driver and nodejs"
        )


@pytest.fixture(scope="session")
def driver() -> Iterator[Chrome]:
    """A browser, one for all tests of a worker."""
    driver = start()
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
