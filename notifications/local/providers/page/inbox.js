// The inbox page. Everything from outside enters the document as text, never as markup.

const CHANNELS = { "": "All", email: "Email", sms: "SMS", whatsapp: "WhatsApp", push: "Push", webhook: "Webhook" };
const EVERY = 1000; // milliseconds between looks for new messages
const AFTER_FAILURE = 3000;
const KEPT = 500; // messages in the list; older ones are fetched again when asked for

const element = (id) => document.getElementById(id);
const [list, scroller, reader, search] = ["messages", "scroller", "reader", "search"].map(element);
const placeholder = reader.firstElementChild;
const state = { channel: "", search: "", newest: 0, oldest: 0, edition: "", chosen: 0, unseen: 0, found: 0, asked: 0 };

function make(tag, className = "", ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children.filter((child) => child !== null && child !== ""));
  return made;
}

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

function clock(seconds, options = { timeStyle: "medium" }) {
  const moment = new Date(seconds * 1000);
  const today = moment.toDateString() === new Date().toDateString();
  const text = new Intl.DateTimeFormat([], today ? options : { ...options, dateStyle: "short" }).format(moment);
  const time = make("time", "", text);
  time.dateTime = moment.toISOString();
  return time;
}

const number = (value) => value.toLocaleString();
const OUTCOMES = {
  delay: "delayed",
  throttle: "throttled",
  server_error: "failed",
  refuse: "refused",
  hang_up: "hung up on",
  hang: "never answered",
  accept_then_drop: "accepted without an answer",
  malformed: "malformed",
};

// ── What the server knows ────────────────────────────────────────────────

async function ask(parameters) {
  const query = new URLSearchParams({ channel: state.channel, search: state.search, ...parameters });
  const answer = await fetch(`/inbox/messages?${query}`);
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  return answer.json();
}

async function reload() {
  const asked = ++state.asked;
  const page = await ask({});
  if (asked !== state.asked) return; // another tab or search was chosen meanwhile
  if (state.edition && state.edition !== page.edition) close(); // what is shown is no more
  state.edition = page.edition;
  state.found = page.found;
  state.newest = page.messages[0]?.id ?? 0;
  state.oldest = page.messages.at(-1)?.id ?? 0;
  list.replaceChildren(...page.messages.map(item));
  element("older").hidden = !page.more;
  scroller.scrollTop = 0;
  seen();
  show(page);
}

async function refresh() {
  const asked = state.asked;
  const page = await ask({ after: state.newest });
  if (asked !== state.asked) return;
  if (page.edition !== state.edition) return reload();
  if (page.more && scroller.scrollTop === 0) return reload();
  if (page.more) {
    state.unseen = page.found; // too many to fill in above: the button starts over
  } else {
    prepend(page.messages);
  }
  announce();
  show(page);
}

async function fetchOlder() {
  const asked = state.asked;
  const page = await ask({ before: state.oldest });
  if (asked !== state.asked) return;
  state.oldest = page.messages.at(-1)?.id ?? state.oldest;
  list.append(...page.messages.map(item));
  element("older").hidden = !page.more;
}

async function keepLooking() {
  let pause = EVERY;
  try {
    if (!document.hidden) await (state.edition ? refresh() : reload());
    live("on", "live");
  } catch {
    live("off", "the sandbox does not answer");
    pause = AFTER_FAILURE;
  }
  setTimeout(keepLooking, pause);
}

// ── The list ─────────────────────────────────────────────────────────────

function item(message) {
  const badge = make("span", `badge ${message.channel}`, icon(message.channel));
  const line = make("span", "line", make("span", "who", message.address), clock(message.accepted_at));
  const text = message.text.replace(/\s+/g, " ").slice(0, 160);
  const what = make("span", "what", message.title ? make("b", "", message.title) : "", message.title ? " " : "", text);
  const chips = [message.event_type, message.subject].filter(Boolean).map((chip) => make("span", "chip", chip));
  const button = make("button", "message", badge, line, what, make("span", "chips", ...chips));
  button.type = "button";
  button.dataset.id = message.id;
  if (message.id === state.chosen) button.setAttribute("aria-current", "true");
  button.addEventListener("click", () => choose(message.id));
  return make("li", "", button);
}

