/**
 * One PUT of one chunk to S3, and what its answer means.
 *
 * Rule: a presigned address goes to the request and nowhere else. An ETag is never read: CORS may
 * hide it, and completion does not need it.
 */

/**
 * @typedef {import("./waiting.js").Clock} Clock
 *
 * @typedef {object} PutRequest
 * @property {string} url
 * @property {string} method
 * @property {Record<string, string>} headers
 * @property {Blob} body
 * @property {AbortSignal} signal
 * @property {(bytes: number) => void} onProgress bytes of this attempt that have left
 * @property {() => boolean} mayWaitItsTurn whether other requests move: then the browser holds this one back
 * @property {number} stallMs
 * @property {Clock} clock
 *
 * @typedef {{ kind: "answer", status: number, code: string, retryAfter: string | null }
 *   | { kind: "network" } | { kind: "stalled" }} PutOutcome
 *
 * @typedef {(request: PutRequest) => Promise<PutOutcome>} Put
 */

// S3 answers a large part only when it has stored it.
const ANSWER_PATIENCE = 10;

/** @type {Put} */
export function putByXhr({ url, method, headers, body, signal, onProgress, mayWaitItsTurn, stallMs, clock }) {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const xhr = new XMLHttpRequest();
    /** @type {unknown} */
    let timer;
    let hasBegun = false;
    const watch = (/** @type {number} */ ms) => {
      clock.clearTimeout(timer);
      timer = clock.setTimeout(() => {
        if (!hasBegun && mayWaitItsTurn()) watch(ms);
        else end(() => resolve({ kind: "stalled" }), true);
      }, ms);
    };
    const end = (/** @type {() => void} */ settle, isOpen = false) => {
      clock.clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      xhr.onload = xhr.onerror = xhr.upload.onprogress = xhr.upload.onload = null;
      if (isOpen) xhr.abort();
      settle();
    };
    const abort = () => end(() => reject(signal.reason), true);
    signal.addEventListener("abort", abort);
    xhr.upload.onprogress = ({ loaded }) => {
      if (loaded > 0) hasBegun = true;
      watch(stallMs);
      onProgress(loaded);
    };
    xhr.upload.onload = () => {
      hasBegun = true;
      watch(ANSWER_PATIENCE * stallMs);
    };
    xhr.onerror = () => end(() => resolve({ kind: "network" }));
    xhr.onload = () => end(() => resolve({
      kind: "answer",
      status: xhr.status,
      code: /<Code>([A-Za-z0-9.]{1,64})<\/Code>/.exec(xhr.responseText.slice(0, 4096))?.[1] ?? "",
      // Asking for one header that CORS hides is an error in the console; reading all is none.
      retryAfter: /^retry-after: *(.*)$/im.exec(xhr.getAllResponseHeaders())?.[1].trim() ?? null,
    }));
    xhr.open(method, url);
    for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value);
    watch(stallMs);
    xhr.send(body);
  });
}

/** @typedef {"stored" | "sign-again" | "hash-again" | "try-again" | "refused"} Verdict */

/** @type {Record<string, Verdict>} */
const BY_CODE = {
  BadDigest: "hash-again",
  XAmzContentSHA256Mismatch: "hash-again",
  XAmzContentChecksumMismatch: "hash-again",
  InvalidDigest: "hash-again",
  RequestTimeout: "try-again",
  IncompleteBody: "try-again",
  // The service may have had to begin a new multipart.
  NoSuchUpload: "sign-again",
  ExpiredToken: "sign-again",
};

/** @type {Record<number, Verdict>} */
const BY_STATUS = { 200: "stored", 403: "sign-again", 408: "try-again", 429: "try-again" };

/**
 * Decide about S3's answer by its status and error code.
 *
 * @param {number} status
 * @param {string} code
 * @returns {Verdict}
 */
export function judge(status, code) {
  const known = Object.hasOwn(BY_CODE, code) ? BY_CODE[code] : undefined;
  return known ?? BY_STATUS[status] ?? (status >= 500 ? "try-again" : "refused");
}
