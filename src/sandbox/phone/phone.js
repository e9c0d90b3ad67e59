"use strict";

// The phones of the sandbox's followers. Everything shown comes as text from the sandbox and is
// put into the page as text, never as markup.

const WORDS = {
  en: {
    empty: "No messages yet. They appear here as they arrive.",
    hint: "Choose a patient to look at their phone. Times are the demo’s.",
    hintAnswers:
      "Choose a phone and answer as its owner would: 1 taken, 2 later, 3 not today, or in words. Times are the demo’s.",
    latest: "Latest on all phones",
    quiet: "no messages",
    back: "Back to the list",
    lost: "The sandbox does not answer. Waiting for it to come back.",
    unread: (n) => `${n} unread`,
    chat: (name) => `Messages on the phone of ${name}`,
    follow: "Follow",
    unfollow: "Unfollow",
    write: "Message",
    send: "Send",
    scan: "Scan the code",
    gone: "Does not follow the account",
    failed: "The sandbox has not taken that.",
    wrote: (text) => `writes: ${text}`,
  },
  zh: {
    empty: "还没有消息，消息到达时会显示在这里。",
    hint: "选择一位患者，查看其手机。时间为演示时间。",
    hintAnswers: "选一部手机，像机主那样回复：1 已服，2 稍后，3 这次不服，也可以直接打字。时间为演示时间。",
    latest: "所有手机的最新消息",
    quiet: "暂无消息",
    back: "返回列表",
    lost: "演示服务没有响应，正在等待恢复。",
    unread: (n) => `${n} 条未读`,
    chat: (name) => `${name}的手机消息`,
    follow: "关注",
    unfollow: "取消关注",
    write: "发消息",
    send: "发送",
    scan: "扫描二维码",
    gone: "未关注该服务号",
    failed: "演示服务没有接受该操作。",
    wrote: (text) => `发送：${text}`,
  },
};
// Numbers answer most of what is asked; a tap is faster than typing one.
const QUICK = ["1", "2", "3"];
const LANGUAGE = navigator.language.startsWith("zh") ? "zh" : "en";
const T = WORDS[LANGUAGE];
const LOCALE = LANGUAGE === "zh" ? "zh-CN" : "en-GB";
const POLL_MS = 2000;
// So many messages of one phone are kept in the page, and so many of all are listed as the latest.
const KEPT = 300;
const LATEST = 30;

const $ = (id) => document.getElementById(id);

/** An element with a class and a text; `lang` is set so that Han gets the right glyphs. */
function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) say(element, text);
  return element;
}

function say(element, text) {
  if (element.textContent === text) return;
  element.textContent = text;
  if (/\p{Script=Han}/u.test(text)) element.lang = "zh-CN";
  else element.removeAttribute("lang");
}

// What the sandbox told us.
let run = null; // which start of the sandbox this is
let last = 0; // sequence number of the newest message
let clock = { at: Date.now(), seen: performance.now(), speed: 1 };
let formats = null;
const patients = new Map(); // openid -> { name, note, messages, unread, row }
let chosen = null;
// What followers can do here: nothing, if the account takes no messages.
let doings = { answers: false, following: new Set(), codes: [] };

function setFormats(zone) {
  const format = (options) => {
    try {
      return new Intl.DateTimeFormat(LOCALE, { timeZone: zone, hourCycle: "h23", ...options });
    } catch {
      return new Intl.DateTimeFormat(LOCALE, { timeZone: "UTC", hourCycle: "h23", ...options });
    }
  };
  const hm = { hour: "2-digit", minute: "2-digit" };
  formats = {
    seconds: format({ ...hm, second: "2-digit" }),
    minutes: format(hm),
    date: format({ weekday: "long", day: "numeric", month: "long", year: "numeric" }),
    day: format({ day: "numeric", month: "short" }),
  };
}

function now() {
  return clock.at + (performance.now() - clock.seen) * clock.speed;
}

function setClock(told) {
  doings = { answers: told.answers, following: new Set(told.following), codes: told.codes };
  drawDoings();
  clock = { at: told.now, seen: performance.now(), speed: told.speed };
}

function tick() {
  if (!formats) return;
  const at = now();
  say($("clock-time"), formats.seconds.format(at));
  say($("clock-date"), formats.date.format(at));
  say($("status-time"), formats.minutes.format(at));
}

/** "08:00", with the day before it where that is not today's. */
function when(at) {
  const day = formats.day.format(at);
  const time = formats.minutes.format(at);
  return day === formats.day.format(now()) ? time : `${day} ${time}`;
}

/** The line to write on, the answers of one tap, and whether the account is followed. */
function drawDoings() {
  say($("hint"), doings.answers ? T.hintAnswers : T.hint);
  const follows = doings.following.has(chosen);
  $("follow").hidden = !doings.answers || chosen === null;
  say($("follow"), follows ? T.unfollow : T.follow);
  $("follow").classList.toggle("wanted", !follows);
  $("compose").hidden = !doings.answers || chosen === null;
  $("words").disabled = !follows;
  $("send").disabled = !follows;
  $("words").placeholder = follows ? T.write : T.gone;
  const codes = doings.codes.slice(0, 1);
  const wanted = [...(follows ? QUICK : []), ...codes.map((code) => code.ticket)].join(" ");
  if ($("quick").dataset.shown === wanted) return;
  $("quick").dataset.shown = wanted;
  const buttons = follows ? QUICK.map((text) => quick(text, { do: "write", text })) : [];
  $("quick").replaceChildren(
    ...buttons,
    ...codes.map((code) => quick(T.scan, { do: "scan", ticket: code.ticket })),
  );
}

