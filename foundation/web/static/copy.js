// Shows the copy buttons, which do nothing without a script: the fields beside them can be selected by hand.
for (const button of document.querySelectorAll("button[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const field = document.getElementById(button.dataset.copy);
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
      button.firstChild.data = "Copié";
    } catch {
      document.execCommand("copy");
    }
  });
}
