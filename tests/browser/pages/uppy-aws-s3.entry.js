/** Uppy with its own way to S3, as its manual says, with chunks of the size that ours has. */

import Uppy from "@uppy/core";
import AwsS3 from "@uppy/aws-s3";

const CHUNK_BYTES = 8 * 1024 * 1024;

/** Return what uploads a file by the Companion at `companionEndpoint`, or throws. */
export function racing(companionEndpoint) {
  const uppy = new Uppy();
  uppy.use(AwsS3, { companionEndpoint, shouldUseMultipart: true, getChunkSize: () => CHUNK_BYTES });
  return async (file) => {
    uppy.addFile({ name: file.name, type: file.type, data: file });
    const { failed } = await uppy.upload();
    if (failed.length) throw new Error(failed[0].error);
  };
}
