// Numbers, times and texts as people read them, and ways to put them on the page. Whatever comes
// from outside is only ever set as text.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const NOTHING = "–";

export const count = (n) => (n == null ? NOTHING : whole.format(n));

export function rate(n) {
  if (n == null) return NOTHING;
  if (n === 0) return "0";
  if (n < 0.01) return "<0.01";
  return n < 10 ? n.toFixed(2) : n < 100 ? n.toFixed(1) : whole.format(n);
}

export function milliseconds(s) {
  if (s == null) return NOTHING;
  const ms = s * 1000;
  return ms < 10 ? ms.toFixed(1) : whole.format(ms);
}

export function seconds(s) {
  if (s == null) return NOTHING;
  if (s === 0) return "0 s";
  return s < 1 ? `${milliseconds(s)} ms` : s < 100 ? `${s.toFixed(1)} s` : `${whole.format(s)} s`;
}

export const wait = (s) => (s > 0 ? seconds(s) : NOTHING);

export function bytes(n) {
  if (n == null) return NOTHING;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (n >= 1024 && unit < units.length - 1) {
    n /= 1024;
    unit += 1;
  }
  return `${unit === 0 || n >= 100 ? whole.format(n) : n.toFixed(1)} ${units[unit]}`;
}

// Rounded down: 99.999 % is not all.
export const percent = (share) =>
  share == null ? NOTHING : share === 1 ? "100" : (Math.floor(share * 10000) / 100).toFixed(2);

export function span(s) {
  const days = Math.floor(s / 86400);
  const [h, m] = [Math.floor((s % 86400) / 3600), Math.floor((s % 3600) / 60)];
  if (days) return `${days} d ${h} h`;
  if (h) return `${h} h ${m} min`;
  return m ? `${m} min ${Math.floor(s % 60)} s` : `${Math.floor(s)} s`;
}

// UTC, as the log has it.
export const clock = (t) => new Date(t * 1000).toISOString().slice(11, 19);

// A number stays on one line with its unit, and with what it counts.
export const tied = (text) => text.replace(/(\d) (?=(?:s|ms|%)(?!\w))/g, "$1\u00a0").replace(/ x (?=\d)/g, "\u00a0x\u00a0");

export const units = { seconds, wait, bytes, count };

// Whether the page is as wide as a phone's.
export const narrow = matchMedia("(max-width: 760px)");

// Unchanged text is left alone, so that a selection in it stays.
export function put(element, text) {
  const string = String(text);
  if (element.textContent !== string) element.textContent = string;
}

export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

// Give a table body one row for each of `rows` ({key, cells: [{text, className, title}]}), keeping
// rows that are there already.
export function fill(body, rows, headings) {
  const there = new Map([...body.rows].map((row) => [row.dataset.key, row]));
  let before = body.firstChild;
  for (const { key, cells, state } of rows) {
    let row = there.get(key);
    if (row) there.delete(key);
    else row = blank(key, cells, headings);
    if (state) row.dataset.state = state;
    cells.forEach((cell, index) => {
      const element = row.cells[index];
      put(element.firstElementChild ?? element, cell.text);
      if (cell.value !== undefined) element.dataset.value = cell.value;
      element.toggleAttribute("data-empty", cell.text === NOTHING);
    });
    if (row === before) before = before.nextSibling;
    else body.insertBefore(row, before);
  }
  for (const row of there.values()) row.remove();
}

function blank(key, cells, headings) {
  const row = make("tr", { role: "row", "data-key": key });
  cells.forEach((cell, index) => {
    const element = make(index === 0 ? "th" : "td", {
      role: index === 0 ? "rowheader" : "cell",
      ...(index === 0 && { scope: "row" }),
      ...(cell.className && { class: cell.className }),
      ...(cell.title && { title: cell.title }),
      ...(cell.metric && { "data-metric-row": cell.metric }),
    });
    // On narrow screens each cell shows its heading.
    if (headings) element.append(cell.copies ? make("button", { type: "button", class: "copy", title: "Copy" }) : make("span"));
    if (headings) element.dataset.heading = headings[index];
    row.append(element);
  });
  return row;
}
