/* What makes pages live. Everything works without it. */
(() => {
  "use strict";

  /* Copy buttons appear where they work. */
  const prepare = (root) => {
    for (const button of root.querySelectorAll("[data-copy]")) {
      button.hidden = !navigator.clipboard;
    }
    for (const form of root.querySelectorAll("form[data-live-search]")) {
      if (form.dataset.prepared) continue;
      form.dataset.prepared = "1";
      const target = form.dataset.liveSearch;
      let timer = 0;
      const ask = () => {
        const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ""));
        const address = form.getAttribute("action") + (query.size ? "?" + query : "");
        window.htmx.ajax("GET", address, { source: form, target, select: target, swap: "outerHTML" }).then(() => {
          history.replaceState(history.state, "", address);
        });
      };
      if (!window.htmx) continue;
      form.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(ask, 300); });
    }
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const before = button.innerHTML;
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "Copied";
    announce("Copied");
    setTimeout(() => { button.innerHTML = before; }, 2000);
  });

  /* A menu closes with Escape, and when something else is used. */
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const menu = document.querySelector("details.menu[open]");
    if (menu) { menu.open = false; menu.querySelector("summary").focus(); }
  });
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });

  /* A form is sent once. */
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "1";
    form.setAttribute("aria-busy", "true");
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) {
      delete form.dataset.sent;
      form.removeAttribute("aria-busy");
    }
  });

  const announce = (words) => {
    let line = document.getElementById("announce");
    if (!line) {
      line = document.createElement("p");
      line.id = "announce";
      line.className = "hidden";
      line.setAttribute("role", "status");
      document.body.append(line);
    }
    line.textContent = words;
  };

  /* The time zone of the browser goes along with the sign-in. */
  const zone = document.querySelector("input[data-zone]");
  if (zone) zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone || "";

  document.addEventListener("DOMContentLoaded", () => prepare(document));
  document.addEventListener("htmx:load", (event) => prepare(event.detail.elt));
})();
