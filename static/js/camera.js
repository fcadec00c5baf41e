// Reading a square code with the camera, on the page of pictures. A frame now and then is looked at, by the browser
// itself where it can, else by us; the one with a code in it is then sent as if it had been chosen. One frame at a
// time; it ends with a find, after a minute, and when the page is no longer seen.
const EVERY = 700, MINUTE = 60_000, LONG_SIDE = 1280, QUALITY = 0.8;
const form = document.getElementById("photo-form");
const words = form && form.dataset;
const button = document.createElement("button"), said = document.createElement("p");
let stream = null, view = null, since = 0;

const REASONS = {
  NotAllowedError: "refused", SecurityError: "refused",
  NotFoundError: "absent", OverconstrainedError: "absent",
  NotReadableError: "taken", AbortError: "taken",
};

async function begin() {
  button.disabled = true;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1920 } } });
  } catch (error) {
    return end(REASONS[error.name] || "refused");
  }
  view = document.createElement("video");
  view.playsInline = view.muted = true;
  view.setAttribute("aria-label", words.view);
  view.width = form.clientWidth;
  view.srcObject = stream;
  button.before(view);
  await view.play().catch(() => {});
  button.disabled = false;
  button.textContent = words.stop;
  said.textContent = words.looking;
  since = Date.now();
  look(await detector(), stream);
}

function end(reason) {
  if (stream) stream.getTracks().forEach((track) => track.stop());
  if (view) view.remove();
  stream = view = null;
  button.disabled = false;
  button.textContent = words.live;
  said.textContent = reason ? words[reason] : "";
}

async function detector() {
  if (!window.BarcodeDetector) return null;
  const formats = await BarcodeDetector.getSupportedFormats().catch(() => []);
  return formats.includes("qr_code") ? new BarcodeDetector({ formats: ["qr_code"] }) : null;
}

async function look(reader, mine) {
  while (stream === mine && stream) {
    const begun = Date.now();
    if (begun - since > MINUTE) return end("nothing");
    const canvas = drawn();
    const picture = canvas && (await new Promise((done) => canvas.toBlob(done, "image/jpeg", QUALITY)));
    let wait = EVERY;
    if (picture) {
      const answer = reader ? await seen(reader, canvas) : await asked(picture);
      if (stream !== mine) return undefined;
      if (answer === "found") return found(picture);
      if (answer === "busy") wait = 3 * EVERY;
      else if (answer) return end(answer);
    }
    await new Promise((done) => setTimeout(done, Math.max(0, wait - (Date.now() - begun))));
  }
}

// What the camera sees now, no larger than a code needs; nothing before its first picture.
function drawn() {
  const long = Math.max(view.videoWidth, view.videoHeight);
  if (!long) return null;
  const scale = Math.min(1, LONG_SIDE / long), canvas = document.createElement("canvas");
  canvas.width = Math.round(view.videoWidth * scale);
  canvas.height = Math.round(view.videoHeight * scale);
  canvas.getContext("2d").drawImage(view, 0, 0, canvas.width, canvas.height);
  return canvas;
}

async function seen(reader, canvas) {
  return (await reader.detect(canvas).catch(() => [])).length ? "found" : "";
}

async function asked(picture) {
  const body = new FormData();
  if (form.elements.csrf_token) body.append("csrf_token", form.elements.csrf_token.value);
  body.append("photo", picture, "frame.jpg");
  try {
    const { status } = await fetch(words.frame, { method: "POST", body });
    return { 200: "found", 204: "", 429: "often", 503: "busy" }[status] ?? "failed";
  } catch {
    return "offline";
  }
}

function found(picture) {
  if (!navigator.onLine) return end("offline");
  const files = new DataTransfer();
  files.items.add(new File([picture], "camera.jpg", { type: "image/jpeg" }));
  form.elements.photo.files = files.files;
  end("found");
  form.requestSubmit();
}

if (form) {
  if (matchMedia("(pointer: coarse)").matches) form.elements.camera.parentElement.hidden = false;
  if (navigator.mediaDevices && navigator.mediaDevices.getUserMedia && window.DataTransfer && form.requestSubmit) {
    button.type = "button";
    button.className = "btn alt";
    button.textContent = words.live;
    button.onclick = () => (stream ? end("") : begin());
    said.setAttribute("role", "status");
    form.append(button, said);
    document.addEventListener("visibilitychange", () => document.hidden && stream && end("hidden"));
    addEventListener("pagehide", () => stream && end(""));
  }
}
