// What the recordings page's parts share: words, elements, the API, and who is asking.
import { STRINGS } from "/static/recordings_strings.js";
import { forgetToken, refused, told } from "/static/trouble.js";

forgetToken();

export const $ = (id) => document.getElementById(id);
let language = localStorage.getItem("language") === "en" ? "en" : "zh";
export let words = STRINGS[language];
export const me = { name: "", rights: [], seat: null };
export const may = (right) => me.rights.includes(right);

export function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

export function row(...cells) {
  const made = element("tr");
  made.append(...cells.map((cell) => {
    if (cell instanceof Node) { const td = element("td"); td.append(cell); return td; }
    return element("td", cell ?? "");
  }));
  return made;
}

export function button(text, act) {
  const made = element("button", text);
  made.type = "button";
  made.addEventListener("click", () => tried(act));
  return made;
}

export const clock = (at) => new Date(at).toLocaleString(language === "zh" ? "zh-CN" : "en-GB");
export const span = (ms) => {
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
};

export async function ask(path, body) {
  const options = body === undefined ? {} : { method: "POST", body: JSON.stringify(body),
    headers: { "Content-Type": "application/json" } };
  const answer = await fetch("/api/v1" + path, options);
  if (!answer.ok) throw await refused(answer);
  return { headers: answer.headers, body: await answer.json() };
}

// Whatever a person does: what went wrong is said, and never left for the console.
export async function tried(act) {
  $("trouble").hidden = true;
  try { await act(); } catch (error) { complain(error); }
}

export function complain(error) {
  $("trouble").textContent = words.away + (typeof error === "string" ? error : told(error, language));
  $("trouble").title = typeof error === "string" ? "" : error.message;
  $("trouble").hidden = false;
}

// The fields that hold something; times with the browser's zone, for the server may be elsewhere.
export function fields(form) {
  const given = {};
  for (const [name, value] of new FormData(form)) {
    if (value === "") continue;
    given[name] = name === "since" || name === "until" ? new Date(value).toISOString() : value;
  }
  return given;
}

export const query = (given) => new URLSearchParams(given).toString();
export const reason = () => $("reason").value.trim();

export function translate() {
  words = STRINGS[language];
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  for (const place of document.querySelectorAll("[data-text]")) place.textContent = words[place.dataset.text];
  for (const place of document.querySelectorAll("[data-label]")) place.setAttribute("aria-label", words[place.dataset.label]);
  $("language").textContent = words.language;
}

export function turn() {
  language = language === "zh" ? "en" : "zh";
  localStorage.setItem("language", language);
  translate();
}