function prepend(messages) {
  if (!messages.length) return;
  state.newest = messages[0].id;
  state.found += messages.length;
  const before = scroller.scrollHeight;
  const reading = scroller.scrollTop > 0;
  list.prepend(...messages.map(item));
  if (reading) {
    scroller.scrollTop += scroller.scrollHeight - before; // what is read stays where it is
    state.unseen += messages.length;
  } else {
    trim();
  }
}

function trim() {
  if (list.children.length <= KEPT) return;
  while (list.children.length > KEPT) list.lastElementChild.remove();
  state.oldest = Number(list.lastElementChild.firstElementChild.dataset.id);
  element("older").hidden = false;
}

function announce() {
  const button = element("fresh");
  button.hidden = state.unseen === 0;
  button.textContent = `↑ ${number(state.unseen)} new`;
}

function seen() {
  state.unseen = 0;
  announce();
}

// ── Tabs, counts and how it goes ─────────────────────────────────────────

function show(page) {
  const accepted = (name) =>
    name ? page.counts[name].accepted : Object.values(page.counts).reduce((sum, each) => sum + each.accepted, 0);
  for (const tab of element("tabs").children) {
    tab.querySelector(".number").textContent = number(accepted(tab.dataset.channel));
    tab.toggleAttribute("aria-current", tab.dataset.channel === state.channel);
  }
  element("summary").textContent = summary(page.counts, accepted(state.channel));
  const empty = element("empty");
  empty.hidden = list.children.length > 0;
  empty.textContent = state.search
    ? `Nothing found for “${state.search}”.`
    : "Nothing accepted yet. Messages appear here by themselves.";
}

function summary(counts, accepted) {
  const shown = state.channel ? [counts[state.channel]] : Object.keys(CHANNELS).filter(Boolean).map((name) => counts[name]);
  const outcomes = {};
  for (const { outcomes: each } of shown) {
    for (const [name, times] of Object.entries(each)) outcomes[name] = (outcomes[name] ?? 0) + times;
  }
  const requests = shown.reduce((sum, each) => sum + each.requests, 0);
  const others = Object.entries(outcomes).filter(([name]) => name !== "accept");
  return (state.search ? [`${number(state.found)} found`] : [])
    .concat(`${number(accepted)} accepted`, `${number(requests)} requests`)
    .concat(others.map(([name, times]) => `${number(times)} ${OUTCOMES[name]}`))
    .join(" · ");
}

function live(name, text) {
  const status = element("live");
  status.className = `live ${name}`;
  if (status.textContent !== text) status.textContent = text;
}

function makeTabs() {
  for (const [channel, title] of Object.entries(CHANNELS)) {
    const tab = make("a", "", icon(channel || "all"), title, make("span", "number", "0"));
    tab.dataset.channel = channel;
    tab.href = address({ channel, message: 0 });
    tab.addEventListener("click", (event) => {
      event.preventDefault();
      go({ channel });
    });
    element("tabs").append(tab);
  }
}

// ── One message, as the customer sees it ─────────────────────────────────

async function choose(id, { remember = true } = {}) {
  state.chosen = id;
  for (const each of list.querySelectorAll(".message")) {
    each.toggleAttribute("aria-current", Number(each.dataset.id) === id);
  }
  const answer = await fetch(`/inbox/messages/${id}`);
  if (!answer.ok || state.chosen !== id) return;
  reader.replaceChildren(back(), preview(await answer.json()));
  reader.scrollTop = 0;
  document.body.classList.add("reading");
  if (remember) history.pushState(null, "", address({ message: id }));
}

function back() {
  const button = make("button", "back", "← Back");
  button.type = "button";
  button.addEventListener("click", leave);
  return button;
}

function leave() {
  history.pushState(null, "", address({ message: 0 }));
  follow();
}

function close() {
  if (!state.chosen) return;
  history.replaceState(null, "", address({ message: 0 }));
  reader.replaceChildren(placeholder);
  follow();
}

function preview(message) {
  const made = document.createDocumentFragment();
  made.append(PREVIEWS[message.channel](message), facts(message));
  return made;
}

