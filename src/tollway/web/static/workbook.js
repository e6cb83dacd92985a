/*
 * Choosing inputs and outputs on the preview of a workbook, editing distributions, uploading with progress.
 * The form is complete without this: references and distributions can be typed, and they are what is sent.
 */

"use strict";

/* --- Distributions: the text is the truth; the fields beside it only write it. --- */

const AS_TEXT = "as text";

/** The options that the page brings, one for each kind; those of numbers alone name their parameters. */
function kindOptions() {
  return document.getElementById("distribution-kinds").content.cloneNode(true);
}

function shapeOf(option) {
  const names = option?.dataset.parameters?.split(" ") ?? null;
  return { parameters: names, optional: Number(option?.dataset.optional ?? 0), example: option?.dataset.example, use: option?.dataset.use };
}

function parseDistribution(text, kinds) {
  const match = text.match(/^\s*([a-z][a-z0-9_]*)\s*\(([^()=]*)\)\s*$/i);
  const option = match && [...kinds.options].find((one) => one.value === match[1].toLowerCase());
  const { parameters, optional } = shapeOf(option);
  if (!parameters) return null;
  const numbers = match[2].split(",").map((part) => part.trim());
  if (numbers.length > parameters.length || numbers.length < parameters.length - optional) return null;
  return { kind: option.value, values: Object.fromEntries(parameters.map((parameter, index) => [parameter, numbers[index]])) };
}

/** Put a choice of kind and number fields beside a distribution's text field, and hide the text. */
function setUpDistribution(holder) {
  const text = holder.querySelector("input[name=input_distribution]");
  // Read when it is needed: rows are renumbered as others come and go.
  const name = () => text.getAttribute("aria-label");
  const kinds = tollway.element("select");
  kinds.className = "input compact";
  kinds.setAttribute("aria-label", `${name()}, kind`);
  kinds.append(kindOptions());
  kinds.add(new Option(AS_TEXT));
  const use = tollway.element("p");
  use.className = "hint use-of-shape";
  const numbers = tollway.element("div");
  numbers.className = "numbers-of-shape";
  holder.prepend(kinds, numbers);
  holder.append(use);

  const fields = () => [...numbers.querySelectorAll("input")];
  const write = () => {
    const isEmpty = fields().every((field) => field.value.trim() === "");
    const given = fields().map((field) => field.value.trim());
    // What may be left out and is, at the end, is not written.
    let { optional } = shapeOf(kinds.selectedOptions[0]);
    while (optional-- > 0 && given.at(-1) === "") given.pop();
    text.value = isEmpty ? "" : `${kinds.value}(${given.join(", ")})`;
    draw();
  };
  const draw = () => drawSoon(holder.closest("[data-row]"), text, () => fields().every((field) => field.value.trim() !== ""));
  text.addEventListener("input", draw);

  function show(kind, values) {
    kinds.value = kind;
    const { parameters, use: sentence } = shapeOf(kinds.selectedOptions[0]);
    text.hidden = parameters !== null;
    numbers.hidden = !text.hidden;
    use.textContent = sentence ?? "";
    use.hidden = !sentence;
    numbers.classList.toggle("many", (parameters ?? []).length > 3);
    numbers.replaceChildren(...(parameters ?? []).map((parameter) => numberField(parameter, values[parameter])));
  }

  function numberField(parameter, value = "") {
    const label = tollway.element("label", parameter);
    const field = tollway.element("input");
    field.className = "input compact";
    field.inputMode = "decimal";
    field.value = value;
    field.dataset.parameter = parameter;
    field.setAttribute("aria-label", `${name()}, ${parameter}`);
    field.addEventListener("input", write);
    label.append(field);
    return label;
  }

  // A low stays a low and a mean a mean; parameters of other names start empty.
  kinds.addEventListener("change", () => {
    show(kinds.value, Object.fromEntries(fields().map((field) => [field.dataset.parameter, field.value])));
    const { parameters, example } = shapeOf(kinds.selectedOptions[0]);
    if (parameters) write();
    // A list of points is typed; its example shows how.
    else if (example && !text.value.startsWith(`${kinds.value}(`)) text.value = example;
    draw();
  });

  const parsed = parseDistribution(text.value, kinds);
  if (parsed) show(parsed.kind, parsed.values);
  else show(text.value.trim() ? AS_TEXT : "triangular", {});
}

/* --- The picture of a distribution, or what is wrong with it, drawn by the server a moment after the last key. --- */

const DRAWN_AFTER_MS = 250;

function drawSoon(row, text, isComplete) {
  const holder = row.querySelector("[data-picture]");
  holder.querySelector(".shape")?.classList.add("stale");
  clearTimeout(row.drawing);
  row.drawing = setTimeout(() => drawNow(row, holder, text, isComplete), DRAWN_AFTER_MS);
}

