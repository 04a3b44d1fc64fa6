-- API keys: a keyed hash, never the key.
CREATE TABLE api_keys (
  id         text PRIMARY KEY,                 -- ck_…, the part of the key that is no secret
  hash       bytea NOT NULL,
  name       text NOT NULL,
  tenant     text NOT NULL,
  user_id    text NOT NULL,
  scopes     text[] NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at timestamptz,
  revoked_at timestamptz
);

-- Append-only, ids only.
CREATE TABLE audit (
  id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at        timestamptz NOT NULL DEFAULT clock_timestamp(),
  tenant    text NOT NULL,
  actor     text NOT NULL,                     -- an API key's id, or the process that acted
  action    text NOT NULL,
  upload_id uuid,
  facts     jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_of_upload ON audit (upload_id);
