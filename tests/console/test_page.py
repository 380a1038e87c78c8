"""What an operator sees in a real browser."""

import itertools
import signal
from collections.abc import Callable
from typing import Any

import pytest

TAB, ENTER, LEFT, END = "\ue004", "\ue007", "\ue012", "\ue010"

# Numbers that move between two readings though nothing happens.
RESTLESS = ("process_", "docwarden_event_loop_stall_seconds")

READ_NUMBERS = """
return [...document.querySelectorAll("[data-metric], [data-metric-row]")].map((element) => ({
  name: element.dataset.metric ?? element.dataset.metricRow,
  labels: element.dataset.metric ? element.dataset.labels ?? "" : element.parentElement.dataset.key,
  value: element.dataset.value === undefined ? null : Number(element.dataset.value),
  text: element.textContent,
  unit: element.dataset.unit ?? "count",
}))
"""

# Ratio of the contrast of each visible text to what lies behind it (WCAG 2.2, 1.4.3).
READ_CONTRASTS = """
const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
function channels(colour, under) {
  context.clearRect(0, 0, 1, 1);
  for (const each of under ? [under, colour] : [colour]) {
    context.fillStyle = each;
    context.fillRect(0, 0, 1, 1);
  }
  return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
}
function background(element) {
  for (let each = element; each; each = each.parentElement) {
    const colour = getComputedStyle(each).backgroundColor;
    if (colour !== "rgba(0, 0, 0, 0)") return colour;
  }
  return "white";
}
function luminance(rgb) {
  const [r, g, b] = rgb.map((byte) => {
    const c = byte / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
  if (element.closest("noscript")) continue;
  const style = getComputedStyle(element);
  const under = background(element);
  const colour = element instanceof SVGElement ? style.fill : style.color;
  const front = luminance(channels(colour, under));
  const back = luminance(channels(under));
  const ratio = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
  found.push([Math.round(ratio * 100) / 100, walker.currentNode.data.trim().slice(0, 40)]);
}
return found.sort((a, b) => a[0] - b[0]);
"""


def open_console(browser: Any, gateway: Any) -> None:
    browser.open(f"{gateway.admin}/")
    browser.see("#link-text", "Live")
    browser.see("#verdict", "")
    browser.see("#read-at", ":")


def differences(browser: Any, gateway: Any) -> dict[str, object]:
    """Return every number on the page that is not what the metrics say."""
    metrics = gateway.metrics()
    seen = browser.run(READ_NUMBERS)
    assert len({number["name"] for number in seen}) >= 20
    wrong: dict[str, object] = {}
    for number in seen:
        if number["name"].startswith(RESTLESS):
            continue
        labels = tuple(number["labels"].split("|")) if number["labels"] else ()
        expected = metrics.get((number["name"], labels))
        shown = number["text"].replace(",", "")
        alike = number["unit"] != "count" or (expected is not None and shown == f"{expected:.0f}")
        if number["value"] != expected or not alike:
            wrong[f"{number['name']}{labels}"] = (number["value"], shown, expected)
    return wrong


def test_numbers_on_the_page_are_those_of_the_metrics(
    browser: Any, gateway: Any, poll: Callable[..., Any]
) -> None:
    open_console(browser, gateway)
    for number in range(40):
        gateway.get(f"/{number}")
    gateway.get("/not-an-id")
    total = gateway.metrics()["docwarden_documents_total", ("delivered",)]
    assert total >= 35
    browser.see('#outcomes tr[data-key="delivered"] td', f"{total:.0f}")
    poll(lambda: not differences(browser, gateway), lambda: differences(browser, gateway))


def test_breaker_is_seen_opening_when_the_upstream_breaks_and_closing_when_it_is_mended(
    browser: Any, upstream: Any, start_gateway: Any, clients: Callable[..., Any]
) -> None:
    gateway = start_gateway(upstream.url, breaker_open="2s")
    open_console(browser, gateway)
    browser.see("#breaker-state", "closed")
    clients(gateway)
    upstream.behave(listening=False)
    browser.see("#breaker-state", "open")
    browser.see("#concerns", "Upstream circuit open")
    browser.see("#failures tbody", "connect-failed")
    assert browser.run("return document.title").startswith("No documents delivered")
    upstream.behave(listening=True)
    browser.see("#breaker-state", "closed")
    assert float(browser.text("#part-breaker [data-metric$=openings_total]")) >= 1


