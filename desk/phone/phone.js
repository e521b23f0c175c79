// A seat's phone in the browser: JsSIP registers over WebSocket, the gateway carries the voice.
import { STRINGS } from "/phone/strings.js";

const $ = (id) => document.getElementById(id);
let language = localStorage.getItem("language") === "en" ? "en" : "zh";
let words = STRINGS[language];
let settings = null;   // {domain, sockets}
let agent = null;      // JsSIP.UA
let call = null;       // JsSIP.RTCSession
let answeredAt = 0;
const shown = { line: "offline", state: "idle", problem: "" };

function translate() {
  words = STRINGS[language];
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  for (const place of document.querySelectorAll("[data-text]")) place.textContent = words[place.dataset.text];
  for (const place of document.querySelectorAll("[data-label]")) place.setAttribute("aria-label", words[place.dataset.label]);
  for (const place of document.querySelectorAll("[data-placeholder]")) place.placeholder = words[place.dataset.placeholder];
  $("language").textContent = words.language;
  show();
}

function show(change = {}) {
  Object.assign(shown, change);
  $("line").textContent = words[shown.line];
  $("line").className = "pill " + ({ registered: "good", lost: "bad" }[shown.line] || "");
  $("state").textContent = words[shown.state];
  $("problem").textContent = (words[shown.problem] || "")
    + (shown.why ? words.causes[shown.why] ?? (language === "en" ? shown.why : words.cause) : "");
  $("problem").hidden = !shown.problem;
  $("login").hidden = agent !== null;
  $("phone").hidden = agent === null;
  document.body.dataset.state = shown.state;
  ringing(shown.state === "incoming");
  document.body.dataset.line = shown.line;
  const established = Boolean(call?.isEstablished());
  $("answer").disabled = !(call && call.direction === "incoming" && call.isInProgress());
  $("hangup").disabled = !call;
  for (const id of ["hold", "mute"]) $(id).disabled = !established;
  for (const key of $("keys").children) key.disabled = !established;
  $("hold").setAttribute("aria-pressed", String(Boolean(call?.isOnHold().local)));
  $("mute").setAttribute("aria-pressed", String(Boolean(call?.isMuted().audio)));
}

// What is heard and seen of a call that waits for an answer ------------------------------------

let tones = null;      // AudioContext; made at the login, for browsers want a click before any sound
let bell = null;       // what sounds now, and its timers

function ringing(wanted) {
  if (wanted === (bell !== null)) {
    if (!wanted) document.title = words.title;
    return;
  }
  if (!wanted) {
    clearInterval(bell.timer);
    bell.tone?.stop();
    bell = null;
    document.title = words.title;
    return;
  }
  bell = { tone: strike() };
  document.title = `☎ ${words.incoming} ${$("party").textContent}`;
  let seconds = 0;
  bell.timer = setInterval(() => {
    seconds += 1;
    if (seconds % 5 === 0) bell.tone = strike();
    // The title blinks: the page may be behind others.
    document.title = seconds % 2 === 0 ? `☎ ${words.incoming} ${$("party").textContent}` : words.title;
  }, 1000);
}

// 450 Hz, one second of five, as phones here ring; muted while there is no AudioContext.
function strike() {
  if (tones?.state === "suspended") tones.resume().catch(() => {});
  if (!tones) return null;
  const tone = tones.createOscillator(), loudness = tones.createGain();
  tone.frequency.value = 450;
  loudness.gain.value = 0.3;
  tone.connect(loudness).connect(tones.destination);
  tone.start();
  tone.stop(tones.currentTime + 1);
  return tone;
}

function stateOf(session) {
  if (session.isOnHold().local) return "held";
  return session.isMuted().audio ? "muted" : "talking";
}

// No STUN server: the gateway is lite and learns where we are from our checks (RFC 8445 §2.5).
const media = () => ({ mediaConstraints: { audio: true, video: false }, pcConfig: { iceServers: [] } });

function hear(connection) {
  connection.addEventListener("track", (event) => {
    $("sound").srcObject = event.streams[0] || new MediaStream([event.track]);
  });
}

