
// Evidence of an utterance: drawn when its panel is opened for the first time.

const PICTURE = 150; // heights in pixels: spectrogram, hand segmentation, posteriors, axis
const SEGMENTS = 22;
const LANE = 112;
const NAMES = 44; // of a lane, for the names of its peaks
const AXIS = 18;
const LABEL_FROM = 30; // per cent: peaks from here on are named

const letter = (system) => String.fromCharCode(65 + (system % 26));

/** Posteriors of one system as areas between x(frame) and a height of LANE pixels at `top`. */
function drawLane(group, lane, x, top, several) {
  const floor = top + LANE - 4;
  const y = (value) => floor - (value / 100) * (LANE - NAMES);
  group.append(svg("line", { x1: x(0), x2: x(lane.frames), y1: floor, y2: floor, class: "edge" }));
  const names = [];
  let colour = 0;
  const runs = lane.runs.map((run) => [...run, run[1] + run[2].indexOf(Math.max(...run[2]))]);
  for (const [label, start, values, peak] of runs.sort((a, b) => a[3] - b[3])) {
    let path = `M${x(start).toFixed(1)} ${floor}`;
    values.forEach((value, n) => { path += `L${x(start + n + 0.5).toFixed(1)} ${y(value).toFixed(1)}`; });
    path += `L${x(start + values.length).toFixed(1)} ${floor}`;
    if (lane.labels[label] === "") {
      group.append(svg("path", { d: path, class: "blank" }));
      continue;
    }
    const height = Math.max(...values);
    const class_ = height >= LABEL_FROM ? `c${colour++ % 6}` : "none";
    group.append(svg("path", { d: path, class: `post ${class_}` }));
    if (height >= LABEL_FROM) names.push([x(peak + 0.5), y(height) - 4, lane.labels[label], class_]);
  }
  const taken = [];
  for (const [left, height, label, class_] of names) {
    const half = 3.4 * shown(label).length + 1;
    const clash = (at) => taken.some(([x0, x1, y0]) => left + half > x0 && left - half < x1 && Math.abs(at - y0) < 11);
    let at = height;
    while (clash(at) && at > top + 18) at -= 3; // a name makes room by moving up
    taken.push([left - half, left + half, at]);
    group.append(svg("text", { x: left, y: at, class: `name halo ${class_}`, "text-anchor": "middle" }, shown(label)));
  }
  if (several) group.append(svg("text", { x: 4, y: top + 12, class: "unit halo" }, letter(lane.system)));
}

/** The labels of a frame and their probabilities, highest first, as text. */
function frameText(lane, frame) {
  const seen = [];
  for (const [label, start, values] of lane.runs) {
    const value = values[frame - start];
    if (value) seen.push([value, lane.labels[label] === "" ? "blank" : shown(lane.labels[label])]);
  }
  seen.sort((a, b) => b[0] - a[0]);
  return seen.slice(0, 4).map(([value, label]) => `${label} ${value} %`).join(", ");
}

