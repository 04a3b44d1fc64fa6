/** Uppy and its Dashboard from npm, untouched; our plugin is no part of this bundle. */

import "@uppy/core/css/style.min.css";
import "@uppy/dashboard/css/style.min.css";

export { default as Uppy } from "@uppy/core";
export { default as Dashboard } from "@uppy/dashboard";
