/**
 * Server-sent events by fetch, which sends `Authorization`; EventSource cannot.
 */

import { ask, Problem } from "./api.js";

/** @typedef {{ kind: string, data: any, id: string }} Message */

/**
 * Cut a stream of text into messages (HTML Living Standard, section 9.2.6). Comments, the server's
 * heartbeats, are no messages.
 *
 * @param {ReadableStream<Uint8Array>} body
 * @returns {AsyncGenerator<Message>}
 */
export async function* readMessages(body) {
  const reader = body.pipeThrough(/** @type {any} */ (new TextDecoderStream())).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (rest + value).replaceAll("\r\n", "\n").split("\n\n");
      rest = /** @type {string} */ (blocks.pop());
      for (const block of blocks) {
        const message = read(block);
        if (message !== null) yield message;
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/**
 * @param {string} block
 * @returns {Message | null}
 */
function read(block) {
  let kind = "message";
  let id = "";
  /** @type {string[]} */
  const data = [];
  for (const line of block.split("\n")) {
    const [, name, text] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
    if (name === "event") kind = text;
    else if (name === "id") id = text;
    else if (name === "data") data.push(text);
  }
  return data.length === 0 ? null : { kind, id, data: JSON.parse(data.join("\n")) };
}

/**
 * Follow a stream to its end, over lost connections. Ends when the server says that there is nothing
 * more to come, or by `signal`, and then without an error.
 *
 * @param {string} path
 * @param {object} options
 * @param {AbortSignal} options.signal
 * @param {(message: Message) => void} options.onMessage
 * @param {string} [options.from] id of the last message seen
 * @param {string} [options.as] another credential than the tab's
 * @returns {Promise<string>} the id to go on from
 * @throws {Problem} refused for good
 */
export async function follow(path, { signal, onMessage, from = "", as }) {
  let seen = from;
  let failures = 0;
  while (!signal.aborted) {
    try {
      const headers = { Accept: "text/event-stream", ...(seen === "" ? {} : { "Last-Event-ID": seen }) };
      const response = await ask(path, { headers, signal, as });
      if (response.status === 204 || response.body === null) return seen;
      for await (const message of readMessages(response.body)) {
        failures = 0;
        if (message.id !== "") seen = message.id;
        onMessage(message);
      }
    } catch (error) {
      if (signal.aborted) return seen;
      const isPassing = error instanceof TypeError || (error instanceof Problem && (error.status === 0 || error.status === 429 || error.status >= 500));
      if (!isPassing) throw error;
    }
    failures += 1;
    await pause(Math.min(30_000, 500 * 2 ** failures) * (0.5 + Math.random() / 2), signal);
  }
  return seen;
}

/**
 * @param {number} ms
 * @param {AbortSignal} signal
 * @returns {Promise<void>} also when aborted
 */
function pause(ms, signal) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
