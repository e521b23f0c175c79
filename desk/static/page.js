// The live status page: reads the state once, then again (at most once a second) after each event.
import { STRINGS } from "/static/strings.js";
import { forgetToken, refused, told } from "/static/trouble.js";

forgetToken();

const $ = (id) => document.getElementById(id);
let language = localStorage.getItem("language") === "en" ? "en" : "zh";
let words = STRINGS[language];
let sequence = null;   // the last event's number, so that a reconnect misses none
let offset = 0;        // server's clock minus ours, ms

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function translate() {
  words = STRINGS[language];
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  for (const place of document.querySelectorAll("[data-text]")) place.textContent = words[place.dataset.text];
  $("language").textContent = words.language;
  showLink();
  for (const part of PARTS) if (part.last && part.id !== "ready") part.show(part.last);
  showReady(ready);
}

// Who looks. Until the server has said so, everything is shown that it would refuse by itself.
const me = { name: "", rights: null, unit: false };
const may = (right) => me.rights?.includes(right) ?? false;

async function meet() {
  try { Object.assign(me, await read("/api/v1/me")); } catch { return; }   // the parts say what is wrong
  for (const place of document.querySelectorAll("[data-right]")) place.hidden = !may(place.dataset.right);
}

// Personal data: numbers are masked, by the server for whoever may not see them, and here for everybody.
function masked(number) {
  if (!/^\+?[0-9]{5,20}$/.test(number)) return number;
  const [head, tail] = number.length >= 11 ? [3, 4] : [2, 2];
  return number.slice(0, head) + "****" + number.slice(-tail);
}
const citizen = (call) => call.direction === "outbound" ? call.called : call.caller;
const revealed = new Map();   // call id -> its citizen's number, for as long as the page is open

function numberCell(call) {
  const known = revealed.get(call.call_id), cell = element("td", known ?? masked(citizen(call)));
  if (known !== undefined || !may("reveal") || !cell.textContent.includes("*")) return cell;
  const button = element("button", words.reveal);
  button.type = "button";
  button.addEventListener("click", () => askWhy(cell, call));
  cell.append(" ", button);
  return cell;
}

// Nobody sees a number without saying why: the server writes it down before it answers.
function askWhy(cell, call) {
  const form = element("form", undefined, "why"), why = element("input");
  Object.assign(why, { required: true, maxLength: 200, placeholder: words.why });
  why.setAttribute("aria-label", words.why);
  form.append(why, element("button", words.confirm));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const answer = await fetch(`/api/v1/calls/${encodeURIComponent(call.call_id)}/reveal`, { method: "POST",
        headers: { "Content-Type": "application/json" }, body: JSON.stringify({ by: me.name, why: why.value }) });
      if (!answer.ok) throw await refused(answer);
      revealed.set(call.call_id, citizen({ ...call, ...await answer.json() }));
      cell.replaceChildren(revealed.get(call.call_id));
    } catch (error) { cell.replaceChildren(element("span", told(error, language), "late")); }
  });
  cell.replaceChildren(form);
  why.focus();
}

const clock = (iso) => iso ? new Date(iso).toLocaleTimeString(language === "zh" ? "zh-CN" : "en-GB") : words.none;
const span = (ms) => ms == null ? words.none : (ms / 1000).toFixed(1) + " " + words.seconds;
const percent = (share) => share == null ? words.none : (100 * share).toFixed(1) + " %";

function figure(value, label, className) {
  const made = element("div", undefined, "figure " + (className || ""));
  made.append(element("b", value), element("span", label));
  return made;
}

function showQueues(queues) {
  $("queues").replaceChildren(...queues.map((queue) => {
    const level = queue.service_level.A;
    const kept = level == null || level >= queue.target_ratio;
    const box = element("div");
    box.append(element("h2", `${words.queue} ${queue.name} · ${words.target} ${percent(queue.target_ratio)} / ${queue.target_seconds} ${words.seconds}`));
    const figures = element("div", undefined, "figures");
    figures.append(
      figure(percent(level), words.level + " A", kept ? "good" : "bad"),
      figure(queue.waiting, words.waiting, queue.waiting > 3 ? "warn" : ""),
      figure(queue.longest_wait_seconds.toFixed(0) + " " + words.seconds, words.longest,
        queue.longest_wait_seconds > queue.target_seconds ? "bad" : ""),
      figure(queue.offered, words.offered), figure(queue.answered, words.answered),
      figure(queue.answered_in_target, words.in_target), figure(queue.abandoned, words.abandoned));
    const bar = element("div", undefined, kept ? "bar" : "bar bad");
    const fill = element("i"), mark = element("u");
    fill.style.width = 100 * (level ?? 0) + "%";
    mark.style.left = 100 * queue.target_ratio + "%";
    bar.append(fill, mark);
    box.append(figures, bar);
    return box;
  }));
}

