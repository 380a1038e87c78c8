// The operator console: listens to the gateway's events and shows them.

import { Board } from "./charts.js";
import { offerToExplain } from "./explain.js";
import { REFUSED, showFailures, showSuccesses } from "./requests.js";
import { clock, count, fill, make, milliseconds, narrow, percent, put, rate, seconds, span, tied, units } from "./write.js";

const $ = (id) => document.getElementById(id);
// Events come every second; after this many without one, the connection counts as lost.
const SILENCE = 5000;
const AGAIN = 2000;

const TONES = { good: "#1f9d61", warn: "#c98a06", bad: "#d5433b", unknown: "#78828e" };
const BREAKER = { closed: "closed", open: "open", half_open: "half-open" };
const GOOD = ["delivered", "not_modified", "not_found"];
// Not what was asked for, and not a failure to serve either.
const AILING = [...REFUSED, "delivered_stale"];
const ANSWERED = ["intact", "upstream-not-found"];

let last = null;
let about = null;
let paused = false;
let held = {};

// --- theme

function showTheme(name) {
  if (name === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  put($("theme"), `Theme: ${name}`);
}

// Storage may be switched off; the choice then lasts as long as the page.
const memory = {
  read: () => { try { return localStorage.getItem("theme") ?? "system"; } catch { return "system"; } },
  write: (name) => { try { localStorage.setItem("theme", name); } catch { /* as above */ } },
};
const THEMES = ["system", "light", "dark"];
let theme = THEMES.includes(memory.read()) ? memory.read() : "system";
showTheme(theme);
$("theme").addEventListener("click", () => {
  theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  memory.write(theme);
  showTheme(theme);
});

// --- charts

const board = new Board($("charts"), [
  {
    title: "Requests", unit: "per second", least: 1, write: rate,
    series: [
      { key: "good", label: "succeeded", tone: "tone-good", kind: "area" },
      { key: "refused", label: "refused", tone: "tone-warn", kind: "area" },
      { key: "failed", label: "failed", tone: "tone-bad", kind: "area" },
    ],
  },
  {
    title: "Delivery time", unit: "milliseconds", least: 0.01, write: milliseconds, scale: 1000,
    series: [
      { key: "p50", label: "median", tone: "tone-low", kind: "line" },
      { key: "p95", label: "95 %", tone: "tone-mid", kind: "line" },
      { key: "p99", label: "99 %", tone: "tone-high", kind: "line" },
    ],
  },
  {
    title: "Upstream attempts", unit: "per second", least: 1, write: rate,
    series: [
      { key: "answered", label: "intact", tone: "tone-good", kind: "area" },
      { key: "damaged", label: "damaged", tone: "tone-damaged", kind: "area" },
      { key: "broken", label: "no answer", tone: "tone-bad", kind: "area" },
    ],
  },
  {
    title: "Concurrency", unit: "requests", least: 4, write: count,
    series: [
      { key: "requests_in_flight", label: "in flight", tone: "tone-mid", kind: "area" },
      { key: "requests_waiting", label: "waiting", tone: "tone-warn", kind: "area" },
      { key: "concurrency_limit", label: "limit", tone: "tone-limit", kind: "dashed" },
    ],
  },
]);

// On a phone the parts are asked for; the page stays short.
$("parts-box").open = !narrow.matches;

// --- what the events bring

function rows(name) {
  return last.metrics[name] ?? [];
}

function sample(name, labels = "") {
  const row = rows(name).find((each) => each.slice(0, -1).join("|") === labels);
  return row?.at(-1);
}

function written(value, unit) {
  if (value == null || value === "") return "–";
  return typeof value === "string" ? value : (units[unit] ?? count)(value);
}

function showNumber(element, value, title) {
  put(element, written(value, element.dataset.unit));
  if (value != null) element.dataset.value = value;
  if (title) element.title = title;
}

function showBound() {
  for (const element of document.querySelectorAll("[data-metric]")) {
    const { metric, labels } = element.dataset;
    showNumber(element, sample(metric, labels), labels ? `${metric} (${labels})` : metric);
  }
  for (const element of document.querySelectorAll("[data-sum]")) {
    const each = rows(element.dataset.sum).map((row) => row.at(-1));
    showNumber(element, each.reduce((sum, value) => sum + value, 0), element.dataset.sum);
  }
  for (const element of document.querySelectorAll("[data-detail]")) {
    showNumber(element, last.details[element.dataset.detail]);
  }
}

function fillConcerns(concerns) {
  const list = $("concerns");
  while (list.children.length > concerns.length) list.lastChild.remove();
  concerns.forEach((concern, index) => {
    const item = list.children[index] ?? list.appendChild(make("li", {}, make("b"), make("span"), make("a", { hidden: "" }, "Runbook")));
    const [title, text, runbook] = item.children;
    item.dataset.level = concern.level;
    // The first one's title is the heading already.
    put(title, index === 0 ? "" : `${concern.title}. `);
    put(text, `${tied(concern.text)} `);
    const runbooks = about?.links.Runbooks;
    runbook.hidden = !(runbooks && concern.runbook);
    if (!runbook.hidden) runbook.href = `${runbooks.replace(/\/$/, "")}/${concern.runbook}`;
  });
}

function showVerdict() {
  const { verdict, details, point } = last;
  $("standing").dataset.level = verdict.level;
  put($("verdict"), verdict.title);
  put($("announced"), verdict.title);
  document.title = [verdict.title, about?.resource.instance, about?.resource.environment, "docwarden"].filter(Boolean).join(" · ");
  const icon = $("icon");
  const href = icon.href.replace(/%23[0-9a-f]{6}/, `%23${TONES[verdict.level].slice(1)}`);
  if (icon.href !== href) icon.href = href;
  fillConcerns(verdict.concerns);
  showState($("liveness"), details.stuck ? `stuck for ${seconds(details.stuck)}` : "alive", details.stuck ? "bad" : "good");
  const state = { closed: "good", half_open: "warn", open: "bad" }[details.breaker];
  for (const id of ["breaker-word", "breaker-state"]) showState($(id), BREAKER[details.breaker], state);
  put($("uptime"), span(point.t - sample("process_start_time_seconds")));
}

function showState(element, text, level) {
  put(element, text);
  element.dataset.level = level;
}

function showTiles() {
  const { short, long } = last;
  put($("tile-rate"), short.seconds ? rate(short.good + short.failed + short.refused) : "–");
  put($("tile-good"), percent(long.good_share));
  put($("good-window"), `Success rate, last ${Math.max(1, Math.round(long.seconds))} s`);
  for (const name of ["p50", "p95", "p99"]) put($(`tile-${name}`), milliseconds(long[name]));
}

function showOutcomes() {
  const tone = (outcome) => (GOOD.includes(outcome) ? "good" : AILING.includes(outcome) ? "warn" : outcome === "client_closed" ? "unknown" : "bad");
  fill($("outcomes").tBodies[0], rows("docwarden_documents_total").map(([outcome, total]) => ({
    key: outcome,
    state: total ? tone(outcome) : "none",
    cells: [
      { text: outcome.replaceAll("_", " ") },
      { text: count(total), className: "n", value: total, title: `docwarden_documents_total{outcome="${outcome}"}`, metric: "docwarden_documents_total" },
      { text: rate(last.short.outcomes[outcome] ?? 0), className: "n" },
    ],
  })));
}

function showAttempts() {
  const name = "docwarden_upstream_attempts_total";
  const tone = (result) => (ANSWERED.includes(result) ? "good" : result === "client-closed" ? "unknown" : "bad");
  const seen = rows(name).filter((row) => row.at(-1) > 0).sort((a, b) => b.at(-1) - a.at(-1));
  const unseen = rows(name).filter((row) => row.at(-1) === 0).map(([result]) => result.replaceAll("-", " "));
  put($("unseen"), unseen.length ? `Not seen: ${unseen.join(", ")}.` : "");
  fill($("attempts").tBodies[0], seen.map(([result, total]) => ({
    key: result,
    state: tone(result),
    cells: [
      { text: result.replaceAll("-", " ") },
      { text: count(total), className: "n", value: total, title: `${name}{result="${result}"}`, metric: name },
      { text: rate(last.short.attempts[result] ?? 0), className: "n" },
      { text: last.long.means[result] == null ? "–" : seconds(last.long.means[result]), className: "n", title: "docwarden_upstream_attempt_duration_seconds" },
    ],
  })));
}

function showFindings() {
  const found = new Map();
  for (const [place, name] of [[3, "docwarden_integrity_failures_total"], [4, "docwarden_integrity_observations_total"]]) {
    for (const [type, reason, tier, total] of rows(name)) {
      const key = `${type} ${reason} ${tier}`;
      const row = found.get(key) ?? [type, reason, tier, 0, 0];
      row[place] += total;
      found.set(key, row);
    }
  }
  const sorted = [...found].sort(([, a], [, b]) => b[3] + b[4] - a[3] - a[4]).slice(0, 20);
  fill($("findings").tBodies[0], sorted.map(([key, row]) => ({
    key,
    cells: [
      { text: row[0].replace(/^[a-z]+\//, ""), title: row[0] },
      { text: row[1] },
      ...row.slice(2).map((value) => ({ text: count(value), className: "n" })),
    ],
  })));
  $("findings").hidden = !sorted.length;
}

function showProcessor(before) {
  const name = "process_cpu_seconds_total";
  const [now, then] = [sample(name), before?.metrics[name]?.[0]?.at(-1)];
  const elapsed = before ? last.point.t - before.point.t : 0;
  put($("processor"), elapsed > 0 && then !== undefined ? `${((100 * (now - then)) / elapsed).toFixed(1)} %` : "–");
  $("processor").title = name;
}

function showSample(data) {
  const before = last;
  last = data;
  showVerdict();
  showTiles();
  board.render();
  showOutcomes();
  showAttempts();
  showFindings();
  showBound();
  showProcessor(before);
  put($("read-at"), clock(data.point.t));
}

function showAbout(data) {
  about = data;
  const { instance, namespace, environment } = data.resource;
  const version = data.revision === "unknown" ? data.version : `${data.version} (${data.revision.slice(0, 12)})`;
  put($("where"), [environment, namespace, instance, version].filter(Boolean).join(" · "));
  $("links").replaceChildren(...Object.entries(data.links).map(([title, href]) => make("a", { href }, title)));
  $("links").hidden = !Object.keys(data.links).length;
  const setting = Object.fromEntries(data.settings.map((each) => [each.variable, each]));
  for (const element of document.querySelectorAll("[data-setting]")) {
    put(element, setting[element.dataset.setting]?.value ?? "–");
    element.title = element.dataset.setting;
  }
  const kept = setting.DOCWARDEN_STALE_IF_ERROR?.value;
  put($("store-kept"), kept === "0s" ? "off" : kept);
  $("store-kept").title = "DOCWARDEN_STALE_IF_ERROR";
  const changed = data.settings.filter((each) => each.origin !== "default");
  put($("changed-count"), changed.length);
  offerToExplain(setting.DOCWARDEN_EXPLAIN?.value === "true");
  showSettings();
}

function showSettings() {
  const chosen = about.settings.filter((each) => !$("changed-only").checked || each.origin !== "default");
  fill($("settings").tBodies[0], chosen.map((each) => ({
    key: each.variable,
    state: each.origin === "default" ? "none" : "changed",
    cells: [
      { text: each.variable, className: "id" },
      { text: each.value || "–", className: "id" },
      { text: each.origin },
      { text: each.about.replaceAll("`", "") },
    ],
  })), ["Variable", "Value", "Source", "Description"]);
}
$("changed-only").addEventListener("change", () => about && showSettings());

// --- the connection

let source = null;
let heard = 0;

function showLink(state) {
  $("link").dataset.state = state;
  put($("link-text"), { connecting: "Connecting", live: "Live", lost: "Connection lost", paused: "Paused" }[state]);
}

function lose() {
  if ($("link").dataset.state === "lost") return;
  showLink("lost");
  const since = last ? ` The numbers below are from ${clock(last.point.t)}.` : "";
  put($("lost"), `The gateway does not answer.${since} Retrying.`);
  $("lost").hidden = false;
  document.body.classList.add("old");
}

function hear() {
  heard = performance.now();
  if ($("link").dataset.state === "lost" || $("link").dataset.state === "connecting") {
    showLink(paused ? "paused" : "live");
    $("lost").hidden = true;
    document.body.classList.remove("old");
  }
}

const SHOW = {
  about: showAbout,
  sample: showSample,
  failures: showFailures,
  successes: showSuccesses,
};

function receive(kind, data) {
  hear();
  if (kind === "sample") board.add(data.point);
  if (kind === "history") data.forEach((point) => board.add(point));
  else if (paused) held[kind] = data;
  else SHOW[kind](data);
}

function open() {
  source?.close();
  $("successes").hidden = !$("tail").checked;
  source = new EventSource($("tail").checked ? "events/tail" : "events");
  heard = performance.now();
  for (const kind of ["history", ...Object.keys(SHOW)]) {
    source.addEventListener(kind, (event) => receive(kind, JSON.parse(event.data)));
  }
  source.addEventListener("error", lose);
}

// EventSource reconnects by itself after most errors, but not after all, and never notices a peer
// that is silent.
setInterval(() => {
  if (source.readyState !== EventSource.CLOSED && performance.now() - heard < SILENCE) return;
  lose();
  open();
}, AGAIN);

$("pause").addEventListener("click", () => {
  paused = !paused;
  put($("pause"), paused ? "Resume" : "Pause");
  if (["live", "paused"].includes($("link").dataset.state)) showLink(paused ? "paused" : "live");
  if (paused) return;
  for (const [kind, data] of Object.entries(held)) SHOW[kind](data);
  held = {};
});

$("tail").addEventListener("change", () => {
  showSuccesses([]);
  open();
});

open();