function drawSpeech(panel, evidence) {
  const audio = html("audio");
  audio.controls = true;
  audio.src = evidence.audio;
  const scroll = html("div", "scroll stage");
  panel.append(audio, scroll);

  const several = evidence.lanes.length > 1;
  const hand = evidence.segments.length ? SEGMENTS : 0;
  const lanesTop = PICTURE + hand;
  const bottom = lanesTop + LANE * evidence.lanes.length;
  let head;
  let pointer;
  let width = 0;

  const draw = () => {
    width = Math.max(scroll.clientWidth, Math.round(evidence.seconds * 190));
    const x = (seconds) => (seconds / evidence.seconds) * width;
    const chart = svg("svg", { width, height: bottom + AXIS, role: "img", "aria-label": "Spectrogram, hand segmentation and label posteriors over time" });
    chart.append(svg("rect", { width, height: bottom, class: "frame" }));
    chart.append(svg("image", { href: evidence.picture, width, height: PICTURE, preserveAspectRatio: "none" }));
    const mel = (hertz) => Math.log10(1 + hertz / 700);
    for (const kilo of [0.5, 1, 2, 4, 8]) {
      const y = PICTURE * (1 - mel(1000 * kilo) / mel(evidence.top));
      if (y >= 0) chart.append(svg("text", { x: 3, y: Math.max(10, y + 4), class: "unit halo" }, kilo === 0.5 ? "500 Hz" : `${kilo} kHz`));
    }
    for (const [label, start, end] of evidence.segments) {
      chart.append(svg("path", { d: `M${x(start)} 0V${PICTURE + hand}`, class: "cut" }));
      if (x(end) - x(start) > 7 * label.length - 3) {
        chart.append(svg("text", { x: (x(start) + x(end)) / 2, y: PICTURE + 15, "text-anchor": "middle" }, label));
      }
    }
    chart.append(svg("path", { d: `M0 ${lanesTop}H${width}`, class: "edge" }));
    evidence.lanes.forEach((lane, n) => {
      drawLane(chart, lane, (frame) => x(lane.start + frame * lane.step), lanesTop + LANE * n, several);
    });
    const step = width / evidence.seconds > 120 ? 0.5 : 1;
    for (let t = step; t < evidence.seconds; t += step) {
      chart.append(svg("path", { d: `M${x(t)} ${bottom}v4`, class: "edge" }));
      chart.append(svg("text", { x: x(t), y: bottom + 14, class: "unit", "text-anchor": "middle" }, `${t} s`));
    }
    pointer = chart.appendChild(svg("line", { y1: 0, y2: bottom, x1: -9, x2: -9, class: "pointer" }));
    head = chart.appendChild(svg("line", { y1: 0, y2: bottom, x1: -9, x2: -9, class: "head" }));
    scroll.replaceChildren(chart);

    const seconds = (event) => ((event.clientX - chart.getBoundingClientRect().left) / width) * evidence.seconds;
    chart.addEventListener("pointermove", (event) => {
      const t = seconds(event);
      pointer.setAttribute("x1", x(t));
      pointer.setAttribute("x2", x(t));
      const segment = evidence.segments.find(([, start, end]) => start <= t && t < end);
      const lines = [`${t.toFixed(2)} s${segment ? `, by hand ${shown(segment[0])}` : ""}`];
      evidence.lanes.forEach((lane) => lines.push(frameText(lane, Math.floor((t - lane.start) / lane.step))));
      showTip(lines.filter(Boolean).join("\n"), event.clientX, event.clientY);
    });
    chart.addEventListener("pointerleave", () => { pointer.setAttribute("x1", -9); pointer.setAttribute("x2", -9); hideTip(); });
    chart.addEventListener("click", (event) => { audio.currentTime = seconds(event); audio.play(); });
  };

  const follow = () => {
    const at = (audio.currentTime / evidence.seconds) * width;
    head.setAttribute("x1", at);
    head.setAttribute("x2", at);
    if (!audio.paused) requestAnimationFrame(follow);
  };
  audio.addEventListener("play", follow);
  audio.addEventListener("seeked", follow);
  addEventListener("resize", () => { if (scroll.clientWidth && Math.abs(scroll.clientWidth - width) > 8) draw(); });
  draw();
  panel.append(html("p", "soft", `Spectrogram 0–${evidence.top / 1000} kHz (mel scale)${hand ? ", hand segmentation" : ""}, probability of each label over time; the blank is dashed. Click to play from there.`));
}

function drawInk(panel, evidence) {
  const several = evidence.lanes.length > 1;
  evidence.drawings.forEach((drawing, n) => {
    if (several) panel.append(html("p", "soft", `Read by ${letter(drawing.system)}`));
    const [width, height] = drawing.box;
    const scroll = html("div", "scroll paper");
    const size = Math.min(1040, Math.max(240, width * 0.75));
    const chart = svg("svg", { viewBox: `-20 -40 ${width + 40} ${height + 60}`, width: size, height: (size * (height + 60)) / (width + 40), role: "img", "aria-label": "The ink, each stroke in the colour of the label it was read as" });
    const paths = drawing.strokes.map(([token, d]) =>
      chart.appendChild(svg("path", { d, class: `pen ${token < 0 ? "none" : `c${token % 6}`}`, "data-tip": token < 0 ? "read as nothing" : `read as ${shown(drawing.tokens[token])}` })));
    scroll.append(chart);
    panel.append(scroll);
    drawing.tokens.forEach((label, token) => {
      const boxes = paths.filter((_, k) => drawing.strokes[k][0] === token).map((path) => path.getBBox());
      if (!boxes.length) return;
      const left = Math.min(...boxes.map((box) => box.x));
      const right = Math.max(...boxes.map((box) => box.x + box.width));
      const y = Math.min(...boxes.map((box) => box.y)) - 9;
      chart.append(svg("text", { x: (left + right) / 2, y, class: `name reading halo c${token % 6}`, "text-anchor": "middle" }, shown(label)));
    });
    const chips = html("div", "chips");
    const light = (token) => paths.forEach((path, k) => path.classList.toggle("dim", token !== null && drawing.strokes[k][0] !== token));
    drawing.tokens.forEach((label, token) => {
      const chip = chips.appendChild(html("span", `chip c${token % 6}`, shown(label)));
      chip.tabIndex = 0;
      for (const name of ["pointerenter", "focus"]) chip.addEventListener(name, () => light(token));
      for (const name of ["pointerleave", "blur"]) chip.addEventListener(name, () => light(null));
    });
    const replay = html("button", "tool", "Write it again");
    replay.type = "button";
    replay.addEventListener("click", () => write(paths));
    chips.append(replay);
    panel.append(chips);

    const lane = evidence.lanes[n];
    const stage = html("div", "scroll stage");
    panel.append(stage);
    const wide = Math.max(panel.clientWidth - 24, lane.runs.length * 9);
    const posteriors = svg("svg", { width: wide, height: LANE + AXIS, role: "img", "aria-label": "Label posteriors over frames" });
    const x = (frame) => (frame / lane.frames) * wide;
    posteriors.append(svg("rect", { width: wide, height: LANE, class: "frame" }));
    drawLane(posteriors, lane, x, 0, false);
    posteriors.append(svg("text", { x: 2, y: LANE + 13, class: "unit" }, `${lane.frames} frames in writing order`));
    posteriors.addEventListener("pointermove", (event) => {
      const frame = Math.floor(((event.clientX - posteriors.getBoundingClientRect().left) / wide) * lane.frames);
      showTip(`frame ${frame}\n${frameText(lane, frame)}`, event.clientX, event.clientY);
    });
    posteriors.addEventListener("pointerleave", hideTip);
    stage.append(posteriors);
  });
  panel.append(html("p", "soft", "Each stroke has the colour of the label it was read as; below, the probability of each label, the blank dashed."));
}

