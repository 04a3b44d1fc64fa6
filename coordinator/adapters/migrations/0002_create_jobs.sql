-- What the API shows of jobs. The queue beside it (procrastinate's tables) may run an entry twice:
-- `attempt` lets only the current attempt write.

CREATE TABLE jobs (
  id          uuid PRIMARY KEY,                -- made from upload, kind and parameters
  upload_id   uuid NOT NULL REFERENCES uploads,
  kind        text NOT NULL,
  parameters  jsonb NOT NULL DEFAULT '{}',
  position    integer NOT NULL,
  state       text NOT NULL DEFAULT 'queued'
              CHECK (state IN ('queued', 'running', 'succeeded', 'failed')),
  attempt     integer NOT NULL DEFAULT 0,
  result      jsonb,
  error_code  text,
  created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  started_at  timestamptz,
  finished_at timestamptz,
  UNIQUE (upload_id, kind, parameters),
  CHECK ((finished_at IS NOT NULL) = (state IN ('succeeded', 'failed')))
);
CREATE INDEX jobs_of_upload ON jobs (upload_id, position);
CREATE INDEX jobs_measured ON jobs (kind, finished_at DESC) WHERE state = 'succeeded';
