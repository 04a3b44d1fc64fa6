/**
 * The media type to declare: the browser's, or one by the name's end where the browser knows none.
 */

/** @type {Record<string, string>} */
const TYPES = {
  csv: "text/csv",
  gz: "application/gzip",
  json: "application/json",
  jsonl: "application/x-ndjson",
  md: "text/markdown",
  ndjson: "application/x-ndjson",
  parquet: "application/vnd.apache.parquet",
  tsv: "text/tab-separated-values",
  txt: "text/plain",
  yaml: "application/yaml",
  yml: "application/yaml",
  zst: "application/zstd",
};
const UNKNOWN = "application/octet-stream";
const FORM = /^[A-Za-z0-9!#$&^_.+-]{1,64}\/[A-Za-z0-9!#$&^_.+-]{1,64}(;[ -~]{0,64})?$/;

/**
 * Tables come first: what Windows calls a csv file (`application/vnd.ms-excel`) is not what it is.
 *
 * @param {string} name
 * @param {string} told by the browser, or empty
 */
export function mediaTypeOf(name, told) {
  const known = TYPES[endOf(name)];
  return known ?? (FORM.test(told) ? told : UNKNOWN);
}

/**
 * @param {string} name
 * @returns {string} the name's end without its dot, in lower case
 */
export function endOf(name) {
  return /\.([A-Za-z0-9]{1,12})$/.exec(name)?.[1].toLowerCase() ?? "";
}
