// The page: what was captured goes to the server, what was read is drawn.

import { Microphone, packed, samplesOfFile } from "./microphone.js";
import { Pad } from "./pad.js";
import { Posteriors } from "./posteriors.js";
import { ask, Latest } from "./requests.js";
import { Spectrogram } from "./spectrogram.js";
import { COLOURS, Surface } from "./surface.js";

const PACE = 60; // ms between two requests while the pen is down
const LONGEST = 60; // s of a recording
const find = (id) => document.getElementById(id);
const calm = matchMedia("(prefers-reduced-motion: reduce)");

let about = { models: [], corpus: null, ready: false };
let model = 0; // position in about.models
const reading = { ink: null, speech: null }; // what was read last
const chosen = new Map(); // model -> position of its decoder
const kind = () => about.models[model]?.kind ?? "ink";
const choice = () => chosen.get(model) ?? about.models[model].choices.length - 1;

function trouble(error) {
  find("trouble").textContent = error?.message ?? "";
  find("trouble").hidden = !error;
}

/* Ink */

const posteriors = new Posteriors(find("posteriors"));
let penUp = null; // when the pen was lifted, until what it wrote is read
let timer = null;
let asked = 0;

const readInk = new Latest(async () => {
  asked = performance.now();
  const strokes = pad.strokes.map((stroke) => stroke.slice());
  const lifted = pad.pointer === null ? penUp : null;
  if (!strokes.length) return show("ink", null);
  const read = await ask("ink", { strokes, model, choice: choice() });
  if (!pad.strokes.length) return; // cleared meanwhile
  trouble(null);
  show("ink", read, performance.now() - asked);
  pad.colour(read.pieces.filter(([stroke]) => stroke < pad.strokes.length));
  if (lifted !== null) {
    performance.measure("pen-up to text", { start: lifted, end: performance.now() });
    if (penUp === lifted) penUp = null;
  }
}, trouble);

const pad = new Pad(find("pad"), (penDown) => {
  find("undo").disabled = find("clear").disabled = !pad.strokes.length;
  find("ink-hint").hidden = pad.strokes.length > 0;
  clearTimeout(timer);
  if (penDown) {
    // The first of the events since the last request waits for its time, the others go with it.
    timer = setTimeout(() => readInk.request(), Math.max(0, asked + PACE - performance.now()));
  } else {
    if (pad.strokes.length) penUp = performance.now();
    else { penUp = null; trouble(null); show("ink", null); }
    readInk.request();
  }
});

let replaying = 0; // number of the example that is being written

async function example() {
  const mine = ++replaying;
  let answer;
  try {
    answer = await ask("example", { model, choice: choice() });
  } catch (error) {
    return trouble(error);
  }
  if (mine !== replaying || pad.pointer !== null) return;
  pad.clear();
  const points = fitted(answer.strokes);
  if (calm.matches) points.forEach(([stroke, point]) => pad.put(stroke, point));
  const begin = performance.now();
  let next = calm.matches ? points.length : 0;
  while (next < points.length) {
    const now = await new Promise(requestAnimationFrame);
    if (mine !== replaying) return;
    for (; next < points.length && points[next][1][2] <= now - begin; next++)
      pad.put(...points[next]);
    pad.changed(true);
  }
  pad.changed(false);
}

// Strokes of any size as [stroke, point] in the middle of the pad.
function fitted(strokes) {
  const all = strokes.flat();
  const [left, right, top, bottom] = [0, 0, 1, 1].map((axis, n) =>
    Math[n % 2 ? "max" : "min"](...all.map((point) => point[axis])));
  const { width, height } = pad.surface;
  const scale = Math.min((width - 60) / (right - left + 1), (height * 0.46) / (bottom - top + 1));
  const x = (width - scale * (right - left)) / 2, y = height * 0.44 - (scale * (bottom - top)) / 2;
  return strokes.flatMap((stroke, number) => stroke.map((point) => [number, [
    x + scale * (point[0] - left), y + scale * (point[1] - top), point[2] - all[0][2], point[3],
  ]]));
}

