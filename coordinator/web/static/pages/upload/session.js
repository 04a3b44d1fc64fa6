/**
 * The `session` that coordinator.js asks for. With a key the page opens uploads by itself, as a
 * backend would; with the token of one upload there is nothing to open.
 */

import { UploadError } from "../../js/coordinator.js";
import { hexOf, sha256 } from "../../js/hashing.js";
import { ask, Problem } from "../shell.js";
import { mediaTypeOf } from "./media-types.js";

/**
 * @typedef {import("../../js/opening.js").SessionCall} SessionCall
 * @typedef {import("../shell.js").Shell} Shell
 * @typedef {Record<string, unknown>} Metadata
 */

/**
 * Open each file with this metadata.
 *
 * The same file under the same wish finds its upload again. Told otherwise it is another upload: the
 * service refuses a key that comes with another body.
 *
 * @param {Shell} shell
 * @param {Metadata} metadata
 * @returns {SessionCall}
 */
export function sessionByKey(shell, metadata) {
  return async ({ fileName, fileSize, fileType, resumeKey, uploadId, reason }) => {
    if (uploadId !== null) return { uploadId, token: await tokenFor(shell, uploadId, reason) };
    const answer = await told("/api/upload/init", {
      headers: { "Idempotency-Key": `${resumeKey}.${await shortHash(JSON.stringify(metadata))}` },
      body: { fileName, fileSize, fileType: mediaTypeOf(fileName, fileType), metadata, uploadToken: true },
    });
    // What is over gets no token; what became of it may be read by the key.
    return { ...answer, token: answer.uploadToken ?? shell.credential.secret };
  };
}

/**
 * Upload into the one upload that the page's credential is for.
 *
 * @param {Shell} shell
 * @returns {SessionCall}
 */
export function sessionByToken(shell) {
  return ({ reason }) => {
    if (reason === "token-ended") {
      throw new UploadError("unauthenticated", "The link's permission ended. Whoever gave it to you can make a new one.", { retryable: false });
    }
    return { uploadId: /** @type {string} */ (shell.credential.uploadId), token: shell.credential.secret };
  };
}

async function tokenFor(/** @type {Shell} */ shell, /** @type {string} */ uploadId, /** @type {string} */ reason) {
  try {
    const answer = await told(`/api/uploads/${encodeURIComponent(uploadId)}/token`, { method: "POST" });
    return answer.uploadToken;
  } catch (error) {
    // It is over: the key reads how, and coordinator.js says so.
    const isOver = error instanceof UploadError && (error.code === "wrong-phase" || error.code === "upload-expired");
    if (isOver && reason === "resume") return shell.credential.secret;
    throw error;
  }
}

/** Ask the service; its refusals become those that coordinator.js understands. */
async function told(/** @type {string} */ path, /** @type {import("../shell/api.js").Options} */ options) {
  try {
    return await (await ask(path, options)).json();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const { code, detail, ...facts } = error.refusal;
    if (code === "unreachable") throw new UploadError("network", detail, { cause: error });
    throw new UploadError(code, detail, facts);
  }
}

async function shortHash(/** @type {string} */ text) {
  return hexOf(await sha256(new TextEncoder().encode(text))).slice(0, 12);
}