function quick(label, what) {
  const button = make("button", "", label);
  button.type = "button";
  button.addEventListener("click", () => act(what));
  return button;
}

/** Does something as the one whose phone is shown. */
async function act(what) {
  try {
    const response = await fetch("/phone/do", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ openid: chosen, ...what }),
    });
    if (!response.ok) throw new Error(String(response.status));
    setClock(await response.json());
    return true;
  } catch {
    $("banner").hidden = false;
    say($("banner"), T.failed);
    return false;
  }
}

async function write(event) {
  event.preventDefault();
  const text = $("words").value.trim();
  if (text && (await act({ do: "write", text }))) $("words").value = "";
}

/** What a card is about stands in its second row: the medicine, the question. */
function preview(message) {
  if (message.kind !== "card") return message.text;
  return message.rows[1]?.[1] ?? message.title;
}

function drawPatient(openid, index) {
  const patient = patients.get(openid);
  const item = make("li");
  const row = make("button", "patient");
  row.type = "button";
  const face = make("span", `face face-${index % 6}`, [...patient.name][0] ?? "?");
  face.setAttribute("aria-hidden", "true");
  patient.row = {
    button: row,
    time: make("span", "time"),
    last: make("span", "last"),
    unread: make("span", "unread"),
  };
  row.append(face, make("span", "name", patient.name), patient.row.time, patient.row.last, patient.row.unread);
  row.addEventListener("click", () => choose(openid, true));
  item.append(row);
  $("patients").append(item);
}

function drawRow(patient) {
  const newest = patient.messages.at(-1);
  say(patient.row.last, newest ? preview(newest) : patient.note || T.quiet);
  say(patient.row.time, newest ? when(newest.at) : "");
  say(patient.row.unread, patient.unread ? String(Math.min(patient.unread, 99)) : "");
  patient.row.unread.setAttribute("aria-label", patient.unread ? T.unread(patient.unread) : "");
}

function drawUnread() {
  let sum = 0;
  for (const patient of patients.values()) sum += patient.unread;
  document.title = (sum ? `(${sum}) ` : "") + $("title").textContent;
  say($("back-unread"), sum ? String(Math.min(sum, 99)) : "");
}

function drawMessage(message, before, isNew) {
  const parts = [];
  // One time line for messages that arrive together, as phones do it.
  if (!before || message.at - before.at >= 60_000) parts.push(make("p", "when", when(message.at)));
  let body;
  if (message.kind !== "card") {
    const own = message.kind === "own";
    body = make("div", own ? "text own" : "text");
    const name = own ? (patients.get(message.to)?.name ?? "") : $("title").textContent;
    const face = make("span", "face", [...name][0] ?? "");
    if (own) face.classList.add(`face-${[...patients.keys()].indexOf(message.to) % 6}`);
    face.setAttribute("aria-hidden", "true");
    body.append(face, make("p", "", message.text));
  } else {
    body = make("article", "card");
    const rows = make("dl");
    for (const [label, value] of message.rows) {
      rows.append(make("dt", "", label), make("dd", "", value));
    }
    body.append(make("h3", "", message.title), make("p", "from", $("title").textContent), rows);
  }
  if (isNew) body.classList.add("new");
  parts.push(body);
  return parts;
}

function drawChat() {
  const chat = $("chat");
  const patient = patients.get(chosen);
  chat.replaceChildren();
  if (!patient) return;
  say($("phone-name"), patient.name);
  say($("phone-note"), patient.note);
  chat.setAttribute("aria-label", T.chat(patient.name));
  if (!patient.messages.length) chat.append(make("p", "empty", T.empty));
  patient.messages.forEach((message, n) => {
    chat.append(...drawMessage(message, patient.messages[n - 1], false));
  });
  chat.scrollTop = chat.scrollHeight;
}

function drawNews(patient, message, isNew) {
  const item = make("li");
  const button = make("button", "news");
  button.type = "button";
  button.append(
    make("span", "name", patient.name),
    make("span", "time", when(message.at)),
    // Among what arrives, what somebody wrote would look as if it had arrived too.
    make("span", "last", message.kind === "own" ? T.wrote(message.text) : preview(message)),
  );
  button.addEventListener("click", () => choose(message.to, true));
  if (isNew) item.classList.add("new");
  item.append(button);
  $("latest").prepend(item);
  if ($("latest").childElementCount > LATEST) $("latest").lastElementChild.remove();
}

function isRead(openid) {
  const shown = matchMedia("(min-width: 761px)").matches || $("app").classList.contains("open");
  return openid === chosen && shown && document.visibilityState === "visible";
}