def test_shedding_is_named(
    browser: Any, start_upstream: Any, start_gateway: Any, clients: Callable[..., Any]
) -> None:
    upstream = start_upstream("--latency", "300ms")
    gateway = start_gateway(upstream.url, max_concurrency="1", queue_timeout="10ms")
    open_console(browser, gateway)
    clients(gateway, threads=8)
    browser.see("#standing", "Shedding load")
    browser.see("#failures tbody", "concurrency-limit")


def test_lost_gateway_is_said_at_once_and_its_return_is_noticed(
    browser: Any, upstream: Any, start_gateway: Any
) -> None:
    gateway = start_gateway(upstream.url)
    open_console(browser, gateway)
    gateway.stop(signal.SIGKILL)
    browser.see("#link-text", "Connection lost", patience=3)
    browser.see("#lost", "The gateway does not answer. The numbers below are from")
    start_gateway(upstream.url, admin=gateway.admin.removeprefix("http://"))
    browser.see("#link-text", "Live")
    assert not browser.run("return document.getElementById('lost').checkVisibility()")


def test_draining_is_shown_until_the_process_ends(
    browser: Any, upstream: Any, start_gateway: Any
) -> None:
    gateway = start_gateway(upstream.url, drain_delay="2s")
    open_console(browser, gateway)
    browser.see('[data-detail="phase"]', "ready")
    gateway.process.send_signal(signal.SIGTERM)
    browser.see('[data-detail="phase"]', "draining")
    browser.see("#verdict", "Draining")
    browser.see("#link-text", "Connection lost")
    assert gateway.process.wait(10) == 0


def test_page_runs_without_complaints(
    browser: Any, gateway: Any, clients: Callable[..., Any]
) -> None:
    open_console(browser, gateway)
    clients(gateway)
    browser.see("#findings tbody", "pdf-startxref-wrong")
    browser.resize(400, 800)
    browser.run(
        "document.getElementById('theme').click(); document.getElementById('pause').click()"
    )
    browser.see("#link-text", "Paused")
    assert browser.complaints() == []


@pytest.mark.parametrize(
    ("directive", "attempt"),
    {
        "script-src-elem": "const s = document.createElement('script');"
        " s.textContent = 'window.ran = 1'; document.head.append(s)",
        "style-src-attr": "document.body.setAttribute('style', 'color: red')",
        "connect-src": "fetch('http://127.0.0.1:9/').catch(() => 0)",
        "img-src": "new Image().src = 'http://127.0.0.1:9/x.png'",
        "frame-src": "const f = document.createElement('iframe'); f.src = '/metrics';"
        " document.body.append(f)",
    }.items(),
)
def test_policy_stops_what_a_page_of_its_own_never_does(
    browser: Any, gateway: Any, poll: Callable[..., Any], attempt: str, directive: str
) -> None:
    open_console(browser, gateway)
    browser.run(
        "window.stopped = [];"
        "addEventListener('securitypolicyviolation', (e) => stopped.push(e.effectiveDirective));"
        + attempt
    )
    poll(lambda: directive in browser.run("return stopped"), lambda: browser.run("return stopped"))
    assert browser.run("return window.ran") is None
    browser.complaints()


def test_texts_from_outside_are_shown_as_texts(
    browser: Any, upstream: Any, start_gateway: Any
) -> None:
    hostile = "<img src=x onerror=window.ran=1>"
    gateway = start_gateway(upstream.url, revision=hostile)
    open_console(browser, gateway)
    browser.run("document.getElementById('h-settings-box').open = true")
    browser.see("#settings tbody", hostile)
    assert browser.run("return document.images.length") == 0


def focused(browser: Any) -> str:
    return str(
        browser.run(
            "const e = document.activeElement;"
            "return e.id || e.getAttribute('aria-label') || e.textContent.trim()"
        )
    )


