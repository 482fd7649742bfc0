// In the audio thread: samples of the microphone, in pieces of a thirtieth of a second.

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.size = Math.round(sampleRate / 30);
    this.begin();
    this.port.onmessage = () => { this.send(); this.port.postMessage(null); this.ended = true; };
  }

  begin() {
    this.piece = new Float32Array(this.size);
    this.filled = 0;
  }

  send() {
    if (this.filled) this.port.postMessage(this.piece.subarray(0, this.filled));
    this.begin();
  }

  process([input]) {
    if (this.ended) return false;
    const samples = input[0];
    for (let n = 0; samples && n < samples.length; ) {
      const taken = Math.min(samples.length - n, this.size - this.filled);
      this.piece.set(samples.subarray(n, n + taken), this.filled);
      this.filled += taken;
      n += taken;
      if (this.filled === this.size) this.send();
    }
    return true;
  }
}

registerProcessor("capture", Capture);
