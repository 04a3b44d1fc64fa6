/**
 * From the last chunk to COMPLETED.
 */
import { UploadError } from "./problems.js";
export type Result = {
    uploadId: string;
    fileName: string;
    fileSize: number;
    /**
     * S3's composite checksum, which the service has proven
     */
    root: string | null;
    checksum: string | null;
    jobs: {
        jobId: string;
        kind: string;
        status: string;
    }[];
    filePath: string | null;
    /**
     * it was completed before; nothing was sent
     */
    alreadyUploaded: boolean;
};
/**
 * @typedef {object} Result
 * @property {string} uploadId
 * @property {string} fileName
 * @property {number} fileSize
 * @property {string | null} root S3's composite checksum, which the service has proven
 * @property {string | null} checksum
 * @property {{ jobId: string, kind: string, status: string }[]} jobs
 * @property {string | null} filePath
 * @property {boolean} alreadyUploaded it was completed before; nothing was sent
 */
/**
 * Complete the upload; repeating it is harmless.
 *
 * @param {import("./service.js").Service} service
 * @param {string} uploadId
 * @param {AbortSignal} signal
 * @returns {Promise<any>} the service's answer
 */
export declare function complete(service: import("./service.js").Service, uploadId: string, signal: AbortSignal): Promise<any>;
/**
 * @param {any} answer
 * @param {{ fileName: string, fileSize: number, alreadyUploaded: boolean }} about
 * @returns {Result}
 */
export declare function resultOf(answer: any, { fileName, fileSize, alreadyUploaded }: {
    fileName: string;
    fileSize: number;
    alreadyUploaded: boolean;
}): Result;
/**
 * Say of an upload that ended elsewhere why it did; any other error stays what it is.
 *
 * @param {unknown} error
 */
export declare function explained(error: unknown): unknown;
/**
 * @param {unknown} reason
 * @param {unknown} [cause]
 */
export declare function endedElsewhere(reason: unknown, cause?: unknown): UploadError;
/**
 * Tell whether sending was overtaken: somebody else, such as another tab, has all chunks there.
 *
 * @param {unknown} error
 */
export declare function isOvertaken(error: unknown): boolean;
