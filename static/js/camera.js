// Reading a QR code live, where the browser can: the frame with a code in it is sent as if it had been chosen.
const form = document.getElementById("photo-form");
const words = form && form.dataset;
const wanted = window.BarcodeDetector && navigator.mediaDevices && window.DataTransfer;

async function begin(button) {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1920 } } });
  const view = document.createElement("video");
  view.playsInline = view.muted = true;
  view.setAttribute("aria-label", words.view);
  view.width = form.clientWidth;
  view.srcObject = stream;
  const end = () => { stream.getTracks().forEach((track) => track.stop()); view.remove(); button.textContent = words.live; button.onclick = () => start(button); };
  button.textContent = words.stop;
  button.onclick = end;
  button.before(view);
  await view.play();
  look(view, new BarcodeDetector({ formats: ["qr_code"] }), end);
}

async function look(view, detector, end) {
  if (!view.isConnected) return;
  const codes = await detector.detect(view).catch(() => []);
  if (!codes.length) { setTimeout(() => look(view, detector, end), 200); return; }
  const canvas = document.createElement("canvas");
  canvas.width = view.videoWidth;
  canvas.height = view.videoHeight;
  canvas.getContext("2d").drawImage(view, 0, 0);
  end();
  canvas.toBlob((blob) => {
    const files = new DataTransfer();
    files.items.add(new File([blob], "camera.jpg", { type: "image/jpeg" }));
    form.elements.photo.files = files.files;
    form.requestSubmit();
  }, "image/jpeg", 0.92);
}

function start(button) {
  begin(button).catch(() => button.remove()); // not allowed, or no camera: a picture can be chosen as ever
}

if (form && matchMedia("(pointer: coarse)").matches) form.elements.camera.parentElement.hidden = false;
if (form && wanted) {
  BarcodeDetector.getSupportedFormats().then((formats) => {
    if (!formats.includes("qr_code")) return;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn alt";
    button.textContent = words.live;
    button.onclick = () => start(button);
    form.append(button);
  });
}
