// A spectrogram that grows with the sound; each letter's stretch of it has the letter's colour.

import { Surface } from "./surface.js";

const ROWS = 80; // equally spaced on the mel scale
const HOP = 0.005; // seconds
const WINDOW = 0.016;
const RANGE = 60; // decibels from nothing to full colour
const SHORTEST = 4; // seconds that the width shows at least
const REACH = 0.2; // seconds that a letter's stretch goes on into silence

export class Spectrogram {
  constructor(canvas) {
    this.mask = document.createElement("canvas");
    this.tinted = document.createElement("canvas");
    this.surface = new Surface(canvas, (...all) => this.paint(...all));
    this.clear(16000, 60);
  }

  clear(rate, longest) {
    this.rate = rate;
    this.fft = new Fft(2 ** Math.ceil(Math.log2(WINDOW * rate * 1.3)));
    this.window = Math.round(WINDOW * rate);
    this.levels = [];
    this.top = -25; // dB of the loudest so far; noise of a quiet room stays pale
    this.rest = new Float32Array(this.window >> 1);
    this.next = 0; // samples from the start of `rest` to the next window
    this.before = 0;
    this.length = 0;
    this.letters = [];
    this.pointed = -1;
    this.mask.width = Math.ceil(longest / HOP) + 2;
    this.mask.height = ROWS;
    this.surface.draw();
  }

  get duration() { return this.length / this.rate; }
  get span() { return Math.max(SHORTEST, this.duration); }
  place(seconds) { return (seconds / this.span) * (this.surface.width ?? 0); }

  add(samples) {
    const all = new Float32Array(this.rest.length + samples.length);
    all.set(this.rest);
    for (let n = 0; n < samples.length; n++) { // 6 dB per octave: fricatives become visible
      all[this.rest.length + n] = samples[n] - this.before;
      this.before = samples[n];
    }
    this.length += samples.length;
    const known = this.levels.length;
    let begin = this.next;
    while (begin + this.window <= all.length) {
      this.levels.push(this.column(all.subarray(begin, begin + this.window)));
      begin = this.next + Math.round((this.levels.length - known) * HOP * this.rate);
    }
    this.rest = all.slice(Math.min(begin, all.length));
    this.next = begin - (all.length - this.rest.length);
    const loudest = Math.max(this.top, ...this.levels.slice(known).map((c) => Math.max(...c)));
    if (loudest > this.top + 0.5) {
      this.top = loudest;
      this.fill(0);
    } else this.fill(known);
    this.surface.draw();
  }

  column(frame) {
    const power = this.fft.power(frame);
    const mel = 2595 * Math.log10(1 + this.rate / 2 / 700);
    return Float32Array.from({ length: ROWS }, (_, row) => {
      const hertz = 700 * (10 ** ((mel * row) / (ROWS - 1) / 2595) - 1);
      const bin = Math.min((hertz / this.rate) * this.fft.size, power.length - 1.001);
      const low = Math.floor(bin);
      const value = power[low] * (1 - bin + low) + power[low + 1] * (bin - low);
      return 10 * Math.log10(value + 1e-10);
    });
  }

  // Draw columns from `first` on as black of the right opacity.
  fill(first) {
    const count = this.levels.length - first;
    if (count < 1) return;
    const context = this.mask.getContext("2d");
    const image = context.createImageData(count, ROWS);
    for (let n = 0; n < count; n++)
      for (let row = 0; row < ROWS; row++) {
        const share = 1 - (this.top - this.levels[first + n][row]) / RANGE;
        image.data[4 * ((ROWS - 1 - row) * count + n) + 3] = 255 * Math.min(1, Math.max(0, share));
      }
    context.putImageData(image, first, 0);
  }

  // letters: [label, start, end, ...] in seconds
  colour(letters) { this.letters = letters; this.surface.draw(); }

  point(letter) { this.pointed = letter; this.surface.draw(); }

