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
          /* What else of the page depends on what is searched for. */
          const clear = form.querySelector("[data-clear]");
          if (clear) clear.hidden = [...query.keys()].every((name) => name === "sort");
          for (const next of document.querySelectorAll("input[name=next][data-base]")) {
            next.value = address.slice(next.dataset.base.length);
          }
        });
      };
      if (!window.htmx) continue;
      form.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(ask, 300); });
    }
  };

  /* On a telephone the navigation is wider than the window: where one is can be seen. */
  const here = document.querySelector(".top nav [aria-current]");
  if (here) {
    const list = here.closest("ul");
    list.scrollLeft += here.getBoundingClientRect().right - list.getBoundingClientRect().right + 24;
  }

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

  /*
   * Live parts: <span data-live="numbers.in_flight">. One stream for all of a page, and none while nobody sees it.
   * Others listen to the event "live:NAME" of the document, whose detail is what came.
   */
  let stream = null;
  const locale = document.documentElement.dataset.locale || undefined;
  const written = (value, form) => {
    if (typeof value !== "number" && form !== "money") return String(value ?? "");
    if (form === "money") return new Intl.NumberFormat(locale, { style: "currency", currency: "USD" }).format(value);
    return new Intl.NumberFormat(locale).format(value);
  };
  const show = (name, values) => {
    for (const part of document.querySelectorAll(`[data-live^="${name}."]`)) {
      const value = part.dataset.live.split(".").slice(1).reduce((at, key) => at?.[key], values);
      if (value !== undefined) part.textContent = written(value, part.dataset.form);
    }
    document.dispatchEvent(new CustomEvent("live:" + name, { detail: values }));
  };
  const named = () => new Set([...document.querySelectorAll("[data-live]")].map((part) => part.dataset.live.split(".")[0]));
  const mark = (on) => {
    for (const part of document.querySelectorAll(".live")) part.classList.toggle("off", !on);
  };
  const follow = () => {
    const names = named();
    if (!names.size || document.hidden) {
      stream?.close();
      stream = null;
      mark(false);
    } else if (!stream) {
      stream = new EventSource(document.documentElement.dataset.base + "/live/events");
      stream.onopen = () => mark(true);
      stream.onerror = () => mark(false);
      for (const name of names) {
        stream.addEventListener(name, (event) => show(name, JSON.parse(event.data)));
      }
    }
  };
  document.addEventListener("visibilitychange", follow);
  document.addEventListener("DOMContentLoaded", follow);
  window.addEventListener("pagehide", () => { stream?.close(); stream = null; });
  window.addEventListener("pageshow", (event) => { if (event.persisted) follow(); });

  document.addEventListener("DOMContentLoaded", () => prepare(document));
  document.addEventListener("htmx:load", (event) => prepare(event.detail.elt));

  /* Rows of what runs: texts only, whatever a client has called its request or its model. */
  document.addEventListener("live:exchanges", (event) => {
    const rows = document.querySelector("[data-rows=exchanges]");
    // Somebody may be about to use what is focused.
    if (!rows || rows.contains(document.activeElement)) return;
    const cell = (tag, text, kind) => {
      const made = document.createElement(tag);
      made.textContent = text;
      if (kind) made.className = kind;
      return made;
    };
    const link = (address, text) => {
      const made = document.createElement("a");
      made.href = address;
      made.textContent = text;
      return made;
    };
    const number = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });
    const size = (bytes) => bytes < 1000 ? bytes + " B" : bytes < 1e6 ? number.format(bytes / 1e3) + " kB" : number.format(bytes / 1e6) + " MB";
    const made = event.detail.exchanges.map((each) => {
      const row = document.createElement("tr");
      const head = document.createElement("th");
      head.scope = "row";
      head.append(cell("code", each.id));
      const project = document.createElement("td");
      if (each.project_id) project.append(link(rows.dataset.project + encodeURIComponent(each.project_id), each.project_id.slice(0, 8)));
      else project.textContent = "–";
      const person = document.createElement("td");
      if (each.person_id) person.append(link(rows.dataset.livePage + "?person=" + encodeURIComponent(each.person_id), each.person_id.slice(0, 8)));
      else person.textContent = "–";
      const model = document.createElement("td");
      model.append(cell("bdi", each.model || "–"));
      const state = document.createElement("td");
      state.append(each.status ? cell("span", each.streamed ? "streams" : "answers", "badge good") : cell("span", "waits", "badge idle"));
      const actions = document.createElement("td");
      if (rows.dataset.cut) {
        const cut = link(rows.dataset.cut + encodeURIComponent(each.id) + "/cut", "Cut");
        cut.className = "button quiet";
        cut.append(cell("span", " " + each.id, "hidden"));
        actions.append(cut);
      }
      const place = each.upstream && each.upstream !== each.api ? each.api + " / " + each.upstream : each.api || "–";
      row.append(
        head, cell("td", place), model, project, person, cell("td", each.client || "–"),
        cell("td", number.format(each.age) + " s", "num"), cell("td", size(each.bytes_in), "num"),
        cell("td", size(each.bytes_out), "num"), state, actions,
      );
      return row;
    });
    if (!made.length) {
      const none = cell("td", "Nothing runs at this moment.", "dim");
      none.colSpan = 11;
      const row = document.createElement("tr");
      row.append(none);
      made.push(row);
    }
    rows.replaceChildren(...made);
  });
})();
