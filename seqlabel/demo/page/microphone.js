// The microphone, and sound files, as samples in [-1, 1] of one channel.

export class Microphone {
  // Resolves once samples come in; heard(samples) gets each piece.
  async open(rate, heard) {
    if (!navigator.mediaDevices)
      throw new Error(
        "Browsers allow the microphone only for pages of this machine or with HTTPS: " +
        "open the page on the machine where seqlabel demo runs.");
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ audio: {
        channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false,
      } });
    } catch (error) {
      throw new Error({
        NotFoundError: "There is no microphone. Plug one in, or open a file.",
        NotAllowedError: "The microphone was not allowed. Allow it in the address bar, or open a file.",
        NotReadableError: "The microphone is in use elsewhere. Close what uses it, or open a file.",
      }[error.name] ?? `The microphone cannot be used (${error.name}). Open a file instead.`);
    }
    try {
      try {
        this.begin(new AudioContext({ sampleRate: rate }));
      } catch {
        // Some browsers take a microphone at its own rate only; the server resamples then.
        await this.context.close();
        this.begin(new AudioContext());
      }
      await this.context.audioWorklet.addModule("capture.js");
    } catch (error) {
      this.release();
      throw error;
    }
    this.node = new AudioWorkletNode(this.context, "capture", { numberOfOutputs: 0 });
    this.done = new Promise((done) => {
      this.node.port.onmessage = ({ data }) => (data === null ? done() : heard(data));
    });
    this.source.connect(this.node);
    await this.context.resume();
  }

  get rate() { return this.context.sampleRate; }

  begin(context) {
    this.context = context;
    this.source = context.createMediaStreamSource(this.stream);
  }

  // Resolves when the last samples have been heard.
  async close() {
    this.node.port.postMessage("end");
    await this.done;
    this.release();
  }

  release() {
    this.stream.getTracks().forEach((track) => track.stop());
    this.context?.close();
  }
}

export async function samplesOfFile(file, rate) {
  let sound;
  try {
    const decoder = new OfflineAudioContext(1, 1, rate);
    sound = await decoder.decodeAudioData(await file.arrayBuffer());
  } catch {
    throw new Error(`${file.name}: the browser cannot read this as sound. Convert it to WAV.`);
  }
  const mixed = new Float32Array(sound.length);
  for (let channel = 0; channel < sound.numberOfChannels; channel++)
    sound.getChannelData(channel).forEach((value, n) => {
      mixed[n] += value / sound.numberOfChannels;
    });
  return mixed;
}

// 16-bit integers, little-endian, of pieces of samples.
export function packed(pieces) {
  const view = new DataView(new ArrayBuffer(2 * pieces.reduce((sum, p) => sum + p.length, 0)));
  let place = 0;
  for (const piece of pieces)
    for (const sample of piece) {
      view.setInt16(place, Math.max(-32768, Math.min(32767, Math.round(sample * 32768))), true);
      place += 2;
    }
  return view.buffer;
}
