-- Trainings that jobs handed to somebody else: asked for, or told by the trainer, until they are over.

CREATE TABLE trainings (
  job_id      uuid PRIMARY KEY REFERENCES jobs ON DELETE CASCADE,
  upload_id   uuid NOT NULL,
  trainer     text,                            -- its name in settings; NULL: only called back so far
  external_id text,                            -- the trainer's own name of it
  status      text NOT NULL CHECK (
    status IN ('submitted', 'running', 'succeeded', 'failed', 'cancelled', 'unknown')),
  model       text,                            -- what came of it
  detail      text,
  begun_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  checked_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  finished_at timestamptz,
  CHECK ((finished_at IS NOT NULL) = (status IN ('succeeded', 'failed', 'cancelled', 'unknown')))
);
CREATE INDEX trainings_due ON trainings (checked_at) WHERE finished_at IS NULL;
-- Jobs whose training has no row yet.
CREATE INDEX jobs_submitted ON jobs (finished_at)
 WHERE kind = 'trigger_fine_tuning' AND state = 'succeeded';
