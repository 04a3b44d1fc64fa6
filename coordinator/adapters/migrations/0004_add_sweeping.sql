-- What keeps uploads from being lost or left behind: sweeping, autoComplete, who owns the prefix.

ALTER TABLE uploads
  ADD COLUMN late_checksum text,                           -- what complete declared; init's alone finds twins
  ADD COLUMN given_sha256   bytea,                         -- what init declared, while complete declares more:
  ADD COLUMN given_root     text,                          -- an upload that is opened again has these back
  ADD COLUMN auto_complete boolean NOT NULL DEFAULT false, -- the last report commits the intent
  ADD COLUMN looked_at     timestamptz,                    -- when S3 was last asked for a missed last report
  ADD COLUMN swept_at      timestamptz;                    -- FAILED, and S3 holds nothing of it any more
CREATE INDEX uploads_unswept ON uploads (finished_at) WHERE phase = 'FAILED' AND swept_at IS NULL;
CREATE INDEX uploads_automatic ON uploads (looked_at) WHERE auto_complete AND phase IN ('INIT', 'UPLOADING');
CREATE INDEX uploads_leased ON uploads (lease_until) WHERE phase = 'ASSEMBLING';
CREATE INDEX uploads_multipart ON uploads (multipart_id) WHERE phase IN ('INIT', 'UPLOADING', 'ASSEMBLING');

-- What is done by one worker at a time, now and then. A worker claims a duty by moving its date.
CREATE TABLE duties (
  name   text PRIMARY KEY,
  due_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- One row: this installation. The marker object in the bucket holds the same id.
CREATE TABLE installation (
  is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
  id      uuid NOT NULL
);

-- What a bucket turned out to enforce when it was last probed.
CREATE TABLE capabilities (
  endpoint  text NOT NULL,
  bucket    text NOT NULL,
  lacking   text[] NOT NULL,
  probed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (endpoint, bucket)
);
