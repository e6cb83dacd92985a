/*
 * The correlations of a model's page as a matrix, beside the list of pairs that the form sends. What is typed here is
 * written into those pairs, so without a script the list says the same.
 *
 * The matrix is a grid: one tab stop, arrows walk, a digit or Enter begins to edit, Escape ends it. Both halves show
 * the same number; the diagonal is 1 and fixed.
 */

"use strict";

const MATRIX_INPUTS_MAX = 24;
const CHECKED_AFTER_MS = 400;
const CORRELATION_FAULT = "Enter a number from -1 to 1, such as 0.6.";

function setUpCorrelations(card) {
  const form = card.closest("form");
  const holder = card.querySelector("[data-matrix]");
  const pairs = card.querySelector("[data-pairs]");
  const list = pairs.querySelector("[data-rows=correlation]");
  const fault = card.querySelector("[data-matrix-fault]");
  const repair = card.querySelector("[data-repair]");
  const views = [...card.querySelectorAll("[data-view]")];
  let inputs = [];
  let timer;

  /* --- What the form holds --- */

  function markedInputs() {
    const rows = [...form.querySelectorAll("[data-rows=input] > li")];
    const marked = rows.map((row) => ({
      cell: row.querySelector("input[name=input_cell]").value.trim(),
      name: row.querySelector("[data-row-name] b")?.textContent ?? "",
    }));
    return marked.filter((one) => one.cell !== "");
  }

  const fieldOf = (row, part) => row.querySelector(`input[name=correlation_${part}]`);
  const isBlankPair = (row) => ["first", "second", "value"].every((part) => fieldOf(row, part).value.trim() === "");

  function findPair(one, other) {
    return [...list.children].find((row) => {
      const [first, second] = [fieldOf(row, "first").value, fieldOf(row, "second").value];
      return (sameCell(first, one) && sameCell(second, other)) || (sameCell(first, other) && sameCell(second, one));
    });
  }

  /** The empty pair at the end, which is made where there is none. */
  function blankPair() {
    const row = [...list.children].find(isBlankPair) ?? document.getElementById("correlation-row").content.firstElementChild.cloneNode(true);
    if (!row.isConnected) list.append(row);
    return row;
  }

  /** Take a pair away, and leave the focus where it is. */
  function removePair(row) {
    row.remove();
    fieldOf(blankPair(), "first").dispatchEvent(new Event("input", { bubbles: true }));
  }

  function writePair(one, other, value) {
    let row = findPair(one, other);
    if (value === 0) {
      if (row) removePair(row);
      return;
    }
    if (!row) {
      row = blankPair();
      fieldOf(row, "first").value = one;
      fieldOf(row, "second").value = other;
    }
    fieldOf(row, "value").value = String(value);
    row.querySelector("[data-remove-row]").hidden = false;
    fieldOf(row, "first").dispatchEvent(new Event("input", { bubbles: true }));
  }

  /** What a pair says: a number, or "?" where it says none. */
  function readPair(one, other) {
    const row = findPair(one, other);
    if (!row) return 0;
    return readCorrelation(fieldOf(row, "value").value) ?? "?";
  }

  /** An input that is no longer one takes its correlations along: nobody would see them in the matrix. */
  function forget(field) {
    const cell = field?.value ?? "";
    if (cell.trim() === "" || markedInputs().some((one) => sameCell(one.cell, cell))) return;
    for (const row of [...list.children]) {
      if (["first", "second"].some((part) => sameCell(fieldOf(row, part).value, cell))) removePair(row);
    }
  }

  /* --- The grid --- */

  function draw() {
    inputs = markedInputs();
    const why = inputs.length < 2 ? "Mark two inputs, and how they move together can be said here."
      : inputs.length > MATRIX_INPUTS_MAX ? `A matrix shows ${MATRIX_INPUTS_MAX} inputs at most; these are ${inputs.length}, so write them as pairs.` : "";
    holder.replaceChildren(why ? Object.assign(tollway.element("p", why), { className: "hint" }) : grid());
  }

  function grid() {
    const table = tollway.element("table");
    table.className = "matrix";
    table.setAttribute("role", "grid");
    table.setAttribute("aria-label", "Correlations between inputs");
    table.setAttribute("aria-describedby", "matrix-keys");
    const head = table.createTHead().insertRow();
    head.append(tollway.element("td"));
    inputs.forEach((input, index) => {
      const heading = tollway.element("th");
      heading.scope = "col";
      heading.title = input.cell;
      heading.append(hiddenFrom(String(index + 1)), readOut(input.name || input.cell));
      head.append(heading);
    });
    const body = table.createTBody();
    inputs.forEach((input, index) => {
      const row = body.insertRow();
      const heading = tollway.element("th");
      heading.scope = "row";
      heading.title = input.cell;
      heading.append(hiddenFrom(`${index + 1} `), input.name || input.cell);
      row.append(heading);
      inputs.forEach((_, column) => show(row.insertCell(), index, column));
    });
    cellAt(body, 0, Math.min(1, inputs.length - 1)).tabIndex = 0;
    return table;
  }

  const hiddenFrom = (text) => {
    const element = tollway.element("span", text);
    element.setAttribute("aria-hidden", "true");
    return element;
  };
  const readOut = (text) => Object.assign(tollway.element("span", text), { className: "sr-only" });

  function show(cell, row, column) {
    const value = row === column ? 1 : readPair(inputs[row].cell, inputs[column].cell);
    cell.dataset.place = `${row} ${column}`;
    cell.tabIndex = cell.tabIndex === 0 && cell.hasAttribute("tabindex") ? 0 : -1;
    cell.textContent = String(value);
    cell.className = row === column ? "fixed" : value === "?" ? "unreadable" : value > 0 ? "positive" : value < 0 ? "negative" : "none";
    cell.style.setProperty("--strength", `${Math.abs(Number(value) || 0) * 45}%`);
    if (row === column) cell.setAttribute("aria-readonly", "true");
  }

  const cellAt = (body, row, column) => body.rows[row].cells[column + 1];
  const placeOf = (cell) => cell.dataset.place.split(" ").map(Number);
  const bodyOf = (cell) => cell.closest("tbody");

  function showBoth(body, row, column) {
    show(cellAt(body, row, column), row, column);
    show(cellAt(body, column, row), column, row);
  }

  function put(cell, value) {
    const [row, column] = placeOf(cell);
    if (row === column) return;
    writePair(inputs[row].cell, inputs[column].cell, value);
    showBoth(bodyOf(cell), row, column);
  }

  function goTo(cell) {
    holder.querySelector("td[tabindex='0']")?.setAttribute("tabindex", "-1");
    cell.tabIndex = 0;
    cell.focus();
  }

  /* --- Editing --- */

  function edit(cell, text) {
    const [row, column] = placeOf(cell);
    if (row === column || cell.querySelector("input")) return;
    const field = tollway.element("input");
    field.value = text ?? (cell.textContent === "0" || cell.textContent === "?" ? "" : cell.textContent);
    field.maxLength = 40;
    field.autocomplete = "off";
    field.setAttribute("aria-label", `Correlation of ${inputs[row].name || inputs[row].cell} and ${inputs[column].name || inputs[column].cell}, from -1 to 1`);
    cell.replaceChildren(field);
    field.focus();
    if (text === undefined) field.select();
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter") {
        event.preventDefault();
        if (finish(cell, field)) goTo(cell);
      } else if (event.key === "Escape") {
        event.preventDefault();
        event.stopPropagation();
        leave(cell);
        goTo(cell);
      }
      event.stopPropagation();
    });
    // Whoever goes elsewhere with what is no number leaves the number before.
    field.addEventListener("blur", () => {
      if (field.isConnected && !finish(cell, field)) leave(cell);
    });
  }

  /** Take what was typed; false where it is no correlation, which is then said. */
  function finish(cell, field) {
    const value = field.value.trim() === "" ? 0 : readCorrelation(field.value);
    if (value === null) {
      field.setAttribute("aria-invalid", "true");
      field.setAttribute("aria-describedby", fault.id);
      fault.textContent = CORRELATION_FAULT;
      fault.hidden = false;
      return false;
    }
    leave(cell);
    put(cell, value);
    return true;
  }

  function leave(cell) {
    const [row, column] = placeOf(cell);
    fault.hidden = true;
    show(cell, row, column);
  }

  function paste(cell, text) {
    const [top, left] = placeOf(cell);
    const rows = text.trim().split(/\r?\n/).map((line) => line.split(/\t|;/));
    const values = rows.map((row) => row.map((word) => (word.trim() === "" ? 0 : readCorrelation(word))));
    if (values.flat().includes(null)) {
      fault.textContent = `What was pasted holds something else. ${CORRELATION_FAULT}`;
      fault.hidden = false;
      return;
    }
    fault.hidden = true;
    values.forEach((row, down) => row.forEach((value, across) => {
      const place = bodyOf(cell).rows[top + down]?.cells[left + across + 1];
      if (place) put(place, value);
    }));
  }

  holder.addEventListener("keydown", (event) => {
    const cell = event.target.closest("td[data-place]");
    if (!cell || event.altKey) return;
    const [row, column] = placeOf(cell);
    const last = inputs.length - 1;
    const all = event.ctrlKey || event.metaKey;
    const goes = {
      ArrowLeft: [row, column - 1], ArrowRight: [row, column + 1], ArrowUp: [row - 1, column], ArrowDown: [row + 1, column],
      Home: [all ? 0 : row, 0], End: [all ? last : row, last],
    }[event.key];
    if (goes) {
      const next = goes.every((place) => place >= 0 && place <= last) ? cellAt(bodyOf(cell), ...goes) : cell;
      goTo(next);
    } else if (event.key === "Enter" || event.key === "F2") edit(cell);
    else if (event.key === "Delete" || event.key === "Backspace") put(cell, 0);
    else if (/^[0-9.\-\u2212]$/.test(event.key) && !all) edit(cell, event.key);
    else return;
    event.preventDefault();
  });
  holder.addEventListener("click", (event) => {
    const cell = event.target.closest("td[data-place]");
    if (!cell || event.target.matches("input")) return;
    goTo(cell);
    edit(cell);
  });
  holder.addEventListener("paste", (event) => {
    const cell = event.target.closest("td[data-place]");
    if (!cell || event.target.matches("input")) return;
    event.preventDefault();
    paste(cell, event.clipboardData.getData("text"));
  });

  /* --- Whether all of them together are possible, which the server knows --- */

  function checkSoon() {
    clearTimeout(timer);
    timer = setTimeout(check, CHECKED_AFTER_MS);
  }

  async function check() {
    const body = new URLSearchParams();
    for (const row of list.children) {
      for (const part of ["first", "second", "value"]) body.append(`correlation_${part}`, fieldOf(row, part).value);
    }
    try {
      const answer = await fetch("/parts/correlations", { method: "POST", body, headers: { Accept: "text/html" } });
      if (answer.ok && !answer.redirected) repair.innerHTML = await answer.text();
    } catch {
      // The run tells it too.
    }
  }

  function choose(view) {
    for (const button of views) button.setAttribute("aria-pressed", String(button.dataset.view === view));
    holder.hidden = view !== "matrix";
    pairs.hidden = view !== "pairs";
    if (view === "matrix") draw();
    else fault.hidden = true;
  }

  for (const button of views) button.addEventListener("click", () => choose(button.dataset.view));
  list.addEventListener("input", checkSoon);
  new MutationObserver(checkSoon).observe(list, { childList: true });
  const inputRows = form.querySelector("[data-rows=input]");
  const redraw = () => { if (!holder.hidden) draw(); };
  inputRows.addEventListener("input", (event) => { if (event.target.name === "input_cell") redraw(); });
  new MutationObserver((changes) => {
    for (const row of changes.flatMap((change) => [...change.removedNodes])) forget(row.querySelector?.("input[name=input_cell]"));
    redraw();
  }).observe(inputRows, { childList: true });
  // Errors stand beside pairs.
  choose(list.querySelector(".field-error") || markedInputs().length > MATRIX_INPUTS_MAX ? "pairs" : "matrix");
}

function readCorrelation(text) {
  const written = text.trim().replace("\u2212", "-").replace(/^(-?\d*),(\d+)$/, "$1.$2");
  if (!/^[+-]?(\d+\.?\d*|\.\d+)$/.test(written)) return null;
  const value = Number(written);
  return Math.abs(value) <= 1 ? value : null;
}

tollway.onContent((root) => {
  for (const card of root.querySelectorAll("[data-correlations]:not([data-ready])")) {
    card.dataset.ready = "";
    setUpCorrelations(card);
  }
});