def test_everything_can_be_reached_and_used_by_keyboard(browser: Any, gateway: Any) -> None:
    gateway.get("/1")
    open_console(browser, gateway)
    walk = []
    for _ in range(17):
        browser.press(TAB)
        walk.append(focused(browser))
    charts = [f"{name}, point in time" for name in (
        "Requests", "Delivery time", "Upstream attempts", "Concurrency")]  # fmt: skip
    pages = ["metrics", "readyz", "livez", "startupz", "version"]
    assert walk == [
        "Skip to content", "pause", "theme", "tail", "explain-id", "explain-ask", *charts,
        "Components", "Effective settings 3 differ from the default", *pages,
    ]  # fmt: skip


def test_skip_link_leads_to_the_content(browser: Any, gateway: Any) -> None:
    open_console(browser, gateway)
    browser.press(TAB, ENTER)
    assert focused(browser) == "content"


def test_theme_follows_the_system_until_one_is_chosen(browser: Any, gateway: Any) -> None:
    open_console(browser, gateway)

    def dark() -> bool:
        colour = browser.run("return getComputedStyle(document.body).backgroundColor")
        return sum(map(int, colour.removeprefix("rgb(").rstrip(")").split(","))) < 3 * 64

    assert not dark()
    browser.prefer("dark")
    assert dark()
    browser.press(TAB, TAB, TAB, ENTER)
    assert browser.text("#theme") == "Theme: light"
    assert not dark()
    open_console(browser, gateway)
    assert not dark(), "the choice outlasts the page"
    browser.run("localStorage.clear()")


def test_arrow_keys_read_a_chart_at_an_earlier_moment(
    browser: Any, gateway: Any, poll: Callable[..., Any]
) -> None:
    open_console(browser, gateway)

    def told() -> str:
        return str(browser.run("return document.activeElement.getAttribute('aria-valuetext')"))

    browser.press(*[TAB] * 7)
    poll(lambda: told().startswith("now: succeeded"), told)
    # The first point is a second older than the second.
    poll(lambda: browser.press(LEFT) or not told().startswith("now"), told)
    assert ": succeeded" in told()
    browser.press(END)
    assert told().startswith("now")


def test_pause_holds_the_page_still_and_resume_catches_up(
    browser: Any, gateway: Any, poll: Callable[..., Any]
) -> None:
    delivered = '#outcomes tr[data-key="not_modified"] td'
    open_console(browser, gateway)
    browser.see(delivered, "0")
    browser.run("document.getElementById('pause').click()")
    browser.see("#link-text", "Paused")
    browser.run(
        "window.samples = 0; const s = new EventSource('events');"
        "s.addEventListener('sample', () => { window.samples += 1; })"
    )
    gateway.get("/7")
    total = sum(
        value
        for (name, _), value in gateway.metrics().items()
        if name == "docwarden_documents_total"
    )
    assert total == 1
    poll(lambda: browser.run("return samples >= 2"), lambda: browser.run("return samples"))
    seen = (
        "return [...document.querySelectorAll('#outcomes td:nth-child(2)')].map((e) => e.innerText)"
    )
    assert set(browser.run(seen)) == {"0"}
    browser.run("document.getElementById('pause').click()")
    assert sorted(set(browser.run(seen))) == ["0", "1"]


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_is_wider_than_the_screen(
    browser: Any, start_upstream: Any, start_gateway: Any, width: int
) -> None:
    upstream = start_upstream("--fault", "cut")
    gateway = start_gateway(upstream.url, integrity_checks="trailing-bytes=enforce")
    gateway.get("/9223372036854775807")
    browser.resize(width, 800)
    open_console(browser, gateway)
    browser.see("#failures tbody", "9223372036854775807")
    assert browser.run("return document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_enough_contrast(
    browser: Any, start_upstream: Any, start_gateway: Any, clients: Callable[..., Any], scheme: str
) -> None:
    upstream = start_upstream()
    gateway = start_gateway(upstream.url)
    browser.prefer(scheme)
    open_console(browser, gateway)
    clients(gateway)
    browser.see("#findings tbody", "pdf-startxref-wrong")
    calm = browser.run(READ_CONTRASTS)
    upstream.behave(listening=False)
    browser.see("#concerns", "Upstream circuit open")
    broken = browser.run(READ_CONTRASTS)
    gateway.stop()
    browser.see("#link-text", "Connection lost")
    lost = browser.run(READ_CONTRASTS)
    assert len(calm) > 200
    assert [each for each in (*calm, *broken, *lost) if each[0] < 4.5] == []


