/*
 * What every page adds when scripts run. Nothing here is needed to read a page or to send a form.
 *
 * Behaviour is chosen by attributes, and one listener on the document serves them all, so that content which htmx
 * swaps in works without being set up again. What must be set up is given to tollway.onContent.
 */

"use strict";

const tollway = {
  /** Run `setUp(root)` now, and again on whatever htmx swaps in. `setUp` must bear being called twice. */
  onContent(setUp) {
    setUp(document);
    document.addEventListener("htmx:after:swap", () => setUp(document));
  },

  /** A new element with text in it. */
  element(tag, text = "") {
    return Object.assign(document.createElement(tag), { textContent: text });
  },

  /** Say something briefly. It stands in the top layer, where a dialog cannot hide it. */
  toast(message) {
    const toast = document.getElementById("toast");
    toast.textContent = message;
    toast.showPopover();
    clearTimeout(tollway.toastTimer);
    tollway.toastTimer = setTimeout(() => toast.hidePopover(), 1800);
  },
};

/* --- Clicks --- */

document.addEventListener("click", (event) => {
  const on = (selector) => event.target.closest(selector);

  const copyButton = on("[data-copy]");
  if (copyButton) copyText(document.getElementById(copyButton.dataset.copy).textContent);

  const copyPanel = on("[data-copy-panel]");
  if (copyPanel) copyText(copyPanel.closest("[data-tabs]").querySelector("[role=tabpanel]:not([hidden]) pre").textContent);

  if (on("[data-theme-toggle]")) switchTheme();

  const opener = on("[data-open]");
  if (opener) document.getElementById(opener.dataset.open).showModal();
  if (on("[data-close]")) event.target.closest("dialog").close();

  const tab = on("[role=tab]");
  if (tab) {
    // Without a script a tab may be a link to its panel, which then is shown beside the others.
    event.preventDefault();
    chooseTab(tab);
  }

  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text.trim());
    tollway.toast("Copied");
  } catch {
    tollway.toast("Copying is blocked here: select the text and copy it");
  }
}

/* --- A form that is on its way is not sent again by a second click. The page may come back, so not for ever. --- */

const SENT_AGAIN_AFTER_MS = 4000;

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post") return;
  if (performance.now() - (form.sentAt ?? -Infinity) < SENT_AGAIN_AFTER_MS) event.preventDefault();
  else form.sentAt = performance.now();
});

window.addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.sentAt;
});

/* --- Theme: the server reads the cookie, so the next page arrives in the right colours. --- */

