// Before the session ends, says so and offers to stay (WCAG 2.2.1); typing counts as being there. Every page works without this.
"use strict";
(() => {
  const box = document.getElementById("session");
  if (!box) return;
  const idle = box.dataset.idle * 1000, notice = box.dataset.notice * 1000;
  let timers = [], last = Date.now();

  const typed = () => [...document.querySelectorAll("textarea")].some((area) => area.value !== area.defaultValue);
  const leave = () => location.assign(box.dataset.signIn + "?fin=1&suite=" + encodeURIComponent(location.pathname));
  const over = () => { if (typed()) box.classList.add("over"); else leave(); };

  function start() {
    timers.forEach(clearTimeout);
    box.hidden = true;
    timers = [setTimeout(() => { box.hidden = false; }, idle - notice), setTimeout(over, idle)];
  }

  async function stay() {
    last = Date.now();
    const answer = await fetch(box.dataset.alive, { redirect: "manual", cache: "no-store" }).catch(() => null);
    if (answer && answer.ok) start(); else if (answer && !typed()) leave();
  }

  box.querySelector("button").addEventListener("click", stay);
  document.addEventListener("input", () => { if (Date.now() - last > idle / 5) stay(); });
  start();
})();
