// Keeps the part marked data-live current while the page is looked at. What cannot be renewed is not shown
// on: without a connection the page says so and the words disappear; an ended session leads to its page.
const REACH = 8000;
const lost = () => document.querySelector(".live-lost");

async function look(part) {
  if (document.hidden) return;
  let answer;
  try {
    answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store", signal: AbortSignal.timeout(REACH) });
  } catch {
    part.classList.add("stale");
    lost()?.removeAttribute("hidden");
    return;
  }
  if (answer.redirected || !answer.ok) {
    location.reload();
    return;
  }
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(part.id);
  if (!fresh) return;
  part.classList.remove("stale");
  if (fresh.innerHTML !== part.innerHTML) part.innerHTML = fresh.innerHTML;
}

const part = document.querySelector("[data-live]");
if (part) {
  let busy = false;
  const renew = async () => {
    if (busy) return;
    busy = true;
    await look(part).finally(() => (busy = false));
  };
  setInterval(renew, Number(part.dataset.live) * 1000);
  document.addEventListener("visibilitychange", renew);
}