function switchTheme() {
  const root = document.documentElement;
  const isDark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=lax${secure}`;
}

{
  const chosen = document.cookie.match(/(?:^|; )theme=(light|dark)/);
  if (chosen) document.documentElement.dataset.theme = chosen[1];
}

/* --- Tabs: arrows move, the choice of language is shared by all code on the page. --- */

function chooseTab(tab) {
  const tabs = tab.closest("[data-tabs]");
  for (const other of tabs.querySelectorAll("[role=tab]")) {
    const isChosen = other === tab;
    other.setAttribute("aria-selected", String(isChosen));
    other.tabIndex = isChosen ? 0 : -1;
    document.getElementById(other.getAttribute("aria-controls")).hidden = !isChosen;
  }
}

document.addEventListener("keydown", (event) => {
  const tab = event.target.closest?.("[role=tab]");
  const step = { ArrowLeft: -1, ArrowRight: 1, " ": 0 }[event.key];
  if (!tab || step === undefined) return;
  event.preventDefault();
  const tabs = [...tab.parentElement.querySelectorAll("[role=tab]")];
  const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
  next.focus();
  chooseTab(next);
});

/* --- Command palette --- */

const palette = document.getElementById("palette");
if (palette) {
  const search = palette.querySelector("input");
  const links = () => [...palette.querySelectorAll("li:not([hidden]) a")];

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      if (!palette.open) palette.showModal();
    }
  });

  search.addEventListener("input", () => {
    const beginnings = search.value.toLowerCase().split(/\s+/);
    for (const item of palette.querySelectorAll("li")) {
      const words = item.textContent.toLowerCase().trim().split(/\s+/);
      item.hidden = !beginnings.every((beginning) => words.some((word) => word.startsWith(beginning)));
    }
    palette.querySelector(".none").hidden = links().length > 0;
  });

  palette.addEventListener("keydown", (event) => {
    const found = links();
    if (!found.length) return;
    const at = found.indexOf(document.activeElement);
    if (event.key === "ArrowDown") found[Math.min(at + 1, found.length - 1)].focus();
    else if (event.key === "ArrowUp") (at > 0 ? found[at - 1] : search).focus();
    else if (event.key === "Enter" && at < 0) found[0].click();
    else return;
    event.preventDefault();
  });

  palette.addEventListener("close", () => {
    search.value = "";
    search.dispatchEvent(new Event("input"));
  });
  palette.addEventListener("click", (event) => {
    if (event.target === palette) palette.close();
  });
}

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

/* --- Set up on arrival --- */

/** Times are UTC; the reader's own stands in the title. */
function tellLocalTimes(root) {
  for (const time of root.querySelectorAll("time[datetime*=T]:not([title])")) {
    time.title = new Date(time.dateTime).toLocaleString([], { dateStyle: "full", timeStyle: "long" });
  }
}

tollway.onContent((root) => {
  tellLocalTimes(root);

  // A pasted code may carry spaces, dashes, or the sentence around it.
  for (const field of root.querySelectorAll("input[data-digits]:not([data-ready])")) {
    field.dataset.ready = "";
    field.addEventListener("paste", (event) => {
      const digits = event.clipboardData.getData("text").replace(/\D/g, "").slice(0, Number(field.dataset.digits));
      if (!digits) return;
      event.preventDefault();
      field.value = digits;
      if (digits.length === Number(field.dataset.digits)) field.form.requestSubmit();
    });
  }

  for (const line of root.querySelectorAll("[data-countdown]:not([data-ready])")) {
    line.dataset.ready = "";
    countDown(line);
  }

  root.querySelector("[data-focus]")?.focus();
});

function countDown(line) {
  const after = line.parentElement.querySelector("[data-countdown-after]");
  const end = Date.now() + Number(line.dataset.countdown) * 1000;
  after.hidden = true;
  const timer = setInterval(() => {
    const left = Math.ceil((end - Date.now()) / 1000);
    line.querySelector("span").textContent = left;
    if (left > 0) return;
    clearInterval(timer);
    line.hidden = true;
    after.hidden = false;
  }, 250);
}

/* --- A run that ends opens its results; its progress is announced now and then, not at every event. --- */

for (const stream of document.querySelectorAll("[data-reload-on]")) {
  stream.addEventListener(stream.dataset.reloadOn, () => location.reload());
  const announcement = document.querySelector("[data-announce-progress]");
  let announced = 0;
  document.addEventListener("htmx:after:swap", () => {
    const percent = Number(stream.querySelector("[role=progressbar]")?.getAttribute("aria-valuenow"));
    if (percent >= announced + 25) {
      announced = percent - (percent % 25);
      announcement.textContent = `${percent} percent done`;
    }
  });
}

/* --- The live tail of the request log: rows come in where their time puts them, and a button holds them back. --- */

const LIVE_ROWS_MAX = 500;

function watchLive(card) {
  const rows = card.querySelector("[data-live-rows]");
  const state = card.querySelector("[data-live-state]");
  const count = card.querySelector("[data-live-count]");
  const pause = card.querySelector("[data-live-pause]");
  const address = new URL(card.dataset.live, location.href);
  // An id begins with its time in hexadecimal digits.
  const timeOf = (row) => parseInt(row.dataset.call, 16);
  let stream = null;
  let come = 0;

  function add(event) {
    // Where a paused tail goes on.
    address.searchParams.set("since", event.lastEventId);
    if (rows.querySelector(`[data-call="${CSS.escape(event.lastEventId)}"]`)) return;
    const template = document.createElement("template");
    template.innerHTML = event.data.trim();
    const row = template.content.firstElementChild;
    rows.insertBefore(row, [...rows.rows].find((other) => timeOf(other) <= timeOf(row)) ?? null);
    tellLocalTimes(row);
    while (rows.rows.length > LIVE_ROWS_MAX) rows.deleteRow(-1);
    come += 1;
    count.textContent = `${come} new`;
    count.hidden = false;
  }

  function watch() {
    stream = new EventSource(address);
    stream.addEventListener("open", () => { state.textContent = "Watching"; });
    stream.addEventListener("message", add);
    stream.addEventListener("error", () => {
      const ended = stream.readyState === EventSource.CLOSED;
      state.textContent = ended ? "Not watching: load the page again to go on" : "Interrupted, trying again…";
    });
  }

  pause.addEventListener("click", () => {
    const goesOn = pause.getAttribute("aria-pressed") === "true";
    pause.setAttribute("aria-pressed", String(!goesOn));
    if (goesOn) {
      watch();
    } else {
      stream.close();
      state.textContent = "Paused";
    }
  });
  watch();
}

for (const card of document.querySelectorAll("[data-live]")) watchLive(card);