function letter(message) {
  const text = make("pre", "", message.text);
  const from = make("p", "", "from ", make("b", "", message.sender));
  const to = make("p", "", "to ", make("b", "", message.address), " · ", clock(message.accepted_at));
  const header = make("header", "", make("h2", "", message.title || "(no subject)"), from, to);
  if (message.attachments.length) header.append(make("p", "files", `with ${message.attachments.join(", ")}`));
  const body = message.has_html ? frame(message) : text;
  if (message.has_html) header.append(views(body, text));
  return make("section", "letter", header, body);
}

function frame(message) {
  const made = make("iframe");
  made.setAttribute("sandbox", ""); // no script, no form, no word with this page
  made.title = "The email as HTML";
  made.src = `/inbox/messages/${message.id}/html`;
  return made;
}

function views(html, text) {
  const bar = make("div", "views");
  let shown = html;
  for (const [name, view] of [["HTML", html], ["Text", text]]) {
    const button = make("button", "", name);
    button.type = "button";
    button.setAttribute("aria-pressed", String(view === shown));
    button.addEventListener("click", () => {
      shown.replaceWith(view);
      shown = view;
      for (const each of bar.children) each.setAttribute("aria-pressed", String(each === button));
    });
    bar.append(button);
  }
  return bar;
}

function talk(message) {
  const name = make("div", "name", make("b", "", message.sender || "Shop"), make("small", "", `to ${message.address}`));
  const header = make("header", "", make("span", `badge ${message.channel}`, icon(message.channel)), name);
  const bubble = make("div", "bubble", message.text, clock(message.accepted_at, { timeStyle: "short" }));
  const phone = make("div", `phone ${message.channel}`, header, make("div", "talk", bubble));
  return make("section", "stage", phone);
}

function card(message) {
  const at = { timeStyle: "short" };
  const app = make("p", "app", make("span", "", "Shop"), clock(message.accepted_at, at));
  const shown = make("div", "card", app, message.title ? make("b", "", message.title) : "", make("p", "", message.text));
  const time = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", hour12: false });
  const hour = make("p", "clock", time.format(new Date(message.accepted_at * 1000)));
  return make("section", "stage", make("div", "phone push", hour, shown));
}

function payload(message) {
  let text = message.text;
  try {
    text = JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    // not JSON: shown as it came
  }
  return make("pre", "payload", text);
}

function facts(message) {
  const rows = [
    ["Event", message.event_type],
    ["About", message.subject],
    ["To", message.address],
    ["Tag", message.tag],
    ["Provider’s id", message.provider_message_id],
  ];
  const list = rows.filter(([, value]) => value).flatMap(([name, value]) => [make("dt", "", name), make("dd", "", value)]);
  return make("dl", "facts", ...list);
}

const PREVIEWS = { email: letter, sms: talk, whatsapp: talk, push: card, webhook: payload };

// ── The address bar ──────────────────────────────────────────────────────

function address(change = {}) {
  const at = { channel: state.channel, search: state.search, message: state.chosen, ...change };
  const query = new URLSearchParams(Object.entries(at).filter(([, value]) => value));
  return query.size ? `/?${query}` : "/";
}

function go(change) {
  Object.assign(state, change);
  history.replaceState(null, "", address());
  reload().catch(() => live("off", "the sandbox does not answer"));
}

function follow() {
  const query = new URLSearchParams(location.search);
  const channel = query.get("channel") ?? "";
  Object.assign(state, {
    channel: channel in CHANNELS ? channel : "",
    search: query.get("search") ?? "",
    chosen: Number(query.get("message")) || 0,
  });
  search.value = state.search;
  document.body.classList.toggle("reading", state.chosen > 0);
  if (state.chosen) choose(state.chosen, { remember: false });
}

let typing = 0;
search.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => go({ search: search.value.trim() }), 200);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== search) {
    event.preventDefault();
    search.focus();
  }
});
scroller.addEventListener("scroll", () => {
  if (scroller.scrollTop === 0 && state.unseen) seen();
});
element("fresh").addEventListener("click", () => reload());
element("older").addEventListener("click", () => fetchOlder());
addEventListener("popstate", () => {
  follow();
  reload();
});

makeTabs();
follow();
keepLooking();