function showAgents(agents) {
  $("agents").replaceChildren(...agents.map((agent) => {
    const box = element("div", undefined, "agent " + agent.state);
    const since = element("span");
    since.dataset.since = agent.since;
    since.dataset.label = words.states[agent.state] ?? agent.state;
    box.append(element("b", agent.name), since);
    return box;
  }));
  tickClocks();
}

function lasted(seconds) {   // 9:05, 1:00:00
  const two = (part) => String(part % 60).padStart(2, "0");
  const minutes = Math.floor(seconds / 60), hours = Math.floor(minutes / 60);
  return (hours ? `${hours}:${two(minutes)}` : minutes) + ":" + two(seconds);
}

function tickClocks() {
  for (const place of document.querySelectorAll("[data-since]")) {
    if (place.closest(".stale")) continue;   // nobody knows how long by now
    const seconds = Math.max(0, Math.round((Date.now() + offset - Date.parse(place.dataset.since)) / 1000));
    place.textContent = `${place.dataset.label} ${lasted(seconds)}`;
  }
}

function player(call) {
  const cell = element("td");
  if (!call.recording || me.unit) { cell.textContent = words.none; return cell; }
  if (!call.ended) { cell.textContent = words.storing; return cell; }
  const button = element("button", words.play);
  button.addEventListener("click", () => play(cell, call.recording));
  cell.append(button);
  return cell;
}

// By a signed link, as the recordings page does; what is refused is said, with the page that can ask for a reason.
async function play(cell, recording) {
  const elsewhere = element("a", words.open_recording);
  elsewhere.href = `/recordings?recording=${encodeURIComponent(recording)}`;
  const failed = (why) => cell.replaceChildren(element("span", why, "late"), " ", elsewhere);
  try {
    const link = await fetch(`/api/v1/recordings/${encodeURIComponent(recording)}/links`,
      { method: "POST", body: "{}", headers: { "Content-Type": "application/json" } });
    if (!link.ok) throw await refused(link);
    const audio = element("audio");
    audio.controls = true;
    audio.src = (await link.json()).url;
    audio.addEventListener("error", () => failed(words.no_sound));
    cell.replaceChildren(audio);
    audio.play().catch(() => {});
  } catch (error) { failed(told(error, language)); }
}

const rows = new Map();   // call id -> {row, shown}: a playing recording must not be redrawn
function showCalls(calls) {
  const body = $("calls"), seen = new Set();
  calls.forEach((call, place) => {
    const shown = language + me.name + JSON.stringify(call);
    let known = rows.get(call.call_id);
    if (!known || (known.shown !== shown && !known.row.querySelector("form"))) {
      const row = element("tr");
      const talk = call.answered && call.ended ? Date.parse(call.ended) - Date.parse(call.answered) : null;
      const state = call.result && call.ended ? call.result : call.state;
      row.append(element("td", clock(call.arrived)), numberCell(call),
        element("td", call.agent ?? words.none), element("td", words.states[state] ?? state),
        element("td", span(call.wait_ms)), element("td", span(talk)), player(call));
      if (known) known.row.replaceWith(row);
      known = { row, shown };
      rows.set(call.call_id, known);
    }
    seen.add(call.call_id);
    if (body.children[place] !== known.row) body.insertBefore(known.row, body.children[place] ?? null);
  });
  for (const [id, known] of rows) if (!seen.has(id)) { known.row.remove(); rows.delete(id); }
  $("empty").hidden = calls.length > 0;
}

// Readiness and alerts -----------------------------------------------------------------------

const codeWords = (text, code) => language === "en" || !words.codes[code?.code] ? text : words.codes[code.code](code.about);
let ready = null;      // what /readyz said last; null = not known
const alerts = [];     // those of the socket, newest first

function showReady(document) {
  ready = document;
  const why = ready?.reasons.map((text, at) => codeWords(text, ready.reason_codes?.[at])).join("；");
  $("ready").textContent = !ready ? words.unknown : ready.ready ? words.ready : `${words.not_ready_system}：${why}`;
  $("ready").className = "pill " + (!ready ? "" : ready.ready ? "good" : "bad");
  showAlerts();
}

