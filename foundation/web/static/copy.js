// Shows the copy buttons, which do nothing without a script: the fields beside them can be selected by hand. The one whose field was
// copied last says so, also to who does not see it (WCAG 2.2, 4.1.3).
const buttons = document.querySelectorAll("button[data-copy]");
const status = document.createElement("p");
status.className = "away";
status.setAttribute("role", "status");
document.querySelector("main").append(status);

async function copy(field) {
  try {
    await navigator.clipboard.writeText(field.value);
    return true;
  } catch {
    field.select();
    return document.execCommand("copy");
  }
}

for (const button of buttons) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const done = await copy(document.getElementById(button.dataset.copy));
    button.focus(); // selecting the field took it away
    for (const other of buttons) other.firstChild.data = done && other === button ? "Copié" : "Copier";
    status.textContent = done ? button.textContent : "";
  });
}