function choose(openid, open) {
  if (!patients.has(openid)) return;
  chosen = openid;
  if (open) {
    $("app").classList.add("open");
    history.replaceState(null, "", `#${encodeURIComponent(openid)}`);
  }
  for (const [id, patient] of patients) {
    patient.row.button.setAttribute("aria-current", String(id === openid));
  }
  drawChat();
  drawDoings();
  markRead();
}

function markRead() {
  const patient = patients.get(chosen);
  if (!patient || !isRead(chosen)) return;
  patient.unread = 0;
  drawRow(patient);
  drawUnread();
}

function closePhone() {
  $("app").classList.remove("open");
  history.replaceState(null, "", location.pathname);
  patients.get(chosen)?.row.button.focus();
}

function receive(message, isNew) {
  if (message.seq <= last) return;
  last = message.seq;
  const patient = patients.get(message.to);
  if (!patient) return;
  const before = patient.messages.at(-1);
  patient.messages.push(message);
  if (patient.messages.length > KEPT) patient.messages.shift();
  if (!isRead(message.to) && message.kind !== "own") patient.unread += 1;
  drawRow(patient);
  drawUnread();
  drawNews(patient, message, isNew);
  if (message.to !== chosen) return;
  const chat = $("chat");
  const atEnd = chat.scrollHeight - chat.scrollTop - chat.clientHeight < 80;
  chat.querySelector(".empty")?.remove();
  chat.append(...drawMessage(message, before, isNew));
  if (atEnd || message.kind === "own") chat.scrollTop = chat.scrollHeight;
}

/** Takes a whole state: at the start, after a silence, and when polling. */
function take(state, isNew) {
  // Another start of the sandbox, or another follower: begin afresh.
  if (run !== null && (run !== state.run || state.followers.length !== patients.size)) {
    location.reload();
    return;
  }
  setClock(state);
  if (run === null) {
    run = state.run;
    setFormats(state.zone);
    say($("title"), state.title);
    say($("clock-speed"), state.speed === 1 ? "" : `×${state.speed}`);
    state.followers.forEach((follower, index) => {
      patients.set(follower.openid, { ...follower, messages: [], unread: 0 });
      drawPatient(follower.openid, index);
    });
    const wanted = decodeURIComponent(location.hash.slice(1));
    for (const message of state.messages) {
      const patient = patients.get(message.to);
      last = message.seq;
      if (!patient) continue;
      patient.messages.push(message);
      if (message.kind !== "own") patient.unread += 1;
    }
    patients.forEach(drawRow);
    for (const message of state.messages.slice(-LATEST)) {
      const patient = patients.get(message.to);
      if (patient) drawNews(patient, message, false);
    }
    tick();
    const [first] = patients.keys();
    if (patients.has(wanted)) choose(wanted, true);
    else if (first) choose(first, false);
    drawUnread();
  } else {
    for (const message of state.messages) receive(message, isNew);
  }
}

function setLost(lost) {
  $("banner").hidden = !lost;
  say($("banner"), lost ? T.lost : "");
}

async function fetchState() {
  const response = await fetch(`/phone/state?after=${last}`, { cache: "no-store" });
  if (!response.ok) throw new Error(String(response.status));
  take(await response.json(), run !== null);
  setLost(false);
}

async function poll() {
  try {
    await fetchState();
  } catch {
    setLost(true);
  }
  setTimeout(poll, POLL_MS);
}

function listen() {
  const source = new EventSource(`/phone/events?after=${last}`);
  source.addEventListener("message", (event) => receive(JSON.parse(event.data), true));
  source.addEventListener("clock", (event) => {
    const told = JSON.parse(event.data);
    if (told.run !== run) location.reload();
    failures = 0;
    setClock(told);
    setLost(false);
  });
  source.addEventListener("error", () => {
    // It would reconnect by itself, but not from where we are; and it may never have worked.
    source.close();
    setLost(true);
    setTimeout(resume, POLL_MS);
  });
}

let failures = 0;

async function resume() {
  try {
    await fetchState();
    failures += 1;
    // A stream that breaks again and again is not going to work here: ask instead.
    if (failures < 4) listen();
    else poll();
  } catch {
    setLost(true);
    setTimeout(resume, POLL_MS);
  }
}

function start() {
  document.documentElement.lang = LANGUAGE === "zh" ? "zh-CN" : "en";
  say($("hint"), T.hint);
  say($("feed-title"), T.latest);
  $("back").setAttribute("aria-label", T.back);
  $("back").addEventListener("click", closePhone);
  $("compose").addEventListener("submit", write);
  say($("send"), T.send);
  $("words").setAttribute("aria-label", T.write);
  $("follow").addEventListener("click", () => {
    act({ do: doings.following.has(chosen) ? "unfollow" : "follow" });
  });
  document.addEventListener("visibilitychange", markRead);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && $("app").classList.contains("open")) closePhone();
  });
  $("patients").addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const rows = [...document.querySelectorAll(".patient")];
    const next = rows[rows.indexOf(document.activeElement) + step];
    if (!next) return;
    event.preventDefault();
    next.focus();
  });
  setInterval(tick, 100);
  resume();
}

start();
