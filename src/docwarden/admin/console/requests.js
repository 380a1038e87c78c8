// The last requests: those that failed, with filters, and on demand those that ended well.

import { clock, fill, make, narrow, put, seconds } from "./write.js";

const $ = (id) => document.getElementById(id);
export const REFUSED = ["overloaded", "circuit_open"];
const FAILURES = ["Ended", "Status", "Outcome", "Reason", "Attempts", "Duration", "Document", "Request id"];
const SUCCESSES = FAILURES.map((heading) => (heading === "Reason" ? "Type" : heading));
const few = () => (narrow.matches ? 4 : 12);
const fewRefused = () => (narrow.matches ? 1 : 2);

let failed = [];
let all = false;

// The choices that a filter offers: what there is, and what was chosen.
function offer(select, values) {
  const wanted = [...new Set([...values, select.value])].filter(Boolean).sort();
  const shown = [...select.options].slice(1).map((option) => option.value);
  if (wanted.join() === shown.join()) return;
  const chosen = select.value;
  select.replaceChildren(select.options[0], ...wanted.map((value) => make("option", { value }, value.replaceAll("_", " "))));
  select.value = chosen;
}

function chosenOf(failures) {
  offer($("by-outcome"), failures.map((each) => each.outcome));
  offer($("by-reason"), failures.map((each) => each.reason));
  const [outcome, reason] = [$("by-outcome").value, $("by-reason").value];
  const chosen = failures.filter((each) => (!outcome || each.outcome === outcome) && (!reason || each.reason === reason));
  $("filter").hidden = failures.length < 2;
  put($("filtered"), outcome || reason ? `${chosen.length} of ${failures.length}` : "");
  return chosen;
}

function shortened(attempts) {
  const same = attempts.length > 1 && attempts.every((each) => each === attempts[0]);
  return same ? `${attempts.length} × ${attempts[0]}` : attempts.join(", ") || "none";
}

const bracketed = (text, within) => (within ? `${text} (${within})` : text);

function rowOf(each, state, why) {
  return {
    key: `${each.at} ${each.request_id}`,
    state,
    cells: [
      { text: clock(each.at) },
      { text: each.status, className: "n" },
      { text: each.outcome.replaceAll("_", " ") || "–" },
      { text: why },
      { text: shortened(each.attempts) },
      { text: seconds(each.seconds), className: "n" },
      { text: each.document_id || "–", className: "n" },
      { text: each.request_id, className: "id", copies: true },
    ],
  };
}

// Those that were refused come in floods and do not tell why; a few of them are enough.
function fewOf(failures) {
  let refused = 0;
  return failures.filter((each) => !REFUSED.includes(each.outcome) || (refused += 1) <= fewRefused()).slice(0, few());
}

export function showFailures(told) {
  failed = told;
  const failures = chosenOf(told);
  const shown = all ? failures : fewOf(failures);
  fill($("failures").tBodies[0], shown.map((each) => rowOf(
    each,
    each.status < 500 || REFUSED.includes(each.outcome) ? "warn" : "bad",
    bracketed(each.reason, each.detail || each.media_type),
  )), FAILURES);
  $("no-failures").hidden = told.length > 0;
  $("failures").hidden = !failures.length;
  $("more").hidden = fewOf(failures).length === failures.length;
  put($("more"), all ? "Show fewer" : `Show all ${failures.length}`);
}

export function showSuccesses(told) {
  fill($("successes").tBodies[0], told.slice(0, few()).map((each) => rowOf(each, "good", each.media_type || "–")), SUCCESSES);
}

async function copy(event) {
  const button = event.target.closest(".copy");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.textContent);
    put($("announced"), `Copied ${button.textContent}`);
    button.classList.add("copied");
    setTimeout(() => button.classList.remove("copied"), 1200);
  } catch { /* a page without https has no clipboard; the text can be selected */ }
}

narrow.addEventListener("change", () => showFailures(failed));
for (const name of ["by-outcome", "by-reason"]) $(name).addEventListener("change", () => showFailures(failed));
for (const name of ["failures", "successes"]) $(name).addEventListener("click", copy);
$("filter").addEventListener("submit", (event) => event.preventDefault());
$("more").addEventListener("click", () => {
  all = !all;
  showFailures(failed);
});
