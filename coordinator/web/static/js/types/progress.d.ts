/**
 * How far an upload is, counted so that what is shown never runs backwards.
 */
export type Progress = {
    /**
     * null until the upload is open
     */
    uploadId: string | null;
    /**
     * bytes that S3 has or that are on the way; never goes down
     */
    uploadedBytes: number;
    hashedBytes: number;
    totalBytes: number;
    /**
     * of the last seconds; 0 while nothing moves
     */
    bytesPerSecond: number;
    /**
     * null while nobody can know
     */
    secondsLeft: number | null;
    chunks: {
        uploaded: number;
        total: number;
    };
};
/** The speed over the last ten seconds of movement, from a list of samples. */
export declare class Speed {
    #private;
    now: () => number;
    /** @param {() => number} now */
    constructor(now: () => number);
    /** @param {number} bytes that moved since the last call */
    moved(bytes: number): void;
    /** Forget the past, as after a pause: the time in between is no slowness. */
    restart(): void;
    get bytesPerSecond(): number;
}
/** Counts one upload. A chunk that has to be sent again takes nothing back from what was shown. */
export declare class Meter {
    #private;
    totalBytes: number;
    /** @type {string | null} */
    uploadId: string | null;
    totalChunks: number;
    speed: Speed;
    /**
     * @param {object} parts
     * @param {number} parts.totalBytes
     * @param {() => number} parts.now
     */
    constructor({ totalBytes, now }: {
        totalBytes: number;
        now: () => number;
    });
    /** @param {number} bytes */
    hashed(bytes: number): void;
    /**
     * So many bytes of a chunk have left this browser in its present attempt.
     *
     * @param {number} index
     * @param {number} bytes
     * @returns {number} how many more than was known
     */
    moving(index: number, bytes: number): number;
    /** @param {number} index a chunk whose attempt came to nothing */
    failed(index: number): void;
    /**
     * S3 has the chunk.
     *
     * @param {number} index
     * @param {number} bytes
     */
    arrived(index: number, bytes: number): void;
    /** @param {number} index a chunk that S3 has lost */
    lost(index: number): void;
    /** Count from nothing: another upload of the same file begins. What was shown stays. */
    reset(): void;
    /** @returns {Progress} */
    look(): Progress;
}
