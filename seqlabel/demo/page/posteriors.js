// The network's output along the signal: over time for sound, under the pen's places for ink.

import { Surface } from "./surface.js";

const TOP = 20; // room for the labels

export class Posteriors {
  constructor(canvas) {
    this.surface = new Surface(canvas, (...all) => this.paint(...all));
    this.reading = null;
  }

  // axis: its `span` is how many seconds the width stands for; null where the reading has an x for
  // each frame.
  show(reading, axis) {
    this.reading = reading;
    this.axis = axis;
    this.surface.draw();
  }

  paint(context, width, height, colours) {
    const low = height - 1;
    const tall = low - TOP;
    context.font = "600 12px " + getComputedStyle(document.body).fontFamily;
    context.textAlign = "center";
    context.strokeStyle = colours.guide;
    context.lineWidth = 1;
    for (const level of [0.5, 1]) {
      const y = Math.round(low - level * tall) + 0.5;
      context.beginPath();
      context.moveTo(0, y);
      context.lineTo(width, y);
      context.stroke();
    }
    const reading = this.reading;
    if (!reading?.times.length) return;
    if (reading.x) this.bars(context, reading, low, tall, colours);
    else this.curves(context, reading, low, tall, colours);
    for (const spike of reading.spikes) {
      const [label, letter, first, values] = spike;
      const peak = values.indexOf(Math.max(...values));
      if (values[peak] < 15 || label === " ") continue;
      context.fillStyle = letter < 0 ? colours.soft : colours.letter(letter);
      const y = low - (values[peak] / 100) * tall - 5;
      context.fillText(label, this.at(reading, first + peak), y);
    }
  }

  at(reading, frame) {
    if (reading.x) return reading.x[frame];
    const last = reading.times.length - 1;
    const beyond = frame - Math.min(Math.max(frame, 0), last);
    const seconds = reading.times[frame - beyond] + beyond * reading.period;
    return (seconds / this.axis.span) * this.surface.width;
  }

  // The pen goes back and forth, so that frames have no order in x: one bar each.
  bars(context, reading, low, tall, colours) {
    const bar = (frame, percent, thickness, colour) => {
      context.fillStyle = colour;
      const top = (percent / 100) * tall;
      context.fillRect(reading.x[frame] - thickness / 2, low - top, thickness, top);
    };
    context.globalAlpha = 0.35;
    reading.blank.forEach((percent, frame) => bar(frame, percent, 1, colours.line));
    for (const [, letter, first, values] of visible(reading.spikes)) {
      context.globalAlpha = letter < 0 ? 0.5 : 0.9;
      const colour = letter < 0 ? colours.soft : colours.letter(letter);
      values.forEach((percent, n) => bar(first + n, percent, 3, colour));
    }
    context.globalAlpha = 1;
  }

  curves(context, reading, low, tall, colours) {
    const curve = (first, values) => {
      context.beginPath();
      context.moveTo(this.at(reading, first - 1), low);
      values.forEach((percent, n) =>
        context.lineTo(this.at(reading, first + n), low - (percent / 100) * tall));
      context.lineTo(this.at(reading, first + values.length), low);
    };
    context.lineWidth = 1;
    context.setLineDash([2, 3]);
    context.strokeStyle = colours.line;
    curve(0, reading.blank);
    context.stroke();
    context.setLineDash([]);
    context.lineWidth = 1.5;
    for (const [, letter, first, values] of visible(reading.spikes)) {
      context.strokeStyle = context.fillStyle = letter < 0 ? colours.soft : colours.letter(letter);
      curve(first, values);
      context.globalAlpha = letter < 0 ? 0.2 : 0.45;
      context.fill();
      context.globalAlpha = 1;
      context.stroke();
    }
  }
}

// The spikes, those of no letter of the reading first; a blank between words is none to look at.
function visible(spikes) {
  return spikes
    .map(([label, letter, ...rest]) => [label, label.trim() ? letter : -1, ...rest])
    .sort((a, b) => a[1] - b[1]);
}
