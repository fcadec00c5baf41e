// Fetches the page again every few seconds and swaps the part marked data-refresh, so that it stays current.
const part = document.querySelector("[data-refresh]");
if (part) {
  setInterval(async () => {
    if (document.hidden) return;
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(part.id);
    const now = document.getElementById(part.id);
    if (fresh && now && fresh.innerHTML !== now.innerHTML) now.innerHTML = fresh.innerHTML;
  }, Number(part.dataset.refresh) * 1000);
}
