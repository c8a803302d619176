"""Opens every page of the built site in headless Chromium and reports what a reader would trip over.

    python tools/check_site.py docs/_build/html [DIRECTORY FOR SCREENSHOTS]

Reported are links and anchors that lead nowhere, requests that fail or go to another host, errors in the console, and
pages that have to be scrolled sideways on a phone or a desktop. Needs Debian's chromium and "pip install playwright".
Links to other hosts are not followed.
"""

import functools
import http.server
import shutil
import sys
import threading
from pathlib import Path
from urllib.parse import unquote, urldefrag

from playwright.sync_api import sync_playwright

WIDTHS = {"phone": 390, "desktop": 1280}


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def look(page, address, shots):
    """Open a page in each width: its links, its anchors, and what is wrong with it."""
    faults = []
    listeners = {
        "console": lambda message: message.type in ("error", "warning") and faults.append(f"console: {message.text}"),
        "pageerror": lambda error: faults.append(f"script: {error}"),
        "requestfailed": lambda request: faults.append(f"request failed: {request.url}"),
        "response": lambda response: response.status >= 400 and faults.append(f"{response.status}: {response.url}"),
        "request": lambda request: request.url.startswith(("http", "ws")) and not request.url.startswith(ROOT_URL)
        and faults.append(f"another host: {request.url}"),
    }
    for event, listener in listeners.items():
        page.on(event, listener)
    page.goto(address, wait_until="load")
    for name, width in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": 900})
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            faults.append(f"{wide} pixels wide on a {name} of {width}")
        if shots:
            file = shots / f"{address.removeprefix(ROOT_URL).replace('/', '.').removesuffix('.html')}.{name}.png"
            page.screenshot(path=file, full_page=True)
    links = page.eval_on_selector_all("a[href]", "all => all.map(a => a.href)")
    anchors = page.eval_on_selector_all("[id], a[name]", "all => all.map(a => a.id || a.name)")
    for event, listener in listeners.items():
        page.remove_listener(event, listener)
    return links, {"", *anchors}, faults


site = Path(sys.argv[1]).resolve()
shots = Path(sys.argv[2]) if len(sys.argv) > 2 else None
if shots:
    shots.mkdir(parents=True, exist_ok=True)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=site))
threading.Thread(target=server.serve_forever, daemon=True).start()
ROOT_URL = f"http://127.0.0.1:{server.server_port}/"

links, anchors, faults = {}, {}, {}
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
    page = browser.new_page()
    for path in sorted(site.rglob("*.html")):
        address = ROOT_URL + path.relative_to(site).as_posix()
        links[address], anchors[address], faults[address] = look(page, address, shots)
    browser.close()

for address, targets in links.items():
    for target in dict.fromkeys(targets):
        file, anchor = urldefrag(target)
        if not file.startswith(ROOT_URL):
            continue
        if file.endswith("/"):
            file += "index.html"
        exists = (site / unquote(file.removeprefix(ROOT_URL))).is_file()
        if not exists or unquote(anchor) not in anchors.get(file, [""]):
            faults[address].append(f"a link leads nowhere: {target.removeprefix(ROOT_URL)}")

for address, found in faults.items():
    for fault in dict.fromkeys(found):
        print(f"{address.removeprefix(ROOT_URL)}: {fault}")
print(f"{len(links)} pages, {sum(map(len, links.values()))} links, {sum(map(len, faults.values()))} faults")
sys.exit(any(faults.values()))
