// Asks the gateway about one document: what it makes of it now, attempt by attempt.

import { bytes, fill, milliseconds, put } from "./write.js";

const $ = (id) => document.getElementById(id);
const HEADINGS = ["Attempt", "Result", "Status", "Bytes", "Type", "Findings", "Upstream", "Checks"];
const ID = /^(0|[1-9][0-9]{0,18})$/;

export function offerToExplain(offered) {
  $("explaining").hidden = !offered;
}

function say(text, level) {
  put($("explained"), text);
  if (level) $("explained").dataset.level = level;
  else delete $("explained").dataset.level;
}

const named = (...parts) => [...new Set(parts.filter(Boolean))].join(": ");

function show({ document_id, attempts, client }) {
  const after = `after ${attempts.length} attempt${attempts.length === 1 ? "" : "s"}`;
  if (client.problem) say(`Document ${document_id}: a client would get ${client.status} ${client.problem}, ${client.reason}, ${after}.`, "bad");
  else say(`Document ${document_id}: a client would get ${client.status} ${client.media_type} ${after}.`, "good");
  fill($("explanation").tBodies[0], attempts.map((each, index) => ({
    key: `${index} ${performance.now()}`,
    state: each.reason ? "bad" : "good",
    cells: [
      { text: index + 1 },
      { text: named(each.result, each.reason, each.detail) },
      { text: each.status ?? "no complete answer", className: "n" },
      { text: bytes(each.bytes), className: "n" },
      { text: each.media_type ?? "–" },
      { text: each.findings.map((found) => `${found.mode} ${found.reason}: ${found.detail}`).join("; ") || (each.status == null ? "–" : "nothing") },
      { text: `${milliseconds(each.upstream_ms / 1000)} ms`, className: "n" },
      { text: `${milliseconds(each.verify_ms / 1000)} ms`, className: "n" },
    ],
  })), HEADINGS);
  $("explanation").hidden = !attempts.length;
}

async function ask(event) {
  event.preventDefault();
  const id = $("explain-id").value.trim();
  $("explanation").hidden = true;
  if (!ID.test(id)) {
    say("A document id is 1 to 19 decimal digits without leading zeros.", "bad");
    return;
  }
  $("explain-ask").disabled = true;
  say(`Document ${id}: asking ...`);
  try {
    const answer = await fetch(`explain/${id}`, { method: "POST" });
    const told = await answer.json();
    if (answer.ok) show(told);
    else say(`${told.title}: ${told.reason}. ${answer.headers.has("Retry-After") ? `Try again in ${answer.headers.get("Retry-After")} s.` : ""}`, "bad");
  } catch {
    say("The gateway does not answer.", "bad");
  } finally {
    $("explain-ask").disabled = false;
  }
}

$("explain").addEventListener("submit", ask);
