-- What happened to uploads and jobs, for whoever listens; written only where a sink wants it.

-- It refers to no upload by constraint: that one was erased is told after its row has gone.
CREATE TABLE events (
  id         uuid PRIMARY KEY,                 -- made from what happened
  tenant     text NOT NULL,
  upload_id  uuid NOT NULL,
  type       text NOT NULL,
  source     text NOT NULL,
  body       jsonb NOT NULL,                   -- the `data` of the CloudEvent
  trace      text,                             -- W3C traceparent of what made it happen
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX events_of_upload ON events (upload_id);
CREATE INDEX events_of_tenant ON events (tenant, created_at DESC, id DESC);

-- One row an event and sink that wants it. Whoever sends it counts an attempt and moves next_at on before, so
-- that nobody else does until then; if he dies, it is due again.
CREATE TABLE deliveries (
  event_id     uuid NOT NULL REFERENCES events,
  sink         text NOT NULL,                  -- its name in settings
  state        text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'dead')),
  attempt      integer NOT NULL DEFAULT 0,
  made_before  integer NOT NULL DEFAULT 0,      -- attempts before an operator had it tried again
  last_error   text,                           -- a code
  next_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  delivered_at timestamptz,
  PRIMARY KEY (event_id, sink),
  CHECK ((delivered_at IS NOT NULL) = (state = 'delivered'))
);
CREATE INDEX deliveries_due ON deliveries (sink, next_at) WHERE state = 'waiting';
