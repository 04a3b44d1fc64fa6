-- Pipelines of several jobs: what a job waits for, how far it is, what it made, who gave it up.

ALTER TABLE jobs
  DROP CONSTRAINT jobs_state_check,
  DROP CONSTRAINT jobs_check,
  ADD CONSTRAINT jobs_state_check CHECK (
    state IN ('waiting', 'queued', 'running', 'succeeded', 'failed', 'skipped', 'cancelled')),
  ADD CONSTRAINT jobs_check CHECK (
    (finished_at IS NOT NULL) = (state IN ('succeeded', 'failed', 'skipped', 'cancelled'))),
  ADD COLUMN needs        uuid[] NOT NULL DEFAULT '{}', -- jobs of the same upload
  ADD COLUMN blocks       text,                -- why no job that needs this one may run; NULL: it may
  ADD COLUMN cancelled_by text,                -- the actor; the attempt at hand stops as soon as it looks
  ADD COLUMN done         bigint,              -- of `total`, as the job counts
  ADD COLUMN total        bigint,
  ADD COLUMN rows         bigint,              -- gone through by the attempt that succeeded
  ADD COLUMN queued_at    timestamptz NOT NULL DEFAULT clock_timestamp();
CREATE INDEX jobs_queued ON jobs (kind, queued_at) WHERE state = 'queued';
CREATE INDEX jobs_blocking ON jobs (upload_id) WHERE blocks IS NOT NULL;
CREATE INDEX jobs_newest ON jobs (created_at DESC, id DESC);

-- Objects that jobs made. Rows come with the success of their job: what a failed attempt wrote is no artifact.
CREATE TABLE artifacts (
  job_id     uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
  path       text NOT NULL,
  object_key text NOT NULL,
  size_bytes bigint NOT NULL CHECK (size_bytes >= 0),
  root       text NOT NULL,                    -- S3's composite checksum, as in manifests
  sha256     bytea NOT NULL CHECK (octet_length(sha256) = 32),
  media_type text NOT NULL,
  PRIMARY KEY (job_id, path)
);

-- What parts of a running job found: another attempt does not find it again. Gone when the job has ended.
CREATE TABLE job_pieces (
  job_id   uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
  task     bytea NOT NULL,                     -- hash of the function, its arguments and the cut
  position integer NOT NULL,
  result   bytea NOT NULL,
  PRIMARY KEY (job_id, task, position)
);
