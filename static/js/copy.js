// A copy button beside everything marked data-copy. Without script the text can be selected as ever.
const words = { "zh-CN": ["复制", "已复制"], "zh-Hant": ["複製", "已複製"], en: ["Copy", "Copied"] };
const [copy, copied] = words[document.documentElement.lang] || words.en;
if (navigator.clipboard) {
  for (const text of document.querySelectorAll("[data-copy]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "tool";
    button.textContent = copy;
    button.setAttribute("aria-describedby", text.id);
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(text.dataset.copy);
      button.textContent = copied;
      setTimeout(() => { button.textContent = copy; }, 3000);
    });
    text.after(" ", button);
  }
}
