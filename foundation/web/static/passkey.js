// Shows the buttons that ask the browser for a passkey (WebAuthn), and sends its answer with their form. Pages say what to do without.
"use strict";
for (const button of document.querySelectorAll("button[data-passkey]")) {
  if (!window.PublicKeyCredential?.parseCreationOptionsFromJSON) break;
  const form = button.form, failed = form.querySelector("[data-failed]");
  form.querySelector("[data-absent]").hidden = true;
  button.hidden = false;
  form.addEventListener("submit", async (event) => {
    if (event.submitter !== button) return;
    event.preventDefault();
    failed.hidden = true;
    button.disabled = true;
    try {
      const body = new URLSearchParams({ _csrf: form.elements._csrf.value });
      const asked = await fetch(button.dataset.passkey, { method: "POST", body, redirect: "manual" });
      if (!asked.ok) return location.reload(); // the session has ended
      const options = await asked.json(), PK = PublicKeyCredential;
      const made = options.user
        ? await navigator.credentials.create({ publicKey: PK.parseCreationOptionsFromJSON(options) })
        : await navigator.credentials.get({ publicKey: PK.parseRequestOptionsFromJSON(options) });
      form.elements.reponse.value = JSON.stringify(made.toJSON());
      form.submit();
    } catch (fault) {
      // the page was opened at another address than the one passkeys are made for
      if (fault.name === "SecurityError") failed.textContent = failed.dataset.elsewhere;
      failed.hidden = false;
      button.disabled = false;
    }
  });
}
