/**
 * Which uploads are open, kept in IndexedDB over reloads and crashes.
 *
 * Rule: no token is kept, and what cannot be kept (private windows, full disks) fails no upload.
 */
export type Entry = {
    endpoint: string;
    uploadId: string;
    resumeKey: string;
    fileName: string;
    fileSize: number;
    fileType: string;
    lastModified: number | null;
    path: string;
    /**
     * RFC 3339
     */
    startedAt: string;
    /**
     * as of a few seconds before the page ended
     */
    uploadedBytes: number;
    /**
     * by which the browser may find the file again
     */
    handle?: FileSystemFileHandle;
};
/**
 * List the uploads that this browser began and that are not over.
 *
 * @param {{ endpoint?: string }} [where]
 * @returns {Promise<Entry[]>} the newest first
 */
export declare function openUploads({ endpoint }?: {
    endpoint?: string;
}): Promise<Entry[]>;
/**
 * Forget an upload. At the service it stays open until it expires: `cancel` ends it there, too.
 *
 * @param {{ endpoint?: string, uploadId: string }} entry
 * @returns {Promise<void>}
 */
export declare function forget({ endpoint, uploadId }: {
    endpoint?: string;
    uploadId: string;
}): Promise<void>;
/** Writes of one upload, one after the other: what is forgotten stays forgotten. */
export declare class Memory {
    #private;
    /** @param {Entry} entry */
    remember(entry: Entry): void;
    /** @param {{ endpoint: string, uploadId: string }} entry */
    forget(entry: {
        endpoint: string;
        uploadId: string;
    }): void;
}