async function drawNow(row, holder, text, isComplete) {
  const asked = text.value.trim();
  // Fields that are still empty are not wrong yet.
  const drawn = asked && isComplete() ? await askForPicture(asked) : "";
  // Another key came while the server drew, or the server did not answer: the picture before stays, faint.
  if (drawn === null || text.value.trim() !== asked) return;
  holder.innerHTML = drawn;
  const isWrong = holder.querySelector(".field-error") !== null;
  row.classList.toggle("invalid", isWrong);
  for (const field of row.querySelectorAll("[name=input_distribution], [data-parameter]")) {
    if (isWrong) field.setAttribute("aria-invalid", "true");
    else field.removeAttribute("aria-invalid");
    field.setAttribute("aria-describedby", holder.id);
  }
}

async function askForPicture(distribution) {
  try {
    const answer = await fetch(`/parts/distribution?${new URLSearchParams({ distribution })}`, { headers: { Accept: "text/html" } });
    return answer.ok && !answer.redirected ? await answer.text() : null;
  } catch {
    return null;
  }
}

/* --- Rows of inputs, outputs and correlations --- */

function setUpWorkbench(bench) {
  const form = bench.querySelector("[data-run-form]");
  const rowsOf = (role) => form.querySelector(`[data-rows=${role}]`);
  const cellOf = (row) => row.querySelector("input[name$=_cell]");
  const allRows = (role) => [...rowsOf(role).children];
  const findRow = (role, cell) => allRows(role).find((row) => sameCell(cellOf(row).value, cell));

  function addRow(role, { cell, distribution = "", name = "", value = "" }) {
    if (cell && findRow(role, cell)) return;
    const row = document.getElementById(`${role}-row`).content.firstElementChild.cloneNode(true);
    cellOf(row).value = cell;
    const text = row.querySelector("input[name=input_distribution]");
    if (text) text.value = distribution;
    if (cell) {
      const what = row.querySelector("[data-row-name]");
      what.replaceChildren(tollway.element("b", name || cell), value ? ` now ${value}` : "");
      row.querySelector("[data-remove-row]").hidden = false;
    }
    if (text && distribution) drawSoon(row, text, () => true);
    const blank = allRows(role).find((other) => isBlank(other));
    if (blank) blank.replaceWith(row);
    else rowsOf(role).append(row);
    refresh();
  }

  function removeRow(row) {
    const list = row.parentElement;
    row.remove();
    if (list.dataset.rows === "correlation") addPair();
    else if (!list.children.length) addRow(list.dataset.rows, { cell: "" });
    refresh();
  }

  /** Go to the empty pair at the end, which is made where there is none. */
  function addPair() {
    let row = allRows("correlation").find((other) => isBlank(other));
    if (!row) {
      row = document.getElementById("correlation-row").content.firstElementChild.cloneNode(true);
      rowsOf("correlation").append(row);
      refresh();
    }
    row.querySelector("input").focus();
  }

  const isBlank = (row) => [...row.querySelectorAll("input[name]")].every((field) => field.value.trim() === "");

  /** Mark the cells that the form names, and set up rows that are new. */
  function refresh() {
    for (const holder of form.querySelectorAll("[data-distribution]:not([data-ready])")) {
      if (!holder.querySelector("input[name=input_distribution]")) continue;
      holder.dataset.ready = "";
      setUpDistribution(holder);
    }
    for (const role of ["input", "output", "correlation"]) allRows(role).forEach(number);
    const chosen = (role) => allRows(role).map((row) => normal(cellOf(row).value));
    const inputs = new Set(chosen("input"));
    const marked = allRows("input").map((row) => cellOf(row).value.trim());
    document.getElementById("marked-inputs").replaceChildren(...marked.filter(Boolean).map((cell) => new Option(cell, cell)));
    const outputs = new Set(chosen("output"));
    for (const cell of bench.querySelectorAll("td[data-cell]")) {
      const reference = normal(cell.dataset.cell);
      cell.classList.toggle("input-cell", inputs.has(reference));
      cell.classList.toggle("output-cell", outputs.has(reference));
      const role = inputs.has(reference) ? ", input" : outputs.has(reference) ? ", output" : "";
      cell.setAttribute("aria-selected", String(role !== ""));
      cell.setAttribute("aria-label", `${cell.dataset.cell}, ${cell.textContent}${role}`);
    }
    for (const item of form.querySelectorAll("[data-candidate]")) {
      item.hidden = inputs.has(normal(item.dataset.candidate));
    }
  }

  /** Rows are named by where they stand: "Input 2: cell". */
  function number(row, index) {
    for (const labelled of row.querySelectorAll("[aria-label]")) {
      const label = labelled.getAttribute("aria-label").replace(/(input|output|correlation) \d+/i, `$1 ${index + 1}`);
      labelled.setAttribute("aria-label", label);
    }
    const picture = row.querySelector("[data-picture]");
    if (picture) picture.id = `input-error-${index + 1}`;
  }

  function toggleCell(cell) {
    const role = cell.classList.contains("formula") ? "output" : "input";
    const existing = findRow(role, cell.dataset.cell);
    if (existing) {
      removeRow(existing);
      return;
    }
    addRow(role, {
      cell: cell.dataset.cell,
      distribution: cell.dataset.suggestion ?? "",
      name: labelBeside(cell),
      value: cell.textContent,
    });
    tollway.toast(`${cell.dataset.cell} is now an ${role}`);
  }

  bench.addEventListener("click", (event) => {
    const cell = event.target.closest("td[data-cell]");
    if (cell) toggleCell(cell);
    const removal = event.target.closest("[data-remove-row]");
    if (removal) removeRow(removal.closest("[data-row]"));
    if (event.target.closest("[data-add-pair]")) addPair();
    const adding = event.target.closest("[data-add-input], [data-add-output]");
    if (adding) {
      event.preventDefault();
      addRow(adding.matches("[data-add-input]") ? "input" : "output", adding.dataset);
    }
  });
  form.addEventListener("input", (event) => {
    const row = event.target.closest("[data-row]");
    if (row) row.querySelector("[data-remove-row]").hidden = isBlank(row);
    if (/_cell$|^correlation_first$/.test(event.target.name ?? "")) refresh();
  });

  for (const sheet of bench.querySelectorAll("[data-sheet]")) setUpGrid(sheet, toggleCell);
  refresh();
}

