// Requests to the server, one at a time: a newer one waits for the answer to the one before and
// takes the place of those that wait already.

export async function ask(path, body) {
  const json = !(body instanceof ArrayBuffer);
  let answer;
  try {
    answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": json ? "application/json" : "application/octet-stream" },
      body: json ? JSON.stringify(body) : body,
      credentials: "omit",
    });
  } catch {
    throw new Error("The server does not answer. Is seqlabel demo still running?");
  }
  const value = await answer.json().catch(() => ({ error: `HTTP ${answer.status}` }));
  if (!answer.ok) throw new Error(value.error);
  return value;
}

export class Latest {
  // job: an async function that asks for what is there when it is called.
  constructor(job, failed) {
    this.job = job;
    this.failed = failed;
    this.running = null;
    this.wanted = false;
  }

  // Resolves when what was there at the call has been read.
  request() {
    this.wanted = true;
    this.running ??= this.run();
    return this.running;
  }

  async run() {
    try {
      while (this.wanted) {
        this.wanted = false;
        await this.job();
      }
    } catch (error) {
      this.wanted = false;
      this.failed(error);
    } finally {
      this.running = null;
    }
  }
}
