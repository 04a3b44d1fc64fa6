-- Who may do what, and how much: roles of keys, limits and usage of tenants, retention, erasure, audit.

ALTER TABLE api_keys
  ADD COLUMN roles        text[] NOT NULL DEFAULT '{uploader}'
             CHECK (roles <@ ARRAY['uploader', 'viewer', 'operator', 'admin']),
  ADD COLUMN created_by   text,                -- the actor; NULL: an older release made it
  ADD COLUMN last_used_at timestamptz,         -- to the minute
  ADD COLUMN replaced_by  text;                -- the key that it was rotated to
CREATE INDEX api_keys_of_tenant ON api_keys (tenant, created_at, id);

ALTER TABLE uploads
  ADD COLUMN hold          text,               -- the case for which it must be kept; NULL: none
  ADD COLUMN erasing_since timestamptz,        -- nobody sees it any more; a worker removes the rest
  ADD COLUMN erasure_id    uuid,               -- the erasure that hid it, and whose report gets `found`
  ADD COLUMN found         jsonb,              -- counts, written before the first thing is removed
  ADD COLUMN archived_at   timestamptz,        -- tagged for the bucket's lifecycle to move
  ADD COLUMN detected_type text;               -- what the object's first bytes say
CREATE INDEX uploads_kept ON uploads (tenant, finished_at) WHERE phase = 'COMPLETED' AND erasing_since IS NULL;
CREATE INDEX uploads_of_user ON uploads (tenant, user_id);
CREATE INDEX uploads_erasing ON uploads (erasure_id) WHERE erasing_since IS NOT NULL;

