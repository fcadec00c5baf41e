// A button that pastes into the field marked data-paste, where the browser lets a page read the clipboard.
const words = { "zh-CN": "粘贴", "zh-Hant": "貼上", en: "Paste" };
const field = document.querySelector("[data-paste]");
if (field && navigator.clipboard && navigator.clipboard.readText) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "btn alt";
  button.textContent = words[document.documentElement.lang] || words.en;
  button.addEventListener("click", async () => {
    try {
      field.value = await navigator.clipboard.readText();
    } catch {
      button.remove(); // not allowed: the field can be pasted into as ever
    }
    field.focus();
  });
  field.after(button);
}