function ring(session) {
  if (call) {
    session.terminate({ status_code: 486 });
    return;
  }
  call = session;
  const identity = session.remote_identity;
  $("party").textContent = identity.uri.user === "anonymous" ? words.anonymous : identity.display_name || identity.uri.user;
  if (session.connection) hear(session.connection);
  session.on("peerconnection", ({ peerconnection }) => hear(peerconnection));
  // A lite gateway answers our first check: nothing is gained by waiting for more candidates.
  session.on("icecandidate", (event) => event.ready());
  session.on("confirmed", () => { answeredAt = Date.now(); show({ state: stateOf(session), problem: "" }); });
  for (const name of ["hold", "unhold", "muted", "unmuted"]) session.on(name, () => show({ state: stateOf(session) }));
  session.on("getusermediafailed", () => show({ problem: "no_microphone", why: "" }));
  session.on("ended", over);
  session.on("failed", (event) => {
    const quiet = ["Canceled", "Rejected", "Terminated", "Busy"].includes(event.cause);
    over();
    if (!quiet && shown.problem !== "no_microphone") show({ problem: "failed", why: event.cause });
  });
  show({ state: session.direction === "incoming" ? "incoming" : "calling", problem: "" });
  if (session.direction === "incoming" && $("auto").checked) session.answer(media());
}

function over() {
  call = null;
  answeredAt = 0;
  $("party").textContent = "";
  $("sound").srcObject = null;
  show({ state: "idle" });
}

async function login(event) {
  event.preventDefault();
  try {  // asked for now, so that the first call need not wait for the permission
    for (const track of (await navigator.mediaDevices.getUserMedia({ audio: true })).getTracks()) track.stop();
  } catch {
    show({ problem: "no_microphone", why: "" });
    return;
  }
  tones ??= new AudioContext();
  const user = $("user").value.trim();
  agent = new JsSIP.UA({
    sockets: settings.sockets.map((address) => new JsSIP.WebSocketInterface(address)),
    uri: `sip:${user}@${settings.domain}`,
    password: $("password").value,
    register_expires: 120,
    user_agent: "callcore-phone",
  });
  agent.on("registered", () => show({ line: "registered", problem: "" }));
  agent.on("unregistered", () => show({ line: "connecting" }));
  agent.on("disconnected", () => show({ line: agent ? "lost" : "offline" }));
  agent.on("registrationFailed", ({ response }) => {
    if ([401, 403, 404].includes(response?.status_code)) {
      logout();
      show({ problem: "refused", why: "" });
    }
  });
  agent.on("newRTCSession", ({ session }) => ring(session));
  agent.start();
  $("password").value = "";
  show({ line: "connecting", problem: "" });
}

function logout() {
  const old = agent;
  agent = null;
  call?.terminate();
  old?.stop();
  show({ line: "offline" });
}

function press(key) {
  if (call?.isEstablished()) call.sendDTMF(key, { transportType: "RFC2833", duration: 160, interToneGap: 70 });
}

function tick() {
  const seconds = answeredAt ? Math.floor((Date.now() - answeredAt) / 1000) : 0;
  const two = (number) => String(number).padStart(2, "0");
  $("timer").textContent = answeredAt ? `${two(Math.floor(seconds / 60))}:${two(seconds % 60)}` : "";
}

async function begin() {
  $("keys").replaceChildren(...[..."123456789*0#"].map((key) => {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", textContent: key, onclick: () => press(key) });
    return button;
  }));
  $("language").onclick = () => {
    language = language === "zh" ? "en" : "zh";
    localStorage.setItem("language", language);
    translate();
  };
  $("auto").checked = localStorage.getItem("auto") === "true";
  $("auto").onchange = () => localStorage.setItem("auto", String($("auto").checked));
  $("login").onsubmit = login;
  $("logout").onclick = logout;
  $("answer").onclick = () => call?.answer(media());
  $("hangup").onclick = () => call?.terminate();
  $("hold").onclick = () => (call?.isOnHold().local ? call.unhold() : call?.hold());
  $("mute").onclick = () => (call?.isMuted().audio ? call.unmute() : call?.mute());
  $("dial").onsubmit = (event) => {
    event.preventDefault();
    const number = $("number").value.trim();
    if (!call && number) agent.call(`sip:${encodeURIComponent(number)}@${settings.domain}`, media());
  };
  setInterval(tick, 500);
  translate();
  const found = await fetch("/phone/settings.json").then((answer) => answer.ok && answer.json()).catch(() => null);
  if (!found) {
    show({ problem: "no_settings" });
    for (const field of $("login").elements) field.disabled = true;
    return;
  }
  // Bound to all addresses: whoever loaded this page knows one of them.
  found.sockets = found.sockets.map((address) => address.replace(/:\/\/(0\.0\.0\.0|\[::\])/, `://${location.hostname}`));
  settings = found;
  if (typeof JsSIP === "undefined") show({ problem: "no_jssip" });
  else if (!settings.sockets.length) show({ problem: "no_socket" });
  for (const field of $("login").elements) field.disabled = Boolean(shown.problem);
}

begin();