function showAlerts() {
  const lines = (ready?.warnings ?? []).map((text, at) => [codeWords(text, ready.warning_codes?.[at]), text]);
  for (const one of alerts) {
    const name = words.alerts[one.name] ?? one.name;
    lines.push([`${clock(one.at)} ${name}：${language === "en" ? one.text : one.about || one.text}`, one.text]);
  }
  const shown = lines.map(([text, title]) => { const line = element("li", text); line.title = title; return line; });
  if (shown.map((one) => one.textContent).join() !== [...$("alerts").children].map((one) => one.textContent).join()) {
    $("alerts").replaceChildren(...shown);   // else a screen reader would read them out again
  }
  $("alerts").hidden = lines.length === 0;
}

function alerted(alert) {
  if (alert.name === "store" && alert.text === "back") {
    alerts.splice(0, alerts.length, ...alerts.filter((one) => one.name !== "store"));
  } else alerts.unshift(alert);
  alerts.length = Math.min(alerts.length, 8);
  showAlerts();
}

// Reading ------------------------------------------------------------------------------------

async function read(path, also) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(8000) });
  const date = answer.headers.get("date");
  if (date) { const off = Date.parse(date) - Date.now(); if (Math.abs(off) > 2000) offset = off; }
  if (!answer.ok && answer.status !== also) throw await refused(answer);
  return answer.json();
}

// Each part stands for itself: one that cannot be read is greyed, for its figures are old.
const PARTS = [
  { id: "queues", path: "/api/v1/queues", show: showQueues }, { id: "agents", path: "/api/v1/agents", show: showAgents },
  { id: "calls", path: "/api/v1/calls?limit=30", show: showCalls },
  { id: "ready", path: "/readyz", also: 503, show: showReady, lost: () => showReady(null) },
];

async function readPart(part) {
  try {
    part.last = await read(part.path, part.also);
    part.show(part.last);
    $(part.id).classList.remove("stale");
    return null;
  } catch (error) {
    part.lost?.();
    $(part.id).classList.add("stale");
    return error;
  }
}

let reading = false, again = false;
async function refresh() {
  if (reading) { again = true; return; }
  reading = true;
  if (me.rights === null) await meet();
  const errors = await Promise.all(PARTS.filter((part) => part.id !== "agents" || !me.unit).map(readPart));
  if (errors.some((error) => error?.status === 401)) {
    showLink("token_needed");
    mayAgain = true;
  } else if (link === "token_needed" && mayAgain && errors.every((error) => error === null)) {
    mayAgain = false;   // logged in meanwhile: once, for a socket may be refused all the same
    follow();
  }
  setTimeout(() => { reading = false; if (again) { again = false; refresh(); } }, 500);
}

// The socket ---------------------------------------------------------------------------------

const REFUSALS = { 4401: "token_needed", 4403: "forbidden" };   // asking again would not help
let link = "connecting", socket = null, mayAgain = true;

function showLink(state = link) {
  link = state;
  if (link === "connected") mayAgain = true;
  $("link").textContent = words.links[link];
  $("link").className = "pill " + ({ connected: "good", connecting: "", polling: "" }[link] ?? "bad");
}

function follow() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const made = socket = new WebSocket(`${scheme}://${location.host}/api/v1/live${sequence == null ? "" : "?since=" + sequence}`);
  made.onopen = () => refresh();
  // The server accepts before it refuses: only its word, or silence for a moment, is a connection.
  const settled = setTimeout(() => { if (made === socket && made.readyState === WebSocket.OPEN) showLink("connected"); }, 300);
  made.onmessage = (message) => {
    const event = JSON.parse(message.data);
    sequence = event.sequence;
    if (event.event === "alert") alerted(event);
    refresh();
  };
  made.onclose = ({ code }) => {
    clearTimeout(settled);
    if (made !== socket) return;
    const refusal = REFUSALS[code];
    showLink(refusal ?? "lost");
    if (!refusal) setTimeout(follow, 1000);
    else refresh();
  };
}

$("language").addEventListener("click", () => {
  language = language === "zh" ? "en" : "zh";
  localStorage.setItem("language", language);
  translate();
});
translate();
await meet();
if (me.unit) { showLink("polling"); refresh(); } else follow();
setInterval(tickClocks, 1000);
setInterval(refresh, 5000);   // waits grow without any event