-- What a tenant may do. NULL: as the tenant '*' has it; NULL there: without limit.
CREATE TABLE quotas (
  tenant          text PRIMARY KEY,
  open_uploads    bigint CHECK (open_uploads >= 0),
  bytes_a_day     bigint CHECK (bytes_a_day >= 0),  -- of uploads opened since 00:00 UTC, the FAILED ones not
  stored_bytes    bigint CHECK (stored_bytes >= 0), -- of uploads that are open or COMPLETED
  largest_file    bigint CHECK (largest_file >= 0),
  chunks_a_second bigint CHECK (chunks_a_second > 0),
  file_types      text[],                           -- text/csv, image/*
  type_check      text CHECK (type_check IN ('off', 'note', 'refuse')),
  updated_at      timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- What a tenant uses, and what it used day by day. Counted by the trigger below and by nobody else, so that
-- no path of the code, and no older release beside this one, can forget it.
CREATE TABLE usage (
  tenant       text PRIMARY KEY,
  open_uploads bigint NOT NULL DEFAULT 0,
  stored_bytes bigint NOT NULL DEFAULT 0,
  day          date NOT NULL,
  day_bytes    bigint NOT NULL DEFAULT 0
);
CREATE TABLE statistics (
  tenant    text NOT NULL,
  day       date NOT NULL,                     -- UTC
  user_id   text NOT NULL,                     -- '' once the user was erased
  file_type text NOT NULL,                     -- without parameters, lower case
  opened    bigint NOT NULL DEFAULT 0,
  completed bigint NOT NULL DEFAULT 0,
  failed    bigint NOT NULL DEFAULT 0,
  bytes     bigint NOT NULL DEFAULT 0,         -- of the completed ones
  PRIMARY KEY (tenant, day, user_id, file_type)
);

CREATE FUNCTION day_of(p_at timestamptz) RETURNS date LANGUAGE sql IMMUTABLE
  RETURN (p_at AT TIME ZONE 'UTC')::date;

INSERT INTO usage (tenant, open_uploads, stored_bytes, day, day_bytes)
SELECT tenant, count(*) FILTER (WHERE phase NOT IN ('COMPLETED', 'FAILED')),
       coalesce(sum(size_bytes) FILTER (WHERE phase <> 'FAILED'), 0), day_of(clock_timestamp()),
       coalesce(sum(size_bytes) FILTER (WHERE phase <> 'FAILED' AND day_of(created_at) = day_of(clock_timestamp())), 0)
  FROM uploads GROUP BY tenant;
INSERT INTO statistics (tenant, day, user_id, file_type, opened)
SELECT tenant, day_of(created_at), user_id, lower(trim(split_part(file_type, ';', 1))), count(*)
  FROM uploads GROUP BY 1, 2, 3, 4;
INSERT INTO statistics AS kept (tenant, day, user_id, file_type, completed, failed, bytes)
SELECT tenant, day_of(finished_at), user_id, lower(trim(split_part(file_type, ';', 1))),
       count(*) FILTER (WHERE phase = 'COMPLETED'), count(*) FILTER (WHERE phase = 'FAILED'),
       coalesce(sum(size_bytes) FILTER (WHERE phase = 'COMPLETED'), 0)
  FROM uploads WHERE finished_at IS NOT NULL GROUP BY 1, 2, 3, 4
ON CONFLICT (tenant, day, user_id, file_type) DO UPDATE
   SET completed = excluded.completed, failed = excluded.failed, bytes = excluded.bytes;

-- One row a tenant, locked until the transaction ends: whoever opens an upload reads it afterwards, so that
-- two who race see each other's.
CREATE FUNCTION count_usage(
  p_tenant text, p_open bigint, p_stored bigint, p_day date, p_bytes bigint
) RETURNS void LANGUAGE sql VOLATILE AS $$
  INSERT INTO usage AS kept (tenant, open_uploads, stored_bytes, day, day_bytes)
  VALUES (p_tenant, p_open, p_stored, p_day, p_bytes)
  ON CONFLICT (tenant) DO UPDATE
     SET open_uploads = kept.open_uploads + p_open,
         stored_bytes = kept.stored_bytes + p_stored,
         day = greatest(kept.day, p_day),
         day_bytes = CASE WHEN p_day > kept.day THEN p_bytes
                          WHEN p_day = kept.day THEN kept.day_bytes + p_bytes
                          ELSE kept.day_bytes END
$$;

CREATE FUNCTION count_upload() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  v_row       uploads := coalesce(NEW, OLD);
  v_opened    bigint := 0;
  v_completed bigint := 0;
  v_failed    bigint := 0;
BEGIN
  IF TG_OP = 'INSERT' THEN
    PERFORM count_usage(v_row.tenant, 1, v_row.size_bytes, day_of(v_row.created_at), v_row.size_bytes);
    v_opened := 1;
  ELSIF TG_OP = 'DELETE' THEN
    IF OLD.phase <> 'FAILED' THEN
      PERFORM count_usage(v_row.tenant, CASE WHEN OLD.phase = 'COMPLETED' THEN 0 ELSE -1 END,
                          -v_row.size_bytes, day_of(v_row.created_at), 0);
    END IF;
    RETURN NULL;
  ELSIF NEW.phase = 'COMPLETED' THEN
    PERFORM count_usage(v_row.tenant, -1, 0, day_of(v_row.created_at), 0);
    v_completed := 1;
  ELSE
    PERFORM count_usage(v_row.tenant, -1, -v_row.size_bytes, day_of(v_row.created_at), -v_row.size_bytes);
    v_failed := 1;
  END IF;
  INSERT INTO statistics AS kept (tenant, day, user_id, file_type, opened, completed, failed, bytes)
  VALUES (v_row.tenant, day_of(clock_timestamp()), v_row.user_id,
          lower(trim(split_part(v_row.file_type, ';', 1))), v_opened, v_completed, v_failed,
          v_completed * v_row.size_bytes)
  ON CONFLICT (tenant, day, user_id, file_type) DO UPDATE
     SET opened = kept.opened + v_opened, completed = kept.completed + v_completed,
         failed = kept.failed + v_failed, bytes = kept.bytes + v_completed * v_row.size_bytes;
  RETURN NULL;
END
$$;
CREATE TRIGGER uploads_count_opened AFTER INSERT OR DELETE ON uploads
  FOR EACH ROW EXECUTE FUNCTION count_upload();
CREATE TRIGGER uploads_count_ended AFTER UPDATE OF phase ON uploads
  FOR EACH ROW WHEN (OLD.phase <> NEW.phase AND NEW.phase IN ('COMPLETED', 'FAILED'))
  EXECUTE FUNCTION count_upload();

-- How long objects are kept, by purpose; '*': every other purpose.
CREATE TABLE retention (
  tenant     text NOT NULL,
  purpose    text NOT NULL,
  after_days integer NOT NULL CHECK (after_days > 0),
  action     text NOT NULL CHECK (action IN ('delete', 'archive')),
  PRIMARY KEY (tenant, purpose)
);

-- Which rule applies to which upload now: the one for its purpose, else '*'. now() and not the clock
-- itself, so that the index ends the search.
CREATE VIEW retention_due AS
SELECT r.tenant, r.purpose, r.action, u.id AS upload_id
  FROM retention AS r JOIN uploads AS u ON u.tenant = r.tenant
 WHERE u.phase = 'COMPLETED' AND u.erasing_since IS NULL AND u.hold IS NULL
   AND u.finished_at <= now() - make_interval(days => r.after_days)
   AND (r.action = 'delete' OR u.archived_at IS NULL)
   AND (r.purpose = coalesce(u.metadata->>'purpose', 'archive')
        OR r.purpose = '*' AND NOT EXISTS (
             SELECT FROM retention AS own
              WHERE own.tenant = r.tenant
                AND own.purpose = coalesce(u.metadata->>'purpose', 'archive')));

-- What was asked to be erased: one upload, or all that is a user's. The report outlives both.
CREATE TABLE erasures (
  id           uuid PRIMARY KEY,
  tenant       text NOT NULL,
  upload_id    uuid,
  user_id      text,                           -- NULL once the person is erased
  cause        text NOT NULL CHECK (cause IN ('request', 'retention')),
  is_dry_run   boolean NOT NULL DEFAULT false,
  requested_by text NOT NULL,
  requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  lease_until  timestamptz,                    -- nobody else goes on with it before
  finished_at  timestamptz,
  report       jsonb NOT NULL DEFAULT '{}',
  CHECK (upload_id IS NULL OR user_id IS NULL)
);
CREATE INDEX erasures_due ON erasures (lease_until NULLS FIRST, requested_at) WHERE finished_at IS NULL;
CREATE INDEX erasures_of_tenant ON erasures (tenant, requested_at DESC, id DESC);
CREATE INDEX erasures_of_user ON erasures (tenant, user_id) WHERE user_id IS NOT NULL;
-- Whoever asks again while it is under way gets the same one.
CREATE UNIQUE INDEX erasures_one_of_upload ON erasures (tenant, upload_id, is_dry_run) WHERE finished_at IS NULL;
CREATE UNIQUE INDEX erasures_one_of_user ON erasures (tenant, user_id, is_dry_run) WHERE finished_at IS NULL;

-- People in the audit are pseudonyms of a key of their own: without the key nobody can tell who it was.
CREATE TABLE pseudonyms (
  tenant  text NOT NULL,
  user_id text NOT NULL,
  key     bytea NOT NULL CHECK (octet_length(key) = 32),
  PRIMARY KEY (tenant, user_id)
);
CREATE FUNCTION pseudonym_of(p_tenant text, p_user text) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_key bytea := (SELECT key FROM pseudonyms WHERE tenant = p_tenant AND user_id = p_user);
BEGIN
  IF v_key IS NULL THEN
    INSERT INTO pseudonyms (tenant, user_id, key)
    VALUES (p_tenant, p_user, uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
    ON CONFLICT DO NOTHING;
    v_key := (SELECT key FROM pseudonyms WHERE tenant = p_tenant AND user_id = p_user);
  END IF;
  RETURN 'usr_' || left(encode(sha256(v_key || convert_to(p_user, 'UTF8')), 'hex'), 32);
END
$$;

ALTER TABLE audit ADD COLUMN subject text;     -- whom it was about: a pseudonym
CREATE INDEX audit_of_tenant ON audit (tenant, id);

-- The hash chain, one a tenant, appended by a worker. It refers to no row of audit by constraint: it must
-- outlive a row that somebody removed, to say which.
CREATE TABLE audit_chain (
  tenant     text NOT NULL,
  position   bigint NOT NULL CHECK (position > 0),
  audit_id   bigint NOT NULL UNIQUE,
  hash       bytea NOT NULL CHECK (octet_length(hash) = 32),
  chained_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (tenant, position)
);

-- How far each chain has come, and how far the bucket has been told. Of no worth as proof: the bucket's copy is.
CREATE TABLE audit_heads (
  tenant   text PRIMARY KEY,
  position bigint NOT NULL,
  exported bigint NOT NULL DEFAULT 0
);
CREATE INDEX audit_heads_due ON audit_heads (tenant) WHERE exported < position;

-- Roles that services and workers run as: whoever migrates grants them what they need, and no more.
CREATE TABLE service_roles (
  name text PRIMARY KEY
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_chain_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_chain
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
