/**
 * One side of `make bench-browser`: `race()` uploads the chosen file and says how many milliseconds
 * that took, from the wish to the completed object. `?side=ours|uppy`, `?endpoint=` who signs.
 */

const query = new URLSearchParams(location.search);
const endpoint = query.get("endpoint");

async function session(asked) {
  const answer = await fetch("/session", { method: "POST", body: JSON.stringify(asked) });
  return answer.json();
}

const SIDES = {
  async ours() {
    const { Upload } = await import("/js/coordinator.js");
    // A key of its own for each lap: by the file's, the second would find the first, and send nothing.
    return async (file) => {
      const { alreadyUploaded } = await new Upload(file, { endpoint, session, resumeKey: crypto.randomUUID() }).start();
      if (alreadyUploaded) throw new Error("Nothing was sent.");
    };
  },
  async uppy() {
    const { racing } = await import("/builds/uppy-aws-s3.js");
    return racing(endpoint);
  },
};

const upload = await SIDES[query.get("side")]();

window.race = async () => {
  const [file] = document.querySelector("#files").files;
  const start = performance.now();
  await upload(file);
  return performance.now() - start;
};
document.title = "ready";
