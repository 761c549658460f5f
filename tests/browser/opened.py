"""Opens pages in the browser and reads what they show."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from selenium.webdriver import (
    ActionChains,
    Chrome,
    ChromeOptions,
    ChromeService,
)
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from handcraft import Model
from handcraft.core.errors import printable
from handcraft.results.view import viewed
from handcraft.viewer.page import page
from handcraft.viewer.payload import Viewed

AXE = Path(__file__).parent / "node_modules/axe-core/axe.min.js"
ROWS = """return [...arguments[0].querySelectorAll('table')].map((table) =>
  [...table.rows].map((row) => [...row.cells].map((cell) => cell.textContent)))"""


class Opened:
    """A page in the browser. Its methods find elements by selectors, inside the first model."""

    def __init__(self, driver: Chrome, folder: Path) -> None:
        self.driver, self.folder = driver, folder

    def __call__(
        self,
        *models: str | Model | Viewed,
        address: str = "",
        width: int = 1280,
        path: Path | None = None,
    ) -> Opened:
        """Open the page of these models, or that file, and wait until it is drawn."""
        self.path = path or self.write(models)
        self.width(width)
        self.driver.get("about:blank")
        self.driver.get_log("performance")
        self.driver.get_log("browser")
        self.driver.get(self.path.as_uri() + address)
        self.settle()
        return self

    def write(self, models: Sequence[str | Model | Viewed]) -> Path:
        """The file of the page; that of bundled programs is written once."""
        name = str(len(list(self.folder.iterdir())))
        if all(isinstance(one, str) for one in models):
            name = "_".join(map(str, models)).replace("/", "-")
        path = self.folder / f"{name}.html"
        if not path.exists():
            path.write_text(page([_viewed(one) for one in models]), "utf-8")
        return path

    def settle(self) -> None:
        """Wait until everything is drawn."""
        wait = WebDriverWait(self.driver, 20, poll_frequency=0.01)
        wait.until(
            lambda driver: driver.execute_async_script(
                "const done = arguments[0];"
                "requestAnimationFrame(() => setTimeout(() => setTimeout(() =>"
                " done(!document.querySelector('main[aria-busy]')))))"
            )
        )

    def width(self, pixels: int, height: int = 900) -> None:
        """Give the window this width."""
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {
                "width": pixels,
                "height": height,
                "deviceScaleFactor": 1,
                "mobile": False,
            },
        )

    def theme(self, scheme: str, media: str = "") -> None:
        """Ask for `dark` or `light`; with `print`, as on paper."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia",
            {"media": media, "features": [feature]},
        )

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        """What an element says, whether it can be seen or not."""
        return str(self.one(selector).get_property("textContent"))

    def texts(self, selector: str) -> list[str]:
        """What each of these elements says."""
        found: list[str] = self.driver.execute_script(
            "return [...document.querySelectorAll(arguments[0])]"
            ".map((one) => one.textContent)",
            selector,
        )
        return found

    def rows(self, selector: str) -> list[list[list[str]]]:
        """The texts of the cells of the tables in an element: [table][row][cell]."""
        found: list[list[list[str]]] = self.driver.execute_script(
            ROWS, self.one(selector)
        )
        return found

    def type(self, text: str) -> None:
        """Put a text in place of the one that stands there."""
        self.enter(".text", text)

    def enter(self, selector: str, value: str) -> None:
        """Give a field a value as typing does."""
        self.driver.execute_script(
            "const [field, value] = arguments; field.value = value;"
            "for (const kind of ['input', 'change'])"
            " field.dispatchEvent(new Event(kind, {bubbles: true}))",
            self.one(selector),
            value,
        )
        self.settle()

    def click(self, element: str | WebElement) -> None:
        """Press a button, a cell or a choice."""
        found = self.one(element) if isinstance(element, str) else element
        self.driver.execute_script("arguments[0].click()", found)
        self.settle()

    def focus(self, selector: str) -> None:
        """Put the focus on an element."""
        self.driver.execute_script("arguments[0].focus()", self.one(selector))

    def press(self, *keys: str) -> None:
        """Press keys where the focus is."""
        for key in keys:
            self.driver.switch_to.active_element.send_keys(getattr(Keys, key))
            self.settle()

    def address(self) -> str:
        """What stands behind the # in the address, which is written a little later."""
        time.sleep(0.3)
        return str(self.driver.current_url).split("#")[1]

    def downloads(self, folder: Path) -> None:
        """Let the browser put files into a folder."""
        self.saved = folder
        self.driver.execute_cdp_cmd(
            "Browser.setDownloadBehavior",
            {"behavior": "allow", "downloadPath": str(folder)},
        )

    def downloaded(self, name: str) -> str:
        """The text of a file that the browser saves."""
        path = self.saved / name
        WebDriverWait(self.driver, 10).until(lambda _: path.exists())
        return path.read_text("utf-8")

    def tab(self) -> None:
        """Move the focus on, as the key Tab does."""
        ActionChains(self.driver).send_keys(Keys.TAB).perform()

    def requests(self) -> list[str]:
        """The addresses that were asked for since the page was opened, but for its own file."""
        entries = [
            json.loads(entry["message"])["message"]
            for entry in self.driver.get_log("performance")
        ]
        asked = [
            entry["params"]["request"]["url"]
            for entry in entries
            if entry["method"] == "Network.requestWillBeSent"
        ]
        return [url for url in asked if url.split("#")[0] != self.path.as_uri()]

    def complaints(self) -> list[str]:
        """What the browser has to say: errors, and what the policy forbids."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def axe(self) -> list[str]:
        """What axe-core finds that is serious or critical."""
        self.driver.execute_script(AXE.read_text("utf-8"))
        found: Mapping[str, Any] = self.driver.execute_async_script(
            "axe.run().then(arguments[arguments.length - 1])"
        )
        return [
            f"{one['id']}: {one['nodes'][0]['html'][:200]}"
            f" {one['nodes'][0]['failureSummary']}"
            for one in found["violations"]
            if one["impact"] in {"serious", "critical"}
        ]


def shown(text: str) -> str:
    """A text as the page shows it: spaces at its ends can be seen."""
    bare = printable(text)
    left = len(bare) - len(bare.lstrip(" "))
    right = len(bare.rstrip(" "))
    ends = len(bare) - right if right else 0
    return "␣" * left + bare.strip(" ") + "␣" * ends


def start() -> Chrome:
    """A headless Chromium that writes down what it asks for and complains about."""
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


def numbers_in(cells: Iterable[str]) -> list[float]:
    """The numbers that cells show; what is lost beside others is 0."""
    return [0.0 if cell == "~0" else float(cell) for cell in cells]


def _viewed(one: str | Model | Viewed) -> Viewed:
    if isinstance(one, Viewed):
        return one
    return Viewed(one) if isinstance(one, Model) else bundled_view(one)


@cache
def bundled_view(name: str) -> Viewed:
    """A bundled program as `handcraft view` shows it."""
    return viewed(name, verified=name == "aab")  # others take longer
