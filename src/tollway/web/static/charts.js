/*
 * Movable bounds on histograms, and the numbers of a day on bars. The charts themselves are drawn on the server and
 * complete without this. Values are written by the rules of charts/numbers.py.
 */

"use strict";

/* --- Writing values --- */

const MINUS = "\u2212";
const SUFFIXES = [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]];

function writeCompact(magnitude, count) {
  if (magnitude === 0) return "0";
  const rounded = Number(magnitude.toPrecision(count));
  if (rounded >= 1e15 || rounded < 1e-4) {
    const [mantissa, exponent] = rounded.toExponential(count - 1).split("e");
    return `${Number(mantissa)}e${Number(exponent)}`.replace("-", MINUS);
  }
  const [divisor, suffix] = SUFFIXES.find(([least]) => rounded >= least) ?? [1, ""];
  const scaled = rounded / divisor;
  const digits = scaled.toFixed(Math.max(0, count - 1 - Math.floor(Math.log10(scaled))));
  return (suffix ? digits : String(Number(digits))) + suffix;
}

/** style: "plain", "percent" or the sign of a currency; count: significant digits. */
function writeValue(value, style, count = 3) {
  const isPercent = style === "percent";
  const sign = isPercent || style === "plain" ? "" : style;
  const magnitude = Math.abs(value) * (isPercent ? 100 : 1);
  let digits;
  if (isPercent && magnitude >= 1000) digits = Math.round(magnitude).toLocaleString("en-US");
  else if (sign && magnitude >= 0.01 && magnitude < 100 && !Number.isInteger(magnitude)) digits = magnitude.toFixed(2);
  else digits = writeCompact(magnitude, count);
  return `${value < 0 ? MINUS : ""}${sign}${digits}${isPercent ? "%" : ""}`;
}

tollway.writeValue = writeValue;

const writeShare = (share) => `${(Math.max(0, share) * 100).toFixed(1)}%`;

/* --- Histogram bounds --- */

function setUpHistogram(figure) {
  const low = Number(figure.dataset.low);
  const high = Number(figure.dataset.high);
  const values = figure.dataset.values.split(" ").map(Number);
  const shares = figure.dataset.shares.split(" ").map(Number);
  const write = (value) => writeValue(value, figure.dataset.format, Number(figure.dataset.digits));
  const find = (selector) => figure.querySelector(selector);
  const sliders = { low: find("input[type=range][data-bound=low]"), high: find("input[type=range][data-bound=high]") };
  const typed = { low: find("input[type=number][data-bound=low]"), high: find("input[type=number][data-bound=high]") };
  const lines = { low: find(".bound[data-bound=low]"), high: find(".bound[data-bound=high]") };
  const bins = [...figure.querySelectorAll(".bin")];
  const plot = find(".plot");

  const valueAt = (place) => low + ((high - low) * place) / 100;
  const placeOf = (value) => Math.min(100, Math.max(0, ((value - low) / (high - low)) * 100));

  /** The share of outcomes strictly below a value: where many are that very value, none of them. */
  function shareBelow(value) {
    const first = values.indexOf(value);
    if (first < 0 || values[first + 1] !== value) return shareThrough(value);
    return first > 0 ? shares[first - 1] : 0;
  }

  /** The share of outcomes at or below a value, straight between the points. */
  function shareThrough(value) {
    const next = values.findIndex((point) => value < point);
    if (next < 0) return 1;
    if (next === 0) return 0;
    const part = (value - values[next - 1]) / (values[next] - values[next - 1]);
    return shares[next - 1] + (shares[next] - shares[next - 1]) * part;
  }

  /** A bound, so finely that its share keeps a digit more than is shown. */
  const decimals = Math.max(0, Math.ceil(4 - Math.log10(high - low)));
  const typedText = (value) =>
    decimals > 15 || Math.abs(value) >= 1e15 ? Number(value.toPrecision(9)) : Number(value.toFixed(decimals));

  const bounds = { low: Number(typed.low.value), high: Number(typed.high.value) };

  /** Draw everything that depends on the bounds. */
  function draw({ keepTyped } = {}) {
    const places = { low: placeOf(bounds.low), high: placeOf(bounds.high) };
    const below = shareBelow(bounds.low);
    const through = shareThrough(bounds.high);

    for (const name of ["low", "high"]) {
      sliders[name].value = places[name];
      lines[name].setAttribute("x", `${places[name]}%`);
      const words = name === "low" ? `${writeShare(below)} below` : `${writeShare(1 - through)} above`;
      sliders[name].setAttribute("aria-valuetext", `${write(bounds[name])}, ${words}`);
      if (keepTyped !== name) typed[name].value = typedText(bounds[name]);
    }
    find(".between").setAttribute("x", `${places.low}%`);
    find(".between").setAttribute("width", `${places.high - places.low}%`);
    bins.forEach((bin, index) => {
      const middle = ((index + 0.5) / bins.length) * 100;
      bin.classList.toggle("inside", middle >= places.low && middle <= places.high);
    });

    const middle = find(".shares .middle");
    middle.setAttribute("x", `${places.low}%`);
    middle.setAttribute("width", `${places.high - places.low}%`);
    const width = plot.getBoundingClientRect().width / 100;
    const between = writeShare(through - below);
    const long = `${between} between ${write(bounds.low)} and ${write(bounds.high)}`;
    label("below", 0, places.low, writeShare(below), width);
    label("between", places.low, places.high, (places.high - places.low) * width > 240 ? long : between, width);
    label("above", places.high, 100, writeShare(1 - through), width);
    find("output").textContent = `${between} of outcomes`;
  }

  function label(name, from, to, words, width) {
    const text = find(`[data-share=${name}]`);
    text.setAttribute("x", `${(from + to) / 2}%`);
    text.textContent = (to - from) * width > 44 ? words : "";
  }

  /** Move one bound to a value; the two never cross. */
  function move(name, value, options) {
    bounds[name] = name === "low" ? Math.min(value, bounds.high) : Math.max(value, bounds.low);
    draw(options);
  }

  for (const name of ["low", "high"]) {
    sliders[name].addEventListener("input", () => move(name, valueAt(Number(sliders[name].value))));
    sliders[name].addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: -0.5, ArrowDown: -0.5, ArrowRight: 0.5, ArrowUp: 0.5, PageDown: -5, PageUp: 5 };
      if (!(event.key in steps)) return;
      event.preventDefault();
      move(name, valueAt(Math.min(100, Math.max(0, placeOf(bounds[name]) + steps[event.key]))));
    });
    typed[name].addEventListener("input", () => {
      if (typed[name].value !== "") move(name, Number(typed[name].value), { keepTyped: name });
    });
    typed[name].addEventListener("change", () => draw());

    const grip = lines[name].querySelector(".grip");
    grip.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      grip.setPointerCapture(event.pointerId);
    });
    grip.addEventListener("pointermove", (event) => {
      if (!grip.hasPointerCapture(event.pointerId)) return;
      const box = plot.getBoundingClientRect();
      move(name, valueAt(Math.min(100, Math.max(0, ((event.clientX - box.left) / box.width) * 100))));
    });
  }

  new ResizeObserver(() => draw()).observe(plot);
}

