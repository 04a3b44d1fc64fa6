/**
 * SHA-256 (FIPS 180-4), piece by piece: for chunks too large to be in memory at once, and for pages
 * without WebCrypto (plain http). WebCrypto is several times faster and is used wherever it can be.
 */
/** A digest that is fed; `finish` once. */
export declare class Sha256 {
    #private;
    /** @param {Uint8Array} data */
    update(data: Uint8Array): void;
    /** @returns {Uint8Array<ArrayBuffer>} 32 bytes */
    finish(): Uint8Array<ArrayBuffer>;
}