  stretches() {
    const middle = (letter) => (letter[1] + letter[2]) / 2;
    return this.letters.map((letter, n) => {
      const before = this.letters[n - 1], after = this.letters[n + 1];
      const from = before ? (middle(before) + middle(letter)) / 2 : 0;
      const to = after ? (middle(letter) + middle(after)) / 2 : Infinity;
      return [letter[0], Math.max(from, letter[1] - REACH), Math.min(to, letter[2] + REACH), n];
    }).filter(([label]) => label.trim());
  }

  paint(context, width, height, colours) {
    if (!this.levels.length) return;
    const long = this.place(this.levels.length * HOP);
    this.tinted.width = this.surface.canvas.width;
    this.tinted.height = this.surface.canvas.height;
    const tint = this.tinted.getContext("2d");
    tint.scale(this.tinted.width / width, this.tinted.height / height);
    tint.drawImage(this.mask, 0, 0, this.levels.length, ROWS, 0, 0, long, height);
    tint.globalCompositeOperation = "source-in";
    tint.fillStyle = colours.soft;
    tint.fillRect(0, 0, width, height);
    tint.globalCompositeOperation = "source-atop";
    const stretches = this.stretches();
    for (const [, from, to, letter] of stretches) {
      if (this.pointed >= 0 && letter !== this.pointed) continue;
      tint.fillStyle = colours.letter(letter);
      tint.fillRect(this.place(from), 0, this.place(to) - this.place(from), height);
    }
    context.drawImage(this.tinted, 0, 0, width, height);
    context.font = "600 15px " + getComputedStyle(document.body).fontFamily;
    context.textAlign = "center";
    context.lineWidth = 4;
    context.strokeStyle = colours.sheet;
    context.lineJoin = "round";
    const ends = [0, 0]; // of what stands in two rows, so that labels do not cover each other
    for (const [label, from, to, letter] of stretches) {
      const x = this.place((Math.min(to, this.duration) + from) / 2);
      const half = context.measureText(label).width / 2 + 1;
      const row = ends.findIndex((end) => end <= x - half);
      if (row < 0) continue;
      ends[row] = x + half;
      context.fillStyle = colours.letter(letter);
      context.strokeText(label, x, 22 + 19 * row);
      context.fillText(label, x, 22 + 19 * row);
    }
  }
}

class Fft {
  constructor(size) {
    this.size = size;
    this.real = new Float32Array(size);
    this.imaginary = new Float32Array(size);
    this.cosine = Float32Array.from({ length: size / 2 }, (_, n) => Math.cos((2 * Math.PI * n) / size));
    this.sine = Float32Array.from({ length: size / 2 }, (_, n) => Math.sin((2 * Math.PI * n) / size));
    this.order = new Uint16Array(size);
    for (let n = 1; n < size; n++)
      this.order[n] = (this.order[n >> 1] >> 1) | (n & 1 ? size >> 1 : 0);
  }

  // Power of a frame under a Hann window: size / 2 + 1 values.
  power(frame) {
    const { size, real, imaginary, order } = this;
    imaginary.fill(0);
    for (let n = 0; n < size; n++) {
      const from = order[n];
      const hann = 0.5 - 0.5 * Math.cos((2 * Math.PI * (from + 1)) / (frame.length + 1));
      real[n] = from < frame.length ? frame[from] * hann : 0;
    }
    for (let half = 1; half < size; half *= 2) {
      const step = size / (2 * half);
      for (let block = 0; block < size; block += 2 * half)
        for (let k = 0; k < half; k++) {
          const a = block + k, b = a + half;
          const c = this.cosine[k * step], s = this.sine[k * step];
          const re = real[b] * c + imaginary[b] * s, im = imaginary[b] * c - real[b] * s;
          real[b] = real[a] - re;
          imaginary[b] = imaginary[a] - im;
          real[a] += re;
          imaginary[a] += im;
        }
    }
    return Float32Array.from({ length: size / 2 + 1 }, (_, n) => real[n] ** 2 + imaginary[n] ** 2);
  }
}