/* --- Bars: point at a day, or walk with the arrows, and its row of the table is shown. --- */

function setUpBars(figure) {
  const plot = figure.querySelector(".plot");
  const days = [...figure.querySelectorAll(".day")];
  const names = [...figure.querySelectorAll("thead th")].map((cell) => cell.textContent);
  const rows = [...figure.querySelectorAll("tbody tr")];
  const tip = tollway.element("div");
  tip.className = "tip";
  tip.hidden = true;
  figure.append(tip);
  plot.tabIndex = 0;
  let current = -1;

  function show(index) {
    days[current]?.classList.remove("current");
    current = index;
    tip.hidden = index < 0;
    if (index < 0) return;
    days[index].classList.add("current");
    const cells = [...rows[index].children].map((cell) => cell.textContent);
    tip.replaceChildren(tollway.element("b", cells[0]), ...names.slice(1).map((name, at) => pair(name, cells[at + 1])));
    const box = plot.getBoundingClientRect();
    const outer = figure.getBoundingClientRect();
    const middle = box.left - outer.left + (box.width * (index + 0.5)) / days.length;
    const fits = middle + tip.offsetWidth + 18 < outer.width;
    tip.style.left = `${fits ? middle + 12 : Math.max(0, middle - tip.offsetWidth - 12)}px`;
  }

  const inRange = (index) => Math.min(days.length - 1, Math.max(0, index));
  plot.addEventListener("pointermove", (event) => {
    const box = plot.getBoundingClientRect();
    show(inRange(Math.floor(((event.clientX - box.left) / box.width) * days.length)));
  });
  plot.addEventListener("pointerleave", () => show(-1));
  plot.addEventListener("blur", () => show(-1));
  plot.addEventListener("keydown", (event) => {
    if (event.key === "ArrowRight") show(inRange(current + 1));
    else if (event.key === "ArrowLeft") show(inRange(current < 0 ? days.length - 1 : current - 1));
    else if (event.key === "Escape") show(-1);
    else return;
    event.preventDefault();
  });
}

function pair(name, value) {
  const line = tollway.element("div");
  line.append(tollway.element("span", name), tollway.element("span", value));
  return line;
}

/* --- Scatter: another input is drawn by the server, and put into the place of the one before. --- */

document.addEventListener("change", async (event) => {
  const card = event.target.closest("[data-scatter]");
  if (!card) return;
  const form = event.target.form;
  const focused = event.target.id;
  try {
    const answer = await fetch(`${new URL(form.action).pathname}/scatter?${new URLSearchParams(new FormData(form))}`, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) throw new Error(answer.statusText);
    card.outerHTML = await answer.text();
    document.getElementById(focused).focus();
  } catch {
    tollway.toast("That picture could not be drawn: load the page again");
  }
});

tollway.onContent((root) => {
  for (const figure of root.querySelectorAll(".histogram[data-values]:not([data-ready])")) {
    figure.dataset.ready = "";
    setUpHistogram(figure);
  }
  for (const figure of root.querySelectorAll(".bars:not([data-ready])")) {
    figure.dataset.ready = "";
    if (figure.querySelector(".day")) setUpBars(figure);
  }
});
