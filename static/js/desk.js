// Keys for the desk: one letter, no modifier, never while typing. Everything they do has a link or a button.
const typing = (target) => target.closest("input:not([type=radio],[type=checkbox]),textarea,select,[contenteditable]");
const rows = () => [...document.querySelectorAll("[data-rows] tbody tr")];
const papers = () => [...document.querySelectorAll("[data-papers] a")];

function step(by) {
  const list = rows();
  if (!list.length) return move(papers(), by);
  const at = list.findIndex((row) => row.getAttribute("aria-current") === "true");
  const next = list[Math.min(Math.max(at + by, 0), list.length - 1)];
  list.forEach((row) => row.removeAttribute("aria-current"));
  next.setAttribute("aria-current", "true");
  next.querySelector("a").focus();
}

function move(links, by) {
  if (!links.length) return;
  const at = links.findIndex((link) => link.getAttribute("aria-current") === "true");
  links[Math.min(Math.max(at + by, 0), links.length - 1)].click();
}

function take() {
  const row = document.querySelector("[data-rows] tr[aria-current=true]");
  (row ?? document).querySelector(".take")?.click();
}

function open() {
  document.querySelector("[data-rows] tr[aria-current=true] a")?.click();
}

function choose(kind) {
  const radio = document.querySelector(`[data-decide] input[name=kind][value=${kind}]`);
  if (!radio) return;
  radio.checked = true;
  radio.dispatchEvent(new Event("change", { bubbles: true }));
  radio.focus();
}

function enlarge() {
  const current = document.querySelector("[data-papers] a[aria-current=true]");
  document.querySelector(current?.getAttribute("href") ?? "[data-sheets]")?.querySelector("[data-sheet]")?.click();
}

document.querySelector("[data-papers]")?.addEventListener("click", (event) => {
  const chosen = event.target.closest("a");
  if (!chosen) return;
  papers().forEach((link) => link.removeAttribute("aria-current"));
  chosen.setAttribute("aria-current", "true");
});

// Back from judging a paper: the pane stands at it already, and so does its thumb.
const judged = papers().find((link) => link.getAttribute("href") === location.hash);
if (judged) {
  papers().forEach((link) => link.removeAttribute("aria-current"));
  judged.setAttribute("aria-current", "true");
}

const follow = (mark) => document.querySelector(`[data-key=${mark}]`)?.click();
const focusOn = (id) => document.getElementById(id)?.focus();
const search = () => (document.getElementById("f-q") ? focusOn("f-q") : location.assign("/desk#f-q"));

// The queue is left and come back to many times a day: links to it keep the filters it was left with.
if (document.getElementById("filters")) sessionStorage.setItem("queue", location.search);
else {
  const left = sessionStorage.getItem("queue") ?? "";
  document.querySelectorAll('a[href="/desk"]').forEach((link) => (link.href = `/desk${left}`));
}

const keys = {
  j: () => step(1),
  k: () => step(-1),
  g: take,
  f: () => focusOn("f-state"),
  a: () => choose("approve"),
  c: () => choose("counter"),
  m: () => choose("ask"),
  d: () => choose("decline"),
  l: () => follow("l"),
  h: () => follow("h"),
  z: enlarge,
  "/": search,
};

// Back from taking a case, or from the case itself: the row one was on is the current one again.
const back = location.hash.startsWith("#row-") && document.getElementById(location.hash.slice(1));
if (back) {
  back.setAttribute("aria-current", "true");
  back.querySelector("a").focus();
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    const button = event.target.closest("textarea") && document.querySelector("[data-send-words]");
    (button || document.querySelector("[data-decide] [data-send]"))?.click();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key === "Enter" && event.target === document.body) return open();
  const act = keys[event.key.toLowerCase()];
  if (!act) return;
  event.preventDefault();
  act();
});

// The counter-offer is recalculated by the server while it is typed; without script there is a button.
const form = document.querySelector("[data-decide][data-preview]");
const live = document.querySelector("[data-live]");
if (form && live) {
  let waiting;
  let asked = 0;
  const refresh = async () => {
    const mine = ++asked;
    const answer = await fetch(form.dataset.preview, { method: "POST", body: new URLSearchParams(new FormData(form)) });
    const page = answer.ok ? await answer.text() : null;
    if (page !== null && mine === asked) live.innerHTML = page;
  };
  form.addEventListener("input", (event) => {
    if (!event.target.closest("[data-terms]")) return;
    clearTimeout(waiting);
    waiting = setTimeout(refresh, 250);
  });
}

// What was typed outlives an ended session and the way back: kept in this tab, for this person and this
// state of the case, until it is sent. Signing out clears it.
const deciding = document.querySelector("[data-decide]");
const drafts = `draft ${location.pathname.split("/", 4).join("/")}`;
const fields = () => [...deciding.elements].filter((field) => field.name && !["hidden", "submit"].includes(field.type));
const ticks = (field) => ["radio", "checkbox"].includes(field.type);

function keep() {
  const typed = fields().map((field) => [field.name, field.value, ticks(field) ? field.checked : null]);
  sessionStorage.setItem(drafts, JSON.stringify({ of: deciding.dataset.draft, typed }));
}

function restore({ typed }) {
  for (const [name, value, checked] of typed) {
    const same = fields().filter((field) => field.name === name);
    if (checked === null && same[0]) same[0].value = value;
    for (const field of same) if (checked !== null && field.value === value) field.checked = checked;
  }
  document.getElementById("count")?.dispatchEvent(new Event("input", { bubbles: true }));
}

if (deciding) {
  const kept = JSON.parse(sessionStorage.getItem(drafts) ?? "null");
  if (kept?.of === deciding.dataset.draft) restore(kept);
  deciding.addEventListener("input", keep);
  deciding.addEventListener("change", keep);
} else if (document.getElementById("decide")) sessionStorage.removeItem(drafts);
