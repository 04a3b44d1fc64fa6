/**
 * A page of somebody else's that uses coordinator.js; tests drive it by `lab` and read what it saw.
 *
 * `?endpoint=` is the service, `?from=` where the library comes from if not from this origin.
 */

const query = new URLSearchParams(location.search);
const endpoint = query.get("endpoint");
const { Upload, Uploads, UploadError, openUploads, forget } = await import(
  `${query.get("from") ?? ""}/js/coordinator.js`
);

async function session(asked) {
  const { file: _file, ...facts } = asked;
  const answer = await fetch("/session", { method: "POST", body: JSON.stringify(facts) });
  if (!answer.ok) throw new Error(`The backend refused: ${await answer.text()}`);
  return answer.json();
}

const plain = (error) => ({
  isOurs: error instanceof UploadError,
  code: error.code,
  detail: error.detail ?? String(error),
  advice: error.advice,
  chunkIndex: error.chunkIndex,
});

/** What one upload did, as a list of its events, and how it ended. */
class Watched {
  constructor(upload) {
    this.upload = upload;
    this.states = [];
    this.uploaded = [];
    this.warnings = [];
    this.chunks = [];
    this.outcome = null;
    upload.on("state", ({ state }) => this.states.push(state));
    upload.on("progress", ({ uploadedBytes }) => this.uploaded.push(uploadedBytes));
    upload.on("warning", ({ error }) => this.warnings.push(plain(error)));
    upload.on("chunk", ({ chunkIndex, state, attempt }) => this.chunks.push({ chunkIndex, state, attempt }));
  }

  start() {
    this.upload.start().then(
      (result) => (this.outcome = { result }),
      (error) => (this.outcome = { error: plain(error) }),
    );
  }

  get report() {
    const { outcome, states, uploaded, warnings, chunks } = this;
    return { outcome, states, uploaded, warnings, chunks, state: this.upload.state, progress: this.upload.progress };
  }
}

const chosen = (id) => [...document.querySelector(id).files];

window.lab = {
  /** Upload the first chosen file; `resume` says to go on with what this browser remembers. */
  async begin({ resume = false, ...options } = {}) {
    const [file] = chosen("#files");
    const entry = resume ? (await openUploads({ endpoint }))[0] : undefined;
    this.watched = new Watched(new Upload(file, { endpoint, session, resume: entry, ...options }));
    this.watched.start();
  },

  /** Upload all files of the chosen folder in one queue. */
  async beginFolder(options = {}) {
    this.uploads = new Uploads({ endpoint, session, ...options });
    this.totals = [];
    this.uploads.on("progress", ({ uploadedBytes }) => this.totals.push(uploadedBytes));
    this.done = new Promise((resolve) => this.uploads.on("done", () => resolve(true)));
    const added = await this.uploads.add(document.querySelector("#folder").files);
    return added.length;
  },

  async folderReport() {
    await this.done;
    return [...this.uploads].map((upload) => ({
      path: upload.path,
      state: upload.state,
      uploadId: upload.progress.uploadId,
    }));
  },

  report() {
    return this.watched.report;
  },

  call(name) {
    return this.watched.upload[name]();
  },

  async remembered() {
    return (await openUploads({ endpoint })).map(({ handle: _handle, ...entry }) => entry);
  },

  forget,
};
document.title = "ready";