const stopReplay = () => { replaying += 1; };
find("pad").addEventListener("pointerdown", stopReplay, { capture: true });
find("example").addEventListener("click", example);
find("undo").addEventListener("click", () => { stopReplay(); pad.undo(); });
find("clear").addEventListener("click", () => { stopReplay(); pad.clear(); });

/* Sound */

const spectrogram = new Spectrogram(find("spectrogram"));
let microphone = null;
let recording = null; // {id, rate, pieces that wait, samples sent, ended, notice}
let loudness = 0;

const level = new Surface(find("level"), (context, width, height, colours) => {
  context.fillStyle = colours.guide;
  context.fillRect(0, 0, width, height);
  const share = Math.max(0, 1 + (20 * Math.log10(loudness + 1e-9)) / 60);
  context.fillStyle = share > 0.98 ? colours.alarm : colours.letter(2);
  context.fillRect(0, 0, width * Math.min(1, share), height);
});

const readSound = new Latest(async () => {
  const current = recording;
  if (!current) return;
  const pieces = current.pieces.splice(0);
  const count = pieces.reduce((sum, piece) => sum + piece.length, 0);
  if (!count && !current.again) return;
  current.again = false;
  const query = new URLSearchParams({
    id: current.id, at: current.sent, rate: current.rate, model, choice: choice(),
    final: Number(current.ended && !current.pieces.length),
  });
  current.sent += count;
  const begin = performance.now();
  const read = await ask(`sound?${query}`, packed(pieces));
  if (current !== recording) return;
  trouble(current.notice);
  show("speech", read, performance.now() - begin);
  spectrogram.colour(read.letters);
}, (error) => { trouble(error); stop(); });

function beginRecording(rate) {
  const id = Array.from(crypto.getRandomValues(new Uint8Array(16)),
    (byte) => byte.toString(16).padStart(2, "0")).join("");
  recording = { id, rate, pieces: [], sent: 0, ended: false, again: false, notice: null };
  spectrogram.clear(rate, LONGEST);
  show("speech", null);
  find("speech-hint").hidden = true;
}

function hear(samples) {
  const room = Math.floor(LONGEST * recording.rate) - spectrogram.length;
  const taken = samples.length > room ? samples.subarray(0, Math.max(0, room)) : samples;
  if (taken.length) {
    recording.pieces.push(taken);
    spectrogram.add(taken);
    posteriors.surface.draw();
    readSound.request();
  }
  loudness *= 0.8;
  for (const sample of samples) loudness = Math.max(loudness, Math.abs(sample));
  level.draw();
  if (taken.length < samples.length) {
    stop();
    recording.notice = new Error(
      `A recording ends after ${LONGEST} s. The sound until then is kept.`);
    trouble(recording.notice);
  }
}

async function record() {
  trouble(null);
  stopReplay();
  const opened = new Microphone();
  microphone = opened;
  find("record").setAttribute("aria-pressed", "true");
  find("record").textContent = "Stop";
  try {
    await opened.open(about.models[model].rate, (samples) => {
      if (recording?.microphone !== opened) {
        beginRecording(opened.rate);
        recording.microphone = opened;
      }
      hear(samples);
    });
    if (microphone !== opened) opened.release();
  } catch (error) {
    microphone = null;
    stopped();
    trouble(error);
  }
}

function stopped() {
  find("record").setAttribute("aria-pressed", "false");
  find("record").textContent = "Record";
  loudness = 0;
  level.draw();
}

async function stop() {
  const opened = microphone;
  microphone = null;
  stopped();
  if (!opened?.node) return;
  await opened.close();
  if (recording) {
    recording.ended = recording.again = true;
    readSound.request();
  }
}

