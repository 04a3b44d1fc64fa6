/**
 * Uploads files from a browser straight to S3, by a coordinator that signs and proves.
 *
 * This is the whole public interface; modules that are not named here may change.
 *
 * @module coordinator.js
 */
export { Budget } from "./budget.js";
export { UploadError } from "./problems.js";
export { forget, openUploads } from "./remembered.js";
export { Upload } from "./upload.js";
export { Uploads } from "./uploads.js";
