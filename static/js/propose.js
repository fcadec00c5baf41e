// The live preview: the server renders the answer, this swaps it in. Without script, Recalculate does the same.
const form = document.querySelector("form[data-preview]");
const WAIT = 350;
let timer = 0;
let asking = null;

function chooseOwn(event) {
  const name = event.target.name;
  if (["amount", "count", "upfront", "step_count", "step_amount", "frequency"].includes(name)) {
    const own = form.querySelector("input[name=plan][value=own]");
    if (own && event.target.value !== "") own.checked = true;
  }
}

async function ask() {
  asking?.abort();
  asking = new AbortController();
  const query = new URLSearchParams(new FormData(form));
  try {
    const answer = await fetch(`${form.dataset.preview}?${query}`, { signal: asking.signal, headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of ["answer", "schedule", "onward"]) {
      const [old, fresh] = [document.getElementById(id), page.getElementById(id)];
      if (old && fresh) old.replaceChildren(...fresh.childNodes);
    }
  } catch (error) {
    if (error.name !== "AbortError") console.warn("preview", error.name);
  }
}

form?.addEventListener("input", (event) => {
  chooseOwn(event);
  clearTimeout(timer);
  timer = setTimeout(ask, WAIT);
});
