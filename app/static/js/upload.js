// Sends a file as soon as it is chosen, and puts its address into the field beside it.
// <input type="file" data-to="id of the field"> <span role="status"></span>

/** Send the chosen file. to: where uploads are kept; kept: called when it is, with the field that says so. */
export function upload(input, to, kept) {
  const [file] = input.files, told = input.parentElement.querySelector("[role=status]");
  if (!file) return;
  const request = new XMLHttpRequest(); // fetch does not tell how far it is
  const say = (text) => { told.textContent = text; };
  request.upload.addEventListener("progress", ({ loaded, total }) => say(`${file.name}: ${Math.floor((100 * loaded) / total)} % sent`));
  request.addEventListener("error", () => say("It was not sent: the server does not answer. It is sent with the form instead."));
  request.addEventListener("load", () => {
    const answer = parsed(request.responseText);
    if (request.status !== 201 || !answer.href) return say(`It was not kept: ${answer.detail ?? `status ${request.status}`}`);
    const field = document.getElementById(input.dataset.to);
    if (!field) return;
    field.value = answer.href;
    input.value = ""; // it need not be sent again
    say(`${file.name} is kept here.`);
    kept(field);
  });
  request.open("POST", `${to}?name=${encodeURIComponent(file.name)}`);
  request.setRequestHeader("Accept", "application/json");
  request.setRequestHeader("Content-Type", file.type || "application/octet-stream");
  request.send(file);
  say(`${file.name} is being sent.`);
}

function parsed(text) {
  try { return JSON.parse(text); } catch { return {}; }
}