def test_assistive_technology_finds_its_way(browser: Any, gateway: Any) -> None:
    open_console(browser, gateway)
    nodes = browser.devtools("Accessibility.getFullAXTree")["nodes"]
    found = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node["ignored"]
    ]
    roles = [role for role, _ in found]
    for landmark in ("banner", "main", "navigation", "contentinfo"):
        assert roles.count(landmark) == 1, landmark
    nameless = [
        role
        for role, name in found
        if role in ("button", "link", "checkbox", "slider", "table", "region", "heading")
        and not name
    ]
    assert nameless == []
    levels = browser.run(
        "return [...document.querySelectorAll('h1,h2,h3')].map((e) => +e.tagName[1])"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    live = browser.run(
        "return [...document.querySelectorAll('[aria-live], [role=status], [role=alert]')]"
        ".map((e) => e.id)"
    )
    assert live == ["link-text", "lost", "announced", "explained"]


def ask(browser: Any, document_id: str) -> None:
    browser.run(
        "document.getElementById('explain-id').value = arguments[0];"
        "document.getElementById('explain-ask').click()",
        document_id,
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_one_document_is_asked_about(
    browser: Any, start_upstream: Any, start_gateway: Any, workers: int
) -> None:
    upstream = start_upstream("--mix", "corrupt-pdf=1")
    gateway = start_gateway(upstream.url, corrupt_attempts="2", workers=str(workers))
    open_console(browser, gateway)
    ask(browser, "7")
    browser.see("#explained", "Document 7: a client would get 502 document-corrupt")
    browser.see("#explained", "pdf-startxref-wrong, after 2 attempts.")
    browser.see("#explanation tbody", "enforce pdf-startxref-wrong: no section at offset")
    assert browser.run("return document.querySelectorAll('#explanation tbody tr').length") == 2
    upstream.behave(mix={"png": 1})
    ask(browser, "8")
    browser.see("#explained", "Document 8: a client would get 200 image/png after 1 attempt.")
    ask(browser, "08")
    browser.see("#explained", "A document id is 1 to 19 decimal digits")
    assert not browser.run("return document.getElementById('explanation').checkVisibility()")
    assert browser.complaints() == []


def test_question_that_is_one_too_many_is_told_when_to_come_again(
    browser: Any, gateway: Any
) -> None:
    open_console(browser, gateway)
    for _ in range(12):
        ask(browser, "7")
        browser.run(
            "return new Promise((done) => { const look = () =>"
            " document.getElementById('explain-ask').disabled ? setTimeout(look, 5) : done();"
            " look(); })"
        )
        if "too-many-explanations. Try again in" in browser.text("#explained"):
            break
    browser.see("#explained", "too-many-explanations. Try again in")
    browser.complaints()


def test_switched_off_there_is_no_field(browser: Any, upstream: Any, start_gateway: Any) -> None:
    gateway = start_gateway(upstream.url, explain="false")
    open_console(browser, gateway)
    browser.see("#changed-count", "4")
    assert not browser.run("return document.getElementById('explaining').checkVisibility()")


def test_requests_that_end_well_are_shown_on_demand(browser: Any, gateway: Any) -> None:
    open_console(browser, gateway)
    assert not browser.run("return document.getElementById('successes').checkVisibility()")
    browser.run("document.getElementById('tail').click()")
    browser.see("#link-text", "Live")
    ended = iter(range(1000, 100_000))

    def seen() -> str:
        gateway.get(f"/{next(ended)}")
        return str(browser.text("#successes tbody"))

    while "intact" not in (rows := seen()):
        pass
    assert "delivered" in rows
    browser.run("document.getElementById('tail').click()")
    assert not browser.run("return document.getElementById('successes').checkVisibility()")
    assert browser.complaints() == []
