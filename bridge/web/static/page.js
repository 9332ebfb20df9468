// What the page does by itself: count down, say what changed to a screen reader, say when it is not live any more.
// Without it everything still reads, and every button still works.
"use strict";

(() => {
  // The server's clock counts, not this machine's.
  let ahead = 0;

  const live = () => document.getElementById("live");

  function span(seconds) {
    const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
    const parts = [];
    for (const [name, size] of units) {
      if (seconds >= size) {
        parts.push(`${Math.floor(seconds / size)} ${name}`);
        seconds %= size;
      } else if (parts.length) {
        break;
      }
    }
    return parts.slice(0, 2).join(" ") || "0 s";
  }

  function count() {
    const now = Date.now() + ahead;
    for (const one of document.querySelectorAll("[data-until]")) {
      const left = Math.round((Date.parse(one.dataset.until) - now) / 1000);
      const text = left > 0 ? `(in ${span(left)})` : "(now)";
      if (one.textContent !== text) one.textContent = text;
    }
  }

  function look() {
    const region = live();
    if (!region) return;
    ahead = Date.parse(region.dataset.now) - Date.now();
    count();
    const said = document.getElementById("said");
    const news = region.dataset.said || "";
    // The first look is what the page says anyway.
    if (said.dataset.known !== undefined && said.dataset.known !== news) said.textContent = news;
    said.dataset.known = news;
  }

  // What was open stays open when the page renews itself.
  let open = [];
  function keep(event) {
    if (event.target === live()) {
      open = [...document.querySelectorAll("details[id][open]")].map((one) => one.id);
    }
  }
  function restore() {
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    look();
  }

  let opened = 0;
  function linked(there) {
    document.getElementById("link").hidden = there;
    // What happened while it was away is asked for once it is back.
    if (there && opened++ && live()) htmx.trigger(live(), "sse:changed");
  }

  document.addEventListener("htmx:beforeSwap", keep);
  document.addEventListener("htmx:afterSettle", restore);
  document.addEventListener("htmx:sseOpen", () => linked(true));
  document.addEventListener("htmx:sseError", () => linked(false));
  document.addEventListener("submit", (event) => {
    // A second tap must not send it twice; the button itself has been read by then.
    setTimeout(() => {
      for (const one of event.target.querySelectorAll("button")) one.disabled = true;
    });
  });
  window.addEventListener("pageshow", () => {
    for (const one of document.querySelectorAll("button:disabled")) one.disabled = false;
  });
  setInterval(count, 1000);
  look();
})();
