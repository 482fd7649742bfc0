// A canvas in CSS pixels, sharp on every screen, drawn again when its size or the colours change.

export const COLOURS = 6;
const dark = matchMedia("(prefers-color-scheme: dark)");

export class Surface {
  constructor(canvas, draw) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.paint = draw;
    this.waiting = false;
    new ResizeObserver(() => this.resize()).observe(canvas);
    dark.addEventListener("change", () => { this.colours = null; this.draw(); });
  }

  resize() {
    const { width, height } = this.canvas.getBoundingClientRect();
    const scale = devicePixelRatio || 1;
    this.width = width;
    this.height = height;
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(height * scale);
    this.context.setTransform(scale, 0, 0, scale, 0, 0);
    this.drawNow();
  }

  // In the next frame, once however often it is asked for.
  draw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.drawNow();
    });
  }

  drawNow() {
    if (!this.width) return;
    this.context.clearRect(0, 0, this.width, this.height);
    this.paint(this.context, this.width, this.height, this.palette());
  }

  palette() {
    if (!this.colours) {
      const style = getComputedStyle(document.documentElement);
      const named = (name) => style.getPropertyValue(`--${name}`).trim();
      this.colours = Object.fromEntries(
        ["ink", "soft", "line", "guide", "sheet", "alarm"].map((name) => [name, named(name)]));
      const letters = Array.from({ length: COLOURS }, (_, n) => named(`c${n}`));
      // Of the letter at a position; -1 is none.
      this.colours.letter = (n) => (n < 0 ? this.colours.ink : letters[n % COLOURS]);
    }
    return this.colours;
  }
}