// The example of the model, as fast as it was spoken.
async function hearExample() {
  const mine = ++replaying;
  await stop();
  trouble(null);
  let answer;
  try {
    answer = await ask("example", { model, choice: choice() });
  } catch (error) {
    return trouble(error);
  }
  if (mine !== replaying || microphone) return;
  const samples = Float32Array.from(answer.samples, (value) => value / 32767);
  beginRecording(answer.rate);
  const own = recording;
  const begin = performance.now();
  for (let next = 0; next < samples.length; ) {
    const now = await new Promise(requestAnimationFrame);
    if (mine !== replaying || recording !== own) return;
    const end = Math.min(samples.length, Math.round(((now - begin) / 1000) * answer.rate));
    own.ended = end === samples.length;
    if (end > next) hear(samples.subarray(next, end));
    next = Math.max(next, end);
  }
  stopped();
}

find("heard").addEventListener("click", hearExample);
find("record").addEventListener("click", () => (microphone ? stop() : record()));
find("file").addEventListener("change", async ({ target }) => {
  const [file] = target.files;
  target.value = "";
  if (!file) return;
  await stop();
  trouble(null);
  try {
    stopReplay();
    const rate = about.models[model].rate;
    const samples = await samplesOfFile(file, rate);
    beginRecording(rate);
    recording.ended = true;
    hear(samples);
    stopped();
  } catch (error) {
    trouble(error);
  }
});

/* What was read */

function show(of, read, pace) {
  reading[of] = read;
  if (of === kind()) draw(pace);
}

function draw(pace) {
  const read = reading[kind()];
  const text = find("text");
  text.classList.toggle("waiting", !read?.text);
  if (read?.text) text.replaceChildren(...spelled(read));
  else text.textContent = about.ready ? "…" : "getting ready …";
  fit(text);
  find("pace").textContent = pace === undefined ? "" : `read in ${Math.max(1, Math.round(pace))} ms`;
  posteriors.show(read, kind() === "ink" ? null : spectrogram);
  const scales = { posterior: "probability", path: "probability of its best path", share: "share of this list" };
  find("scale").textContent = read?.text ? scales[read.scale] : "";
  find("readings").replaceChildren(...(read?.readings ?? []).map(row));
  if (document.activeElement !== find("right")) find("right").value = read?.text ?? "";
  find("keep").querySelector("button").disabled = !read;
  if (!read && about.corpus) find("kept").textContent = `kept in ${about.corpus}`;
}

// Long texts in smaller letters; what is longer still is scrolled to its end.
function fit(text) {
  text.style.fontSize = "";
  const share = text.clientWidth / text.scrollWidth;
  if (share < 1) text.style.fontSize = `${Math.max(0.45, share * 0.98) * parseFloat(getComputedStyle(text).fontSize)}px`;
  text.scrollLeft = text.scrollWidth;
}

// The letters in their colours; above them the words where these are written differently.
function spelled(read) {
  const letters = read.letters.map(([label, start, end, probability], n) => {
    const span = document.createElement("span");
    span.className = `label c${n % COLOURS}`;
    span.classList.toggle("open", n >= (read.stable ?? Infinity));
    span.textContent = label;
    span.title = `${label}: ${Math.round(100 * probability)} %, ${start.toFixed(2)} to ${end.toFixed(2)} s`;
    span.addEventListener("pointerenter", () => point(span, n));
    span.addEventListener("pointerleave", () => point(span, -1));
    return span;
  });
  const line = (name, ...children) => {
    const span = document.createElement("span");
    span.className = name;
    span.append(...children);
    return span;
  };
  const labels = read.letters.map(([label]) => label);
  if (labels.join("") === read.text) return [line("letters", ...letters)];
  const spaced = line("labels", ...letters.flatMap((letter) => [letter, " "]));
  return labels.join(" ") === read.text ? [spaced] : [line("spoken", read.text), spaced];
}

function point(span, letter) {
  find("text").classList.toggle("pointed", letter >= 0);
  span.classList.toggle("on", letter >= 0);
  (kind() === "ink" ? pad : spectrogram).point(letter);
}

