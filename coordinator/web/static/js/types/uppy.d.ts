/**
 * An uploader for @uppy/core 6: Uppy's Dashboard in front, these checksums, parallel chunks and
 * resume behind it. It imports nothing of Uppy, so that it serves with any bundler, and none.
 */
export type UppySessionRequest = import("./opening.js").SessionRequest & {
    meta: Record<string, unknown>;
};
export type OwnUppyOptions = {
    /**
     * by default `Coordinator`
     */
    id?: string;
    /**
     *   as everywhere, and told the file's `meta`, too
     */
    session: (request: UppySessionRequest) => Promise<import("./opening.js").Session> | import("./opening.js").Session;
};
export type UppyOptions = OwnUppyOptions & Omit<import("./uploads.js").UploadsOptions, "session" | "autoStart">;
export type Uppy = any;
export type UppyFile = any;
/**
 * @typedef {import("./opening.js").SessionRequest & { meta: Record<string, unknown> }} UppySessionRequest
 *
 * @typedef {object} OwnUppyOptions
 * @property {string} [id] by default `Coordinator`
 * @property {(request: UppySessionRequest) => Promise<import("./opening.js").Session> | import("./opening.js").Session} session
 *   as everywhere, and told the file's `meta`, too
 *
 * @typedef {OwnUppyOptions & Omit<import("./uploads.js").UploadsOptions, "session" | "autoStart">} UppyOptions
 *
 * @typedef {any} Uppy of @uppy/core
 * @typedef {any} UppyFile
 */
/** `uppy.use(CoordinatorUploader, { session })` */
export default class CoordinatorUploader {
    #private;
    uppy: any;
    opts: UppyOptions;
    id: string;
    static VERSION: string;
    type: string;
    VERSION: string;
    defaultLocale: {
        strings: {};
    };
    /**
     * @param {Uppy} uppy
     * @param {UppyOptions} opts
     */
    constructor(uppy: Uppy, opts: UppyOptions);
    install(): void;
    uninstall(): void;
    /** Uppy calls these of every plugin; an uploader shows nothing. */
    update(): void;
    afterUpdate(): void;
    i18nInit(): void;
    /** @param {string} key */
    i18n(key: string): string;
    /** @param {string} key */
    i18nArray(key: string): string[];
    /** @returns {never} */
    addTarget(): never;
    getPluginState(): any;
    /** @param {Record<string, unknown>} [update] */
    setPluginState(update?: Record<string, unknown>): void;
    /** @param {Partial<UppyOptions>} [options] for files that are added afterwards */
    setOptions(options?: Partial<UppyOptions>): void;
}
export { CoordinatorUploader };
