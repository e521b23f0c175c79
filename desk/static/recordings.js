// The recordings page: search, quality and audit; each account sees what it has the right to.
import { $, ask, button, clock, element, fields, may, me, query, reason, row, span, translate, tried, turn, why, words }
  from "/static/recordings_page.js";
import { open, playing, showComments } from "/static/recordings_player.js";

const PAGE = 50;
let wanted = {}, after = null, cards = [], card = null;

// Search -------------------------------------------------------------------------------------

async function find(reveal) {
  wanted = fields($("search"));
  if (!reveal) delete wanted.reason; else wanted.reveal = "true";
  after = null;
  $("found").replaceChildren();
  await more();
}

async function more() {
  const page = await ask("/recordings?" + query({ ...wanted, limit: PAGE, ...(after ? { after } : {}) }));
  after = page.headers.get("next-cursor");
  $("found").append(...page.body.map((one) => row(clock(one.started), span(one.duration_ms), one.caller, one.called,
    one.agent, one.queue, one.order, words.results[one.result] ?? one.result, words.states[one.state] ?? one.state,
    may("listen") ? button(words.play, () => open(one.recording)) : "")));
  $("none").hidden = $("found").children.length > 0;
  $("more").hidden = !after;
}

async function exportFound() {
  const { reason: said = "", ...search } = fields($("search"));
  for (const name of ["min_seconds", "max_seconds"]) if (name in search) search[name] = Number(search[name]);
  const answer = await fetch("/api/v1/recordings/export", { method: "POST",
    headers: { "Content-Type": "application/json" }, body: JSON.stringify({ ...search, reason: said }) });
  if (!answer.ok) throw new Error(await why(answer));
  const total = Number(answer.headers.get("export-bytes")) || 1, parts = [], reader = answer.body.getReader();
  let read = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    parts.push(part.value);
    read += part.value.length;
    $("export").textContent = `${words.export} ${Math.min(100, Math.round(100 * read / total))} %`;
  }
  $("export").textContent = words.export;
  const link = element("a");
  link.href = URL.createObjectURL(new Blob(parts, { type: "application/zip" }));
  link.download = `recordings-${answer.headers.get("export")}.zip`;
  link.click();
  URL.revokeObjectURL(link.href);
}

// Quality ------------------------------------------------------------------------------------

async function showQuality() {
  const tasks = (await ask("/quality/tasks")).body;
  $("tasks").replaceChildren(...tasks.map((task) => row(task.recording, task.rule, task.card, clock(task.drawn_ms),
    button(words.open, () => open(task.recording)))));
  $("no_tasks").hidden = tasks.length > 0;
  if (!may("manage")) return;
  const found = (await ask("/quality/calibration")).body;
  const line = (name, one) => row(name, one.alpha ?? "—", one.recordings,
    one.pairs.map((pair) => `${pair.one}/${pair.other} ${pair.mean_difference}`).join("；"));
  const names = Object.fromEntries(cards.flatMap((card) => card.items.map((item) => [item.key, item])));
  $("calibration").replaceChildren(line(words.total, found.total),
    ...Object.entries(found.items).map(([key, one]) => line(title(names[key]) ?? key, one)));
}

const title = (one) => one && (document.documentElement.lang === "en" ? one.en : one.zh);

async function showCard() {
  if (!may("score") || !cards.length) return;
  const wants = (await ask("/quality/tasks")).body.find((task) => task.recording === playing.recording);
  card = cards.find((one) => one.name === wants?.card) ?? cards[0];
  $("card").textContent = title(card);
  const lines = card.items.map((item) => {
    const label = element("label"), field = element("input");
    Object.assign(field, { type: "number", name: item.key, min: 0, max: item.points, step: "any", required: true });
    label.append(element("span", `${title(item)}（0–${item.points}${item.critical ? "，" + words.critical : ""}）`), field);
    return label;
  });
  const note = element("input");
  note.name = "note";
  note.placeholder = words.note;
  const submit = element("button", words.submit);
  $("review").replaceChildren(...lines, note, submit);
  const made = (await ask(`/recordings/${encodeURIComponent(playing.recording)}/reviews`)).body;
  $("reviews").replaceChildren(...made.map((one) => element("li",
    `${one.reviewer} ${words.score} ${one.score} ${one.passed ? words.passed : words.failed_review} ${one.note}`)));
}

async function review(form) {
  const { note, ...given } = Object.fromEntries(new FormData(form));
  const scores = Object.fromEntries(Object.entries(given).map(([key, value]) => [key, Number(value)]));
  await ask(`/recordings/${encodeURIComponent(playing.recording)}/reviews`, { card: card.name, scores, note });
  await Promise.all([showCard(), showQuality(), showComments()]);  // a calibration is blind until now
}

async function draw(form) {
  const drawn = (await ask("/quality/draws", fields(form))).body;
  $("drawn").textContent = words.drawn(drawn);
  await showQuality();
}

// Audit --------------------------------------------------------------------------------------

async function showAccesses() {
  const lines = (await ask("/accesses?" + query({ ...fields($("accesses")), limit: 200 }))).body;
  $("lines").replaceChildren(...lines.map((line) => row(line.sequence, clock(line.at), line.who,
    words.actions[line.action] ?? line.action, line.recording, line.reason, line.source, line.detail)));
}

async function check() {
  const found = (await ask("/accesses/check")).body;
  $("checked").textContent = found.why ? words.broken + found.why : `${words.whole}：${found.lines}, ${found.head.slice(0, 16)}…`;
}

// The page -----------------------------------------------------------------------------------

const SHOW = { search: () => find(false), quality: showQuality, audit: showAccesses };

function show(tab) {
  for (const panel of document.querySelectorAll("[data-panel]")) panel.hidden = panel.dataset.panel !== tab;
  for (const one of document.querySelectorAll("[data-tab]")) one.setAttribute("aria-selected", String(one.dataset.tab === tab));
  return tried(SHOW[tab]);
}

function submits(id, act) {
  $(id).addEventListener("submit", (event) => { event.preventDefault(); tried(() => act(event.target)); });
}

function showResults() {
  const given = $("results").value;
  $("results").replaceChildren(...[["", words.any], ...Object.entries(words.results)].map(([value, text]) => {
    const option = element("option", text);
    option.value = value;
    return option;
  }));
  $("results").value = given;
}

translate();
await tried(async () => {
  Object.assign(me, (await ask("/me")).body);
  if (may("score")) cards = (await ask("/quality/cards")).body;
});
$("me").textContent = me.name;
$("home").hidden = !may("operate");
for (const place of document.querySelectorAll("[data-right]")) if (!may(place.dataset.right)) place.remove();
showResults();
submits("search", () => find(false));
if (may("score")) { submits("review", review); $("player").addEventListener("opened", () => tried(showCard)); }
if (may("manage")) submits("draw", draw);
if (may("audit")) { submits("accesses", showAccesses); $("check").addEventListener("click", () => tried(check)); }
if (may("reveal")) $("reveal").addEventListener("click", () => tried(() => find(true)));
if (may("export")) $("export").addEventListener("click", () => tried(exportFound));
$("more").addEventListener("click", () => tried(more));
for (const tab of document.querySelectorAll("[data-tab]")) tab.addEventListener("click", () => show(tab.dataset.tab));
$("language").addEventListener("click", () => {
  turn();
  showResults();
  show(document.querySelector("[data-tab][aria-selected=true]").dataset.tab);
});
const hinted = new URLSearchParams(location.search).get("recording");
await show("search");
if (hinted) tried(() => open(hinted));
document.body.dataset.ready = "yes";