function row([text, probability]) {
  const item = document.createElement("li");
  const [what, track, bar, share] = ["what", "track", "bar", "share"].map((name) => {
    const span = document.createElement("span");
    span.className = name;
    return span;
  });
  what.textContent = text || "(nothing)";
  bar.style.width = `${100 * probability}%`;
  track.append(bar);
  share.textContent = probability < 0.001 ? "< 0.1 %" : `${(100 * probability).toFixed(1)} %`;
  item.append(what, track, share);
  return item;
}

/* Choices */

function again() {
  if (kind() === "ink") readInk.request();
  else if (recording) { recording.again = true; readSound.request(); }
}

function drawChoices() {
  const labels = about.models[model].choices.map((title, n) => {
    const label = document.createElement("label");
    const radio = document.createElement("input");
    radio.type = "radio";
    radio.name = "decoder";
    radio.checked = n === choice();
    radio.addEventListener("change", () => { chosen.set(model, n); again(); });
    label.append(radio, title);
    return label;
  });
  find("decoders").replaceChildren(find("decoders").firstElementChild, ...labels);
}

async function choose(number) {
  if (kind() === "speech" && about.models[number].kind !== "speech") await stop();
  const same = kind() === about.models[number].kind;
  model = number;
  if (!same) trouble(null);
  for (const name of ["ink", "speech"]) {
    const on = kind() === name;
    find(name).hidden = !on;
    find(`${name}-keys`).hidden = !on;
    find(`${name}-tools`).hidden = !on;
    find(`tab-${name}`).setAttribute("aria-selected", String(on));
    find(`tab-${name}`).tabIndex = on ? 0 : -1;
  }
  const alike = about.models.flatMap((each, n) => (each.kind === kind() ? [n] : []));
  find("model").replaceChildren(...alike.map((n) => new Option(about.models[n].name, n, n === model, n === model)));
  find("axis").textContent = kind() === "ink"
    ? "probability of each label where the pen was" : "probability of each label over time";
  find("heard").hidden = !about.models[model].example;
  drawChoices();
  draw();
  again();
}

const firstOf = (wanted) => about.models.findIndex((each) => each.kind === wanted);
for (const name of ["ink", "speech"]) {
  find(`tab-${name}`).addEventListener("click", () => kind() !== name && choose(firstOf(name)));
  find(`tab-${name}`).addEventListener("keydown", (event) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    const other = name === "ink" ? "speech" : "ink";
    choose(firstOf(other));
    find(`tab-${other}`).focus();
  });
}
find("model").addEventListener("change", ({ target }) => choose(Number(target.value)));

find("keep").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = find("right").value;
  const body = kind() === "ink" ? { text, strokes: pad.strokes } : { text, recording: recording?.id };
  try {
    const { file } = await ask("keep", body);
    find("kept").textContent = `kept as ${file}`;
  } catch (error) {
    find("kept").textContent = error.message;
  }
});
find("right").addEventListener("input", () => { find("kept").textContent = ""; });

document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, select, textarea")) return;
  const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
  const ink = kind() === "ink";
  const key = event.key.toLowerCase();
  if (ink && key === "z" && (event.ctrlKey || event.metaKey)) find("undo").click();
  else if (ink && plain && (key === "escape" || key === "delete")) find("clear").click();
  else if (plain && key === "e") find(ink ? "example" : "heard").click();
  else if (!ink && plain && key === "r") find("record").click();
  else return;
  event.preventDefault();
});

async function begin() {
  do {
    try {
      const known = about.models.length > 0;
      about = await (await fetch("about")).json();
      if (!known) {
        find("tabs").hidden = firstOf("ink") < 0 || firstOf("speech") < 0;
        find("keeping").hidden = about.corpus === null;
        await choose(Math.max(0, firstOf("ink")));
      }
    } catch (error) {
      trouble(new Error("The server does not answer. Is seqlabel demo still running?"));
    }
    if (!about.ready) await new Promise((done) => setTimeout(done, 400));
  } while (!about.ready);
  document.body.dataset.ready = "true";
  draw();
}

begin();
