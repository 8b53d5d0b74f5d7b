"""A headless Chromium that tests can type into, by its own debugging protocol."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
    "--remote-allow-origins=*",
)


def find_chromium() -> str | None:
    """The browser's path; None where there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome", "chrome"):
        if path := os.environ.get("LABELNOISE_CHROMIUM") or shutil.which(name):
            return path
    return None


class Browser:
    """One page; use within ``async with``."""

    def __init__(self, chromium: str, folder: Path) -> None:
        self._chromium, self._folder = chromium, folder
        self._last = 0
        self.complaints: list[Any] = []

    async def __aenter__(self) -> Browser:
        from tornado.websocket import websocket_connect

        profile = self._folder / "profile"
        self._process = subprocess.Popen(
            [self._chromium, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        port_file, deadline = profile / "DevToolsActivePort", time.monotonic() + 40
        while not (port_file.exists() and port_file.read_text().strip()):
            if time.monotonic() > deadline:
                raise TimeoutError("the browser did not start")
            time.sleep(0.05)
        port = port_file.read_text().split()[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
            pages = [page for page in json.load(answer) if page["type"] == "page"]
        self._socket = await websocket_connect(pages[0]["webSocketDebuggerUrl"])
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.call(f"{domain}.enable")
        await self.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(self._folder))
        return self

    async def __aexit__(self, *error: object) -> None:
        self._socket.close()
        self._process.kill()
        self._process.wait()

    async def call(self, method: str, **parameters: Any) -> Any:
        """Send one command, wait for its answer; errors and console messages on the way are kept."""
        self._last += 1
        await self._socket.write_message(
            json.dumps({"id": self._last, "method": method, "params": parameters})
        )
        while True:
            message = json.loads(await self._socket.read_message())
            kind = message.get("method")
            if kind in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"):
                self.complaints.append(message["params"])
            if kind == "Network.requestWillBeSent":
                address = message["params"]["request"]["url"]
                if not address.startswith(("file:", "data:", "blob:", "about:")):
                    self.complaints.append(address)
            if message.get("id") == self._last:
                assert "error" not in message, message
                return message["result"]

    async def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        result = await self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    async def open(self, address: str) -> None:
        """Go to a page and wait for it."""
        await self.call("Page.navigate", url=address)
        for _ in range(200):
            if await self.evaluate("document.readyState") == "complete":
                return
            time.sleep(0.05)
        raise TimeoutError(address)

    async def press(self, key: str) -> None:
        """Type one key."""
        for kind in ("keyDown", "keyUp"):
            text = {"text": key} if kind == "keyDown" and len(key) == 1 else {}
            await self.call("Input.dispatchKeyEvent", type=kind, key=key, **text)