const normal = (reference) => reference.trim().replace(/[$']/g, "").toUpperCase();
const sameCell = (one, other) => normal(one) !== "" && normal(one) === normal(other);

/** The nearest text to the left in the same row: what people call the cell. */
function labelBeside(cell) {
  for (let left = cell.previousElementSibling; left; left = left.previousElementSibling) {
    if (left.classList.contains("text")) return left.textContent.trim();
  }
  return "";
}

/** Arrows walk over the cells that can be marked; Enter and Space mark one. A single tab stop for the whole sheet. */
function setUpGrid(sheet, toggleCell) {
  const cells = [...sheet.querySelectorAll("td[data-cell]")];
  if (!cells.length) return;
  sheet.setAttribute("role", "grid");
  for (const cell of cells) cell.tabIndex = -1;
  cells[0].tabIndex = 0;

  sheet.addEventListener("keydown", (event) => {
    const cell = event.target.closest("td[data-cell]");
    if (!cell) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      toggleCell(cell);
      return;
    }
    const next = neighbour(cell, event.key);
    if (!next) return;
    event.preventDefault();
    cell.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
}

function neighbour(cell, key) {
  const row = cell.parentElement;
  const column = [...row.children].indexOf(cell);
  const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[key];
  if (!step) return null;
  const rows = [...row.parentElement.children];
  let [down, across] = [rows.indexOf(row), column];
  for (;;) {
    down += step[0];
    across += step[1];
    const candidate = rows[down]?.children[across];
    if (!candidate) return null;
    if (candidate.matches("td[data-cell]")) return candidate;
  }
}

/* --- Upload: drop a file, see it go. --- */

function setUpUpload(form) {
  const file = form.querySelector("input[type=file]");
  const drop = form.querySelector("[data-drop]");
  const progress = form.querySelector("[data-upload-progress]");

  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    file.files = event.dataTransfer.files;
  });

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "text/html");
    request.upload.addEventListener("progress", (sent) => {
      const share = sent.lengthComputable ? sent.loaded / sent.total : 0;
      progress.querySelector(".fill").setAttribute("width", `${share * 100}%`);
      progress.querySelector("[role=progressbar]").setAttribute("aria-valuenow", Math.round(share * 100));
      form.querySelector("[data-upload-text]").textContent = share < 1 ? "Uploading…" : "Reading formulas…";
    });
    const giveUp = (reason) => {
      progress.hidden = true;
      form.querySelector("[type=submit]").disabled = false;
      tollway.toast(reason);
    };
    request.addEventListener("load", () => {
      if (!showAnswer(request)) giveUp(`The upload was refused with status ${request.status}. Is the file too large?`);
    });
    request.addEventListener("error", () => giveUp("The upload was interrupted: nothing was stored. Try again."));
    progress.hidden = false;
    form.querySelector("[type=submit]").disabled = true;
    request.send(new FormData(form));
  });
}

/**
 * The browser has followed the redirect already: go there, or show the form with its errors.
 * False when the answer is no page of ours, for instance a proxy's own refusal.
 */
function showAnswer(request) {
  if (request.status < 400) {
    location.assign(request.responseURL);
    return true;
  }
  const answer = new DOMParser().parseFromString(request.responseText, "text/html").getElementById("main");
  if (!answer) return false;
  document.getElementById("main").replaceWith(answer);
  setUpAll(document);
  document.querySelector("[role=alert]")?.scrollIntoView({ block: "center" });
  return true;
}

function setUpAll(root) {
  for (const bench of root.querySelectorAll("[data-workbench]:not([data-ready])")) {
    bench.dataset.ready = "";
    setUpWorkbench(bench);
  }
  for (const form of root.querySelectorAll("[data-upload]:not([data-ready])")) {
    form.dataset.ready = "";
    setUpUpload(form);
  }
}

tollway.onContent(setUpAll);