function drawImage(panel, evidence) {
  const several = evidence.lanes.length > 1;
  const scroll = html("div", "scroll stage");
  panel.append(scroll);
  const width = Math.max(panel.clientWidth - 24, Math.min(3000, evidence.width * 2));
  const top = Math.min(200, (width * evidence.height) / evidence.width);
  const bottom = top + LANE * evidence.lanes.length;
  const x = (column) => (column / evidence.width) * width;
  const chart = svg("svg", { width, height: bottom + 4, role: "img", "aria-label": "The image and label posteriors over its columns" });
  chart.append(svg("rect", { width, height: bottom, class: "frame" }));
  chart.append(svg("image", { href: evidence.picture, width, height: top, preserveAspectRatio: "none" }));
  evidence.lanes.forEach((lane, n) => {
    drawLane(chart, lane, (frame) => x(lane.start + frame * lane.step), top + LANE * n, several);
  });
  const pointer = chart.appendChild(svg("line", { y1: 0, y2: bottom, x1: -9, x2: -9, class: "pointer" }));
  chart.addEventListener("pointermove", (event) => {
    const column = ((event.clientX - chart.getBoundingClientRect().left) / width) * evidence.width;
    pointer.setAttribute("x1", x(column));
    pointer.setAttribute("x2", x(column));
    const lines = [`column ${Math.floor(column)}`];
    evidence.lanes.forEach((lane) => lines.push(frameText(lane, Math.floor((column - lane.start) / lane.step))));
    showTip(lines.filter(Boolean).join("\n"), event.clientX, event.clientY);
  });
  chart.addEventListener("pointerleave", () => { pointer.setAttribute("x1", -9); pointer.setAttribute("x2", -9); hideTip(); });
  scroll.append(chart);
  panel.append(html("p", "soft", "The image and, below, the probability of each label over its columns; the blank is dashed."));
}

/** Draw the strokes one after the other, as they were written, in three seconds. */
function write(paths) {
  const lengths = paths.map((path) => path.getTotalLength() + 1);
  const total = lengths.reduce((a, b) => a + b, 0);
  let before = 0;
  paths.forEach((path, n) => {
    path.animate(
      [{ strokeDasharray: `0 ${lengths[n]}`, opacity: 0 }, { opacity: 1, offset: 0.01 }, { strokeDasharray: `${lengths[n]} 0`, opacity: 1 }],
      { delay: (3000 * before) / total, duration: (3000 * lengths[n]) / total, fill: "backwards" },
    );
    before += lengths[n];
  });
}

for (const details of document.querySelectorAll("details.evidence")) {
  details.addEventListener("toggle", () => {
    const source = details.querySelector("script");
    if (!details.open || !source) return;
    const evidence = JSON.parse(source.textContent);
    const panel = details.appendChild(html("div", "panel"));
    ({ speech: drawSpeech, ink: drawInk, image: drawImage })[evidence.kind](panel, evidence);
    source.remove();
  });
}
