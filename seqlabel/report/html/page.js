"use strict";

const SVG = "http://www.w3.org/2000/svg";

/** An SVG element. Text is set as text, never as markup. */
function svg(name, attributes = {}, text = null) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== null) node.textContent = text;
  return node;
}

/** An HTML element with a class and a text. */
function html(name, className, text = "") {
  const node = document.createElement(name);
  if (className) node.className = className;
  node.textContent = text;
  return node;
}

const data = (id) => JSON.parse(document.getElementById(id).textContent);
const shown = (label) => (label === " " ? "␣" : label === "" ? "∅" : label);
const perCent = (share) => `${(100 * share).toFixed(1)} %`;

// Tips: whatever carries data-tip says it under the pointer.

const tip = document.getElementById("tip");

function showTip(text, x, y) {
  tip.textContent = text;
  tip.hidden = text === "";
  const box = tip.getBoundingClientRect();
  const left = Math.min(Math.max(4, x + 12), innerWidth - box.width - 4);
  const above = y - box.height - 10;
  tip.style.left = `${left}px`;
  tip.style.top = `${above > 4 ? above : y + 18}px`;
}

const hideTip = () => { tip.hidden = true; };

document.addEventListener("pointermove", (event) => {
  const target = event.target.closest("[data-tip]");
  if (target) showTip(target.dataset.tip, event.clientX, event.clientY);
  else if (!event.target.closest(".matrix, .stage")) hideTip();
});
document.addEventListener("scroll", hideTip, { passive: true, capture: true });

// Tables: a click on a heading sorts by it, another click the other way round. Long tables show
// their first rows until asked.

function sortValue(row, column) {
  const cell = row.cells[column];
  const text = cell.dataset.v ?? cell.textContent.trim();
  return text !== "" && !Number.isNaN(Number(text)) ? Number(text) : text;
}

/** Numbers before words; words by the reader's alphabet, digits in them by value. */
function compare(a, b) {
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
  return typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true });
}

function limitRows(table) {
  const limit = table.dataset.all ? Infinity : Number(table.dataset.rows);
  [...table.tBodies[0].rows].forEach((row, n) => { row.hidden = n >= limit; });
}

function sortTable(heading) {
  const table = heading.closest("table");
  const down = heading.getAttribute("aria-sort") === "ascending" ||
    (!heading.hasAttribute("aria-sort") && heading.classList.contains("n"));
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", down ? "descending" : "ascending");
  const rows = [...table.tBodies[0].rows].map((row) => [sortValue(row, heading.cellIndex), row]);
  rows.sort((a, b) => (down ? compare(b[0], a[0]) : compare(a[0], b[0])));
  table.tBodies[0].append(...rows.map(([, row]) => row));
  limitRows(table);
}

for (const table of document.querySelectorAll("table.sortable")) {
  const count = table.tBodies[0].rows.length;
  for (const button of table.querySelectorAll(".sort")) {
    button.addEventListener("click", () => sortTable(button.closest("th")));
  }
  if (count <= Number(table.dataset.rows) + 2) table.dataset.all = "1";
  else {
    const more = html("button", "more", `Show all ${count}`);
    more.type = "button";
    more.dataset.print = `the first ${table.dataset.rows} of ${count}`;
    more.addEventListener("click", () => {
      table.dataset.all = table.dataset.all ? "" : "1";
      more.dataset.print = table.dataset.all ? "" : `the first ${table.dataset.rows} of ${count}`;
      more.textContent = table.dataset.all ? "Show fewer" : `Show all ${count}`;
      limitRows(table);
    });
    table.closest(".scroll").after(more);
  }
  limitRows(table);
}

// Several systems: confusions and breakdowns of one at a time.

const choice = document.getElementById("system");
if (choice) {
  const choose = () => {
    for (const block of document.querySelectorAll(".system")) {
      block.hidden = block.dataset.system !== choice.value;
    }
  };
  choice.closest(".choice").hidden = false;
  choice.addEventListener("change", choose);
  choose();
}

// Learning curves: the values of the epoch under the pointer stand in the legend.

for (const chart of document.querySelectorAll("[data-curve]")) {
  const { epochs, series, unit } = data(chart.dataset.curve);
  const [left, right, first, last] = chart.dataset.frame.split(",").map(Number);
  const cursor = chart.querySelector(".cursor");
  const outputs = document.querySelectorAll(`[data-values="${chart.dataset.curve}"] output`);
  const lines = Object.values(series);
  const point = (event) => {
    const box = chart.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * chart.viewBox.baseVal.width;
    const wanted = first + ((x - left) / (right - left)) * (last - first);
    const n = epochs.reduce((m, e, k) => (Math.abs(e - wanted) < Math.abs(epochs[m] - wanted) ? k : m), 0);
    const place = left + ((epochs[n] - first) / Math.max(1e-9, last - first)) * (right - left);
    cursor.setAttribute("x1", place);
    cursor.setAttribute("x2", place);
    cursor.style.visibility = "visible";
    outputs.forEach((output, k) => {
      const value = lines[k][n];
      output.textContent = value === null ? "–" : `${Number(value.toPrecision(4))}${unit} (epoch ${epochs[n]})`;
    });
  };
  chart.addEventListener("pointermove", point);
  chart.addEventListener("pointerdown", point);
  chart.addEventListener("pointerleave", () => {
    cursor.style.visibility = "hidden";
    outputs.forEach((output) => { output.textContent = ""; });
  });
}

