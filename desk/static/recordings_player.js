// The player: the sound by a signed link, the waveform to seek in, comments at their moments.
import { $, ask, button, clock, complain, element, may, reason, span, tried, words } from "/static/recordings_page.js";
import { refused } from "/static/trouble.js";

export const playing = { recording: "", duration: 0, peaks: null, comments: [], renewedAt: 0 };
const sound = $("sound"), canvas = $("peaks");

export async function open(recording) {
  Object.assign(playing, { recording, duration: 0, peaks: null, comments: [], renewedAt: 0 });
  canvas.setAttribute("aria-valuemax", "0");
  $("name").textContent = recording;
  $("player").hidden = false;
  sound.src = await linkTo(recording);
  sound.play().catch(() => {});   // a browser that wants a click first gets one
  const wave = await ask(`/recordings/${encodeURIComponent(recording)}/waveform?points=1200`);
  if (playing.recording !== recording) return;
  playing.duration = wave.body.duration_ms;
  canvas.setAttribute("aria-valuemax", String(Math.round(playing.duration / 1000)));
  playing.peaks = wave.body;
  showTalk(wave.body.talk);
  await Promise.all([showComments(), showHeard()]);
  $("player").dispatchEvent(new CustomEvent("opened"));
}

async function linkTo(recording) {
  return (await ask(`/recordings/${encodeURIComponent(recording)}/links`, { reason: reason() })).body.url;
}

// A link ends after a while: a new one is taken once, and goes on where the old one stopped; then why is said.
async function renew() {
  const recording = playing.recording, at = sound.currentTime;
  if (!recording) return;
  await tried(async () => {
    if (Date.now() - playing.renewedAt < 60000) {
      const answer = await fetch(sound.src, { headers: { Range: "bytes=0-0" } });
      if (!answer.ok) throw await refused(answer);
      complain(words.no_sound);
      return;
    }
    playing.renewedAt = Date.now();
    const url = await linkTo(recording);
    if (playing.recording !== recording) return;
    sound.src = url;
    sound.currentTime = at;
    sound.play().catch(() => {});
  });
}

export function seek(ms) {
  sound.currentTime = ms / 1000;
  tick();
}

function draw() {
  const paper = canvas.getContext("2d"), { width, height } = canvas, half = height / 2;
  const style = getComputedStyle(document.documentElement);
  paper.clearRect(0, 0, width, height);
  if (!playing.peaks) return;
  const { caller, agent } = playing.peaks, step = width / Math.max(1, caller.length);
  for (const [peaks, colour, sign] of [[caller, "--accent", -1], [agent, "--good", 1]]) {
    paper.fillStyle = style.getPropertyValue(colour);
    peaks.forEach((peak, at) => {
      const tall = Math.max(0.5, peak / 255 * (half - 2));
      paper.fillRect(at * step, sign < 0 ? half - tall : half, Math.max(0.7, step * 0.8), tall);
    });
  }
  paper.fillStyle = style.getPropertyValue("--warn");
  for (const comment of playing.comments) paper.fillRect(comment.at_ms / playing.duration * width - 1, 0, 3, height);
}

function tick() {
  const share = playing.duration ? 1000 * sound.currentTime / playing.duration : 0;
  $("head").style.left = `${Math.min(100, 100 * share)}%`;
  $("clock").textContent = `${span(1000 * sound.currentTime)} / ${span(playing.duration)}`;
  canvas.setAttribute("aria-valuenow", String(Math.round(sound.currentTime)));
  canvas.setAttribute("aria-valuetext", $("clock").textContent);
}

function showTalk(talk) {
  $("talk").replaceChildren(...Object.entries(words.talk).map(([name, label]) => {
    const value = talk[name], box = element("div", undefined, "figure");
    const text = value == null ? "—" : name.endsWith("seconds") ? `${value.toFixed(1)} ${words.seconds}`
      : Number.isInteger(value) && /s$/.test(name) ? String(value) : `${(100 * value).toFixed(0)} %`;
    box.append(element("b", text), element("span", label));
    return box;
  }));
}

export async function showComments() {
  if (may("score")) {
    playing.comments = (await ask(`/recordings/${encodeURIComponent(playing.recording)}/comments`)).body;
    $("comments").replaceChildren(...playing.comments.map((comment) => {
      const line = element("li");
      line.append(button(span(comment.at_ms), () => seek(comment.at_ms)), ` ${comment.who}：${comment.text}`);
      return line;
    }));
  }
  draw();
}

async function showHeard() {
  if (!may("audit")) return;
  const lines = (await ask(`/accesses?limit=20&recording=${encodeURIComponent(playing.recording)}`)).body;
  $("heard").replaceChildren(...lines.map((line) =>
    element("li", `${clock(line.at)} ${line.who} ${words.actions[line.action] ?? line.action} ${line.reason}`)));
}

canvas.addEventListener("click", (event) => {
  const box = canvas.getBoundingClientRect();
  seek((event.clientX - box.left) / box.width * playing.duration);
});
canvas.addEventListener("keydown", (event) => {
  const by = { ArrowLeft: -5000, ArrowRight: 5000 }[event.key];
  if (by) { event.preventDefault(); seek(Math.max(0, 1000 * sound.currentTime + by)); }
});
sound.addEventListener("timeupdate", tick);
sound.addEventListener("error", renew);
$("comment").addEventListener("submit", (event) => {
  event.preventDefault();
  tried(async () => {
    const field = event.target.elements.text;
    const at_ms = Math.min(playing.duration, Math.round(1000 * sound.currentTime));
    await ask(`/recordings/${encodeURIComponent(playing.recording)}/comments`, { at_ms, text: field.value });
    field.value = "";
    await showComments();
  });
});
$("download").addEventListener("click", (event) => {
  event.preventDefault();
  tried(async () => {
    const wanted = { purpose: "download", reason: reason() };
    const link = await ask(`/recordings/${encodeURIComponent(playing.recording)}/links`, wanted);
    location.assign(link.body.url);
  });
});
