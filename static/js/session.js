// Says so two minutes before a session ends, in whichever tab is looked at. The server knows how long
// is left; asking it does not keep the session alive, only the button does.
const ADDRESS = "/my/more/session";
const STAY = "/my/more/stay";
const FIRST_LOOK_SECONDS = 60;
let dialog = null;

async function ask(address, options = {}) {
  const answer = await fetch(address, { redirect: "manual", headers: { Accept: "application/json" }, ...options });
  return answer.ok ? answer.json() : null;
}

function later(seconds, act) {
  setTimeout(act, Math.max(1, seconds) * 1000);
}

async function look() {
  let state;
  try {
    state = await ask(ADDRESS);
  } catch {
    later(FIRST_LOOK_SECONDS, look);
    return;
  }
  if (state === null) {
    dialog?.showEnded();
    return;
  }
  if (state.left > state.warn) {
    dialog?.close();
    later(state.left - state.warn, look);
    return;
  }
  warn(state);
  later(Math.min(20, state.left), look);
}

function warn(state) {
  dialog ??= new Warning(state);
  dialog.open(state);
}

class Warning {
  constructor(words) {
    this.words = words;
    this.box = document.createElement("dialog");
    this.box.className = "card stack";
    this.box.setAttribute("aria-labelledby", "session-title");
    this.title = this.add("h2", words.title);
    this.title.id = "session-title";
    this.text = this.add("p", words.text);
    this.button = this.add("button", words.stay);
    this.button.className = "btn";
    this.button.type = "button";
    this.button.addEventListener("click", () => this.stay());
    document.body.append(this.box);
  }

  add(name, text) {
    const element = document.createElement(name);
    element.textContent = text;
    this.box.append(element);
    return element;
  }

  open(state) {
    this.token = state.csrf_token;
    if (!this.box.open) this.box.showModal();
  }

  close() {
    if (this.box.open) this.box.close();
  }

  async stay() {
    const state = await ask(STAY, { method: "POST", headers: { "X-CSRF-Token": this.token } });
    if (state === null) this.showEnded();
    else this.close();
  }

  showEnded() {
    this.title.textContent = this.words.ended;
    this.text.remove();
    const link = document.createElement("a");
    link.className = "btn";
    link.href = "/sign-in";
    link.textContent = this.words.sign_in;
    this.button.replaceWith(link);
    if (!this.box.open) this.box.showModal();
  }
}

later(FIRST_LOOK_SECONDS, look);

// Choosing a language or a text size reloads the page; what was typed and not yet sent comes back.
const KEPT = `typed:${location.pathname}`;
const typed = document.querySelector("main form[method=post]");
const SECRET = new Set(["csrf_token", "form_key", "code"]);

for (const tools of document.querySelectorAll("form.tools")) {
  tools.addEventListener("submit", () => {
    if (!typed) return;
    const fields = [...new FormData(typed)].filter(([name, value]) => typeof value === "string" && !SECRET.has(name));
    sessionStorage.setItem(KEPT, JSON.stringify(fields));
  });
}

const kept = sessionStorage.getItem(KEPT);
sessionStorage.removeItem(KEPT);
for (const [name, value] of typed && kept ? JSON.parse(kept) : []) {
  for (const field of typed.querySelectorAll(`[name="${CSS.escape(name)}"]`)) {
    if (field.type === "radio" || field.type === "checkbox") field.checked ||= field.value === value;
    else field.value = value;
  }
}
