/**
 * The files in what was chosen or dropped, folders walked through, each with its path.
 *
 * Rule: a drop's items are gone after its event, so all of them are taken before the first `await`.
 */
import { UploadError } from "./problems.js";
export type FoundFile = {
    file: File;
    /**
     * with `/`, from the folder that was chosen on; or the name
     */
    path: string;
    /**
     * by which the file can be found again after a reload
     */
    handle?: FileSystemFileHandle;
    /**
     * the open upload that it goes on with
     */
    resume?: import("./remembered.js").Entry;
};
export type Harvest = {
    files: FoundFile[];
    /**
     * folders and files that could not be opened
     */
    unreadable: UploadError[];
};
export type Given = File | FileSystemHandle | {
    file: File;
    path?: string;
    handle?: FileSystemFileHandle;
    resume?: import("./remembered.js").Entry;
};
export type Source = Iterable<Given> | FileList | DataTransferItemList | DataTransfer;
/**
 * @typedef {object} FoundFile
 * @property {File} file
 * @property {string} path with `/`, from the folder that was chosen on; or the name
 * @property {FileSystemFileHandle} [handle] by which the file can be found again after a reload
 * @property {import("./remembered.js").Entry} [resume] the open upload that it goes on with
 *
 * @typedef {object} Harvest
 * @property {FoundFile[]} files
 * @property {UploadError[]} unreadable folders and files that could not be opened
 *
 * @typedef {File | FileSystemHandle | { file: File, path?: string, handle?: FileSystemFileHandle,
 *   resume?: import("./remembered.js").Entry }} Given
 * @typedef {Iterable<Given> | FileList | DataTransferItemList | DataTransfer} Source
 */
/**
 * Find all files. Call it inside the event that brought them.
 *
 * @param {Source} source
 * @returns {Promise<Harvest>}
 */
export declare function filesOf(source: Source): Promise<Harvest>;
/**
 * Take one dropped item, at once; what is returned walks through it afterwards.
 *
 * @param {any} item
 * @returns {(harvest: Harvest) => Promise<void>}
 */
export declare function taking(item: any): (harvest: Harvest) => Promise<void>;
/**
 * @param {any} handle a FileSystemHandle
 * @param {string} path
 * @param {Harvest} harvest
 * @returns {Promise<void>}
 */
export declare function walkHandle(handle: any, path: string, harvest: Harvest): Promise<void>;
/**
 * @param {any} entry a FileSystemEntry
 * @param {string} path
 * @param {Harvest} harvest
 * @returns {Promise<void>}
 */
export declare function walkEntry(entry: any, path: string, harvest: Harvest): Promise<void>;
