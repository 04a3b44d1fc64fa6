/**
 * What an upload can be told. Types only.
 */

/**
 * @typedef {object} Seams what tests put in place of the browser's own
 * @property {import("./service.js").Fetch} [fetch]
 * @property {import("./putting.js").Put} [put]
 *
 * @typedef {object} OwnOptions
 * @property {import("./opening.js").SessionCall} session the page's call to its own backend
 * @property {string} [endpoint] the coordinator's address; by default the page's own origin
 * @property {string} [resumeKey] by default made from name, size, time and path
 * @property {import("./remembered.js").Entry} [resume] an open upload, from `openUploads`
 * @property {string} [path] the file's place in its folder
 * @property {FileSystemFileHandle} [handle] kept, so that the file need not be chosen again
 * @property {boolean} [remember] keep it in IndexedDB until it is over; by default true
 * @property {import("./budget.js").Budget} [budget] shared by several uploads
 * @property {number} [stallSeconds] a chunk that moves nothing for so long is sent again; 30
 * @property {number} [patienceSeconds] servers that answer with errors only are given up then; 300
 * @property {Seams} [seams]
 *
 * @typedef {OwnOptions & import("./budget.js").BudgetOptions} UploadOptions
 */

export {};