// Confusion matrix: the field under the pointer, or under the arrow keys, is named and counted.

for (const box of document.querySelectorAll("[data-matrix]")) {
  const { labels, cells, totals } = data(box.dataset.matrix);
  const chart = box.querySelector("svg");
  const cell = Number(chart.dataset.cell);
  const margin = Number(chart.dataset.margin);
  const cross = chart.querySelector(".cross");
  const counts = new Map(cells.map(([row, column, count]) => [row * labels.length + column, count]));
  let at = [0, 0];

  const describe = (row, column) => {
    const count = counts.get(row * labels.length + column) || 0;
    const reference = shown(labels[row]);
    const read = shown(labels[column]);
    if (labels[row] === "") return labels[column] === "" ? "" : `${read} inserted: ${count}`;
    const share = totals[row] ? ` of ${totals[row]} (${perCent(count / totals[row])})` : "";
    if (labels[column] === "") return `${reference} deleted: ${count}${share}`;
    if (row === column) return `${reference} read correctly: ${count}${share}`;
    return `${reference} read as ${read}: ${count}${share}`;
  };
  const mark = (row, column) => {
    at = [row, column];
    const x = margin + column * cell;
    const y = margin + row * cell;
    cross.setAttribute("d", `M${x - 1} ${y - 1}h${cell + 1}v${cell + 1}h-${cell + 1}z`);
    for (const text of chart.querySelectorAll("text.on")) text.classList.remove("on");
    chart.querySelector(`.row[data-place="${row}"]`).classList.add("on");
    chart.querySelector(`.column[data-place="${column}"]`).classList.add("on");
    return describe(row, column);
  };
  const clear = () => {
    cross.setAttribute("d", "");
    for (const text of chart.querySelectorAll("text.on")) text.classList.remove("on");
    hideTip();
  };
  const point = (event) => {
    const place = chart.getBoundingClientRect();
    const column = Math.floor((event.clientX - place.left - margin) / cell);
    const row = Math.floor((event.clientY - place.top - margin) / cell);
    if (Math.min(row, column) < 0 || Math.max(row, column) >= labels.length) clear();
    else showTip(mark(row, column), event.clientX, event.clientY);
  };
  chart.addEventListener("pointermove", point);
  chart.addEventListener("pointerdown", point);
  chart.addEventListener("pointerleave", clear);
  chart.addEventListener("blur", clear);
  chart.addEventListener("keydown", (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    const [row, column] = at.map((v, k) => Math.min(labels.length - 1, Math.max(0, v + step[k])));
    const place = chart.getBoundingClientRect();
    showTip(mark(row, column), place.left + margin + (column + 0.5) * cell, place.top + margin + row * cell);
  });
}

// Utterances: find, order, filter.

const list = document.getElementById("list");
const articles = [...list.children];
const controls = document.querySelector(".controls");

function arrange() {
  const key = document.getElementById("order").value;
  const wanted = document.getElementById("find").value.trim().toLowerCase();
  const show = document.getElementById("show").value;
  const value = (article) => (key === "id" ? article.dataset.id : -Number(article.dataset[key]));
  const order = articles.map((article) => [value(article), article]);
  order.sort((a, b) => compare(a[0], b[0]));
  let count = 0;
  for (const [, article] of order) {
    const fits = {
      all: true,
      wrong: article.dataset.errors !== "0",
      differs: "differs" in article.dataset,
      evidence: article.querySelector(".evidence") !== null,
    }[show];
    article.hidden = !fits || (wanted !== "" && !searchText(article).includes(wanted));
    count += article.hidden ? 0 : 1;
  }
  list.append(...order.map(([, article]) => article));
  document.getElementById("shown").textContent = `${count} of ${articles.length}`;
}

/** Id, speaker and labels of an utterance in lower case, read once. */
function searchText(article) {
  article.words ??= [article.querySelector("header"), ...article.querySelectorAll(".a i")]
    .map((node) => node.textContent).join(" ").toLowerCase();
  return article.words;
}

controls.hidden = false;
controls.addEventListener("submit", (event) => event.preventDefault());
controls.addEventListener("input", arrange);
arrange();
