// Asks now and then whether what the form waits for has come, so that nobody needs to press its button; 204 is « not yet ».
"use strict";
for (const form of document.querySelectorAll("form[data-wait]")) {
  const body = new URLSearchParams({ _csrf: form.elements._csrf.value, attente: "seule" });
  const ask = async () => {
    const answer = await fetch(form.action, { method: "POST", body }).catch(() => null);
    if (answer && answer.status !== 204) return location.assign(answer.ok && answer.redirected ? answer.url : location.href);
    setTimeout(ask, form.dataset.wait);
  };
  setTimeout(ask, form.dataset.wait);
}
