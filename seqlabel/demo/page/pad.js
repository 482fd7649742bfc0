// Ink: every point that a pen, a finger or the mouse reports, with time and pressure.
// A stroke is a list of [x, y, t, pressure]: CSS pixels, milliseconds since the first point.

import { Surface } from "./surface.js";

const BASE = 0.62; // of the height: where the guide line lies

export class Pad {
  // changed(penDown): the ink is another now.
  constructor(canvas, changed) {
    this.surface = new Surface(canvas, (...all) => this.paint(...all));
    this.canvas = canvas;
    this.changed = changed;
    this.strokes = [];
    this.pieces = [];
    this.pointed = -1;
    this.pointer = null;
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"])
      canvas.addEventListener(name, (event) => this.up(event));
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  get points() { return this.strokes.reduce((sum, stroke) => sum + stroke.length, 0); }

  down(event) {
    // The palm touches the screen while the pen writes: the pen counts.
    const penAfterPalm = event.pointerType === "pen" && this.pointerType === "touch";
    if (event.button !== 0 || (this.pointer !== null && !penAfterPalm)) return;
    if (penAfterPalm && this.pointer !== null) this.strokes.pop();
    event.preventDefault();
    this.pointer = event.pointerId;
    this.pointerType = event.pointerType;
    this.canvas.setPointerCapture(event.pointerId);
    this.corner = this.canvas.getBoundingClientRect();
    this.strokes.push([]);
    this.add(event);
    this.changed(true);
  }

  move(event) {
    if (event.pointerId !== this.pointer) return;
    // A pen reports more points than there are events: each event holds those since the last.
    const all = event.getCoalescedEvents?.() ?? [];
    for (const each of all.length ? all : [event]) this.add(each);
    this.changed(true);
  }

  up(event) {
    if (event.pointerId !== this.pointer) return;
    this.pointer = null;
    this.changed(false);
  }

  add(event) {
    this.start ??= event.timeStamp;
    const last = this.strokes.at(-1).at(-1) ?? this.strokes.at(-2)?.at(-1);
    const t = Math.max(event.timeStamp - this.start, last?.[2] ?? 0);
    const round = (value, digits) => Number(value.toFixed(digits));
    this.strokes.at(-1).push([
      round(event.clientX - this.corner.left, 2), round(event.clientY - this.corner.top, 2),
      round(t, 2), round(event.pressure || 0.5, 3),
    ]);
    this.surface.draw();
  }

  // Points [x, y, t, pressure] of another source, as if they had been written here.
  put(stroke, point) {
    (this.strokes[stroke] ??= []).push(point);
    this.surface.draw();
  }

  undo() {
    if (this.pointer !== null || !this.strokes.length) return;
    this.strokes.pop();
    this.pieces = this.pieces.filter(([stroke]) => stroke < this.strokes.length);
    if (!this.strokes.length) this.clear();
    else { this.surface.draw(); this.changed(false); }
  }

  clear() {
    this.strokes = [];
    this.pieces = [];
    this.pointer = null;
    this.start = undefined;
    this.surface.draw();
    this.changed(false);
  }

  // pieces: [stroke, first point, last point, letter]
  colour(pieces) { this.pieces = pieces; this.surface.draw(); }

  point(letter) { this.pointed = letter; this.surface.draw(); }

  paint(context, width, height, colours) {
    context.lineCap = context.lineJoin = "round";
    context.strokeStyle = colours.guide;
    context.lineWidth = 1.5;
    context.beginPath();
    context.moveTo(22, height * BASE);
    context.lineTo(width - 22, height * BASE);
    context.stroke();
    const done = new Map(); // points of each stroke that belong to a letter
    for (const [stroke, first, last, letter] of this.pieces) {
      if (!this.strokes[stroke]) continue;
      done.set(stroke, last);
      context.globalAlpha = this.pointed >= 0 && letter !== this.pointed ? 0.25 : 1;
      draw(context, this.strokes[stroke], first, last, colours.letter(letter));
    }
    context.globalAlpha = 1;
    this.strokes.forEach((stroke, number) => {
      const first = done.get(number) ?? 0;
      if (first < stroke.length - 1 || !done.has(number))
        draw(context, stroke, first, stroke.length - 1, colours.ink);
    });
  }
}

function draw(context, stroke, first, last, colour) {
  const thickness = (point) => 1.4 + 3.2 * point[3];
  context.strokeStyle = context.fillStyle = colour;
  const [x, y] = stroke[first];
  const still = ([a, b]) => Math.abs(a - x) < 0.5 && Math.abs(b - y) < 0.5;
  if (stroke.slice(first, last + 1).every(still)) { // a canvas draws no line without length
    context.beginPath();
    context.arc(x, y, Math.max(2, 0.6 * thickness(stroke[first])), 0, 7);
    context.fill();
    return;
  }
  for (let n = first; n < last; ) {
    // Steps of about the same thickness are one path: corners are joined, and it is faster.
    context.lineWidth = thickness(stroke[n]);
    context.beginPath();
    context.moveTo(stroke[n][0], stroke[n][1]);
    do {
      n += 1;
      context.lineTo(stroke[n][0], stroke[n][1]);
    } while (n < last && Math.abs(thickness(stroke[n]) - context.lineWidth) < 0.2);
    context.stroke();
  }
}
