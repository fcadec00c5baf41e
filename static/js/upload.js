// Papers, one by one with progress. Without this script the form posts all files at once and works the same.
const form = document.getElementById("add");
const files = document.getElementById("files");
const camera = document.getElementById("camera");
const list = document.getElementById("uploads");
const papers = document.getElementById("papers");
const words = document.getElementById("upload-words").dataset;
const onward = document.getElementById("onward");
const LARGEST = 10 * 1024 * 1024;

if (matchMedia("(pointer: coarse)").matches) camera.closest("p").hidden = false;

function line(file) {
  const item = document.createElement("li");
  const name = document.createElement("span");
  name.className = "file-name";
  name.textContent = file.name;
  const bar = document.createElement("progress");
  bar.max = 100;
  bar.value = 0;
  bar.setAttribute("aria-label", file.name);
  const state = document.createElement("p");
  state.className = "small muted";
  state.textContent = words.sending;
  item.append(name, bar, state);
  list.append(item);
  list.hidden = false;
  return { item, bar, state };
}

function failed(row, text, again) {
  row.bar.remove();
  row.state.className = "field-error";
  row.state.textContent = text;
  if (!again) return;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "linkish";
  button.textContent = words.again;
  button.onclick = () => { row.item.remove(); again(); };
  row.item.append(button);
}

function arrived(row, answer) {
  row.item.remove();
  if (!list.children.length) list.hidden = true;
  if (!document.getElementById("p-" + answer.ref)) papers.insertAdjacentHTML("beforeend", answer.entry);
  papers.closest("section").hidden = false;
  if (onward) {
    onward.textContent = onward.dataset.with;
    onward.classList.remove("alt");
    form.querySelector("button.btn").classList.add("alt");
  }
}

// The key stays the same when a file is tried again, so that it is never taken in twice.
function send(file, key = crypto.getRandomValues(new Uint32Array(4)).join("-")) {
  return new Promise((done) => {
    const row = line(file);
    const again = () => send(file, key);
    if (file.size > LARGEST) { failed(row, words.toobig); done(); return; }
    const body = new FormData(form);
    body.delete("files");
    body.set("form_key", key);
    body.append("files", file, file.name);
    const call = new XMLHttpRequest();
    call.open("POST", form.action);
    call.setRequestHeader("Accept", "application/json");
    call.responseType = "json";
    call.upload.onprogress = (event) => { if (event.lengthComputable) row.bar.value = (event.loaded / event.total) * 100; };
    call.upload.onload = () => { row.bar.removeAttribute("value"); row.state.textContent = words.checking; };
    call.onerror = () => { failed(row, words.failed, again); done(); };
    call.onload = () => {
      const answer = call.status === 200 && call.response && call.response.files[0];
      if (!answer) failed(row, call.status === 413 ? words.toobig : words.failed, call.status === 413 ? null : again);
      else if (answer.ok) arrived(row, answer);
      else failed(row, answer.words);
      done();
    };
    call.send(body);
  });
}

async function sendAll(chosen) {
  for (const file of chosen) await send(file);
}

form.addEventListener("submit", (event) => {
  if (!files.files.length) return;
  event.preventDefault();
  const chosen = [...files.files];
  files.value = "";
  sendAll(chosen);
});
camera.addEventListener("change", () => {
  const chosen = [...camera.files];
  camera.value = "";
  sendAll(chosen);
});
