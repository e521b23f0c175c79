// The live status page: reads the state once, then again (at most once a second) after each event.
import { STRINGS } from "/static/strings.js";

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
}

// Personal data: the page shows numbers masked; whoever needs one whole asks the API, with the right to.
const masked = (number) => number.length < 7 ? number : number.slice(0, 3) + "****" + number.slice(-2);
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

function tickClocks() {
  for (const place of document.querySelectorAll("[data-since]")) {
    const seconds = Math.max(0, Math.round((Date.now() + offset - Date.parse(place.dataset.since)) / 1000));
    const minutes = Math.floor(seconds / 60);
    place.textContent = `${place.dataset.label} ${minutes}:${String(seconds % 60).padStart(2, "0")}`;
  }
}

function player(call) {
  const cell = element("td");
  if (!call.recording) { cell.textContent = words.none; return cell; }
  if (!call.ended) { cell.textContent = words.storing; return cell; }
  const button = element("button", words.play);
  button.addEventListener("click", () => {
    const audio = element("audio");
    audio.controls = true;
    audio.src = `/api/v1/recordings/${encodeURIComponent(call.recording)}/audio`;
    audio.addEventListener("error", () => { button.textContent = words.storing; cell.replaceChildren(button); });
    cell.replaceChildren(audio);
    audio.play().catch(() => {});
  });
  cell.append(button);
  return cell;
}

const rows = new Map();   // call id -> {row, shown}: a playing recording must not be redrawn
function showCalls(calls) {
  const body = $("calls"), seen = new Set();
  calls.forEach((call, place) => {
    const shown = language + JSON.stringify(call);
    let known = rows.get(call.call_id);
    if (!known || known.shown !== shown) {
      const row = element("tr");
      const talk = call.answered && call.ended ? Date.parse(call.ended) - Date.parse(call.answered) : null;
      const state = call.result && call.ended ? call.result : call.state;
      row.append(element("td", clock(call.arrived)), element("td", masked(call.caller)),
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

async function read(path) {
  const answer = await fetch(path);
  const date = answer.headers.get("date");
  if (date) { const off = Date.parse(date) - Date.now(); if (Math.abs(off) > 2000) offset = off; }
  return answer.json();
}

let reading = false, again = false;
async function refresh() {
  if (reading) { again = true; return; }
  reading = true;
  try {
    const [queues, agents, calls, ready] = await Promise.all([read("/api/v1/queues"),
      read("/api/v1/agents"), read("/api/v1/calls?limit=30"), read("/readyz")]);
    showQueues(queues); showAgents(agents); showCalls(calls);
    $("ready").textContent = ready.ready ? words.ready : words.not_ready_system + "：" + ready.reasons.join("; ");
    $("ready").className = "pill " + (ready.ready ? "good" : "bad");
  } catch { /* the socket's own state shows that the server is away */ }
  setTimeout(() => { reading = false; if (again) { again = false; refresh(); } }, 500);
}

function follow() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${location.host}/api/v1/live${sequence == null ? "" : "?since=" + sequence}`);
  socket.onopen = () => { $("link").textContent = words.connected; $("link").className = "pill good"; refresh(); };
  socket.onmessage = (message) => { sequence = JSON.parse(message.data).sequence; refresh(); };
  socket.onclose = () => {
    $("link").textContent = words.lost; $("link").className = "pill bad";
    setTimeout(follow, 1000);
  };
}

$("language").addEventListener("click", () => {
  language = language === "zh" ? "en" : "zh";
  localStorage.setItem("language", language);
  translate(); $("link").textContent = words.connected; refresh();
});
translate(); follow();
setInterval(tickClocks, 1000);
setInterval(refresh, 5000);   // waits grow without any event
