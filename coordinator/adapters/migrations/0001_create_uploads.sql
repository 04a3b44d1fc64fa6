-- Uploads, what was signed for them, and what came of them. Postgres is the truth.

CREATE TABLE uploads (
  id              uuid PRIMARY KEY,
  tenant          text NOT NULL,
  user_id         text NOT NULL,
  bucket          text NOT NULL,
  region          text NOT NULL,
  object_key      text NOT NULL,
  file_name       text NOT NULL,
  file_type       text NOT NULL,
  size_bytes      bigint NOT NULL CHECK (size_bytes >= 0),
  chunk_bytes     bigint NOT NULL CHECK (chunk_bytes > 0),
  checksum        text,                       -- as the client declared it
  declared_sha256 bytea CHECK (octet_length(declared_sha256) = 32),
  declared_root   text,
  metadata        jsonb NOT NULL DEFAULT '{}',
  phase           text NOT NULL DEFAULT 'INIT'
                  CHECK (phase IN ('INIT', 'UPLOADING', 'ASSEMBLING', 'COMPLETED', 'FAILED')),
  reason          text,
  generation      integer NOT NULL DEFAULT 1,  -- counts the multiparts that S3 has had of it
  multipart_id    text,                        -- S3's id of this generation's multipart
  token           text NOT NULL,               -- in the object's metadata: the proof that it is ours
  intent          text CHECK (intent IN ('complete', 'abort', 'expire')),
  attempt         integer NOT NULL DEFAULT 0,  -- fences whoever held the lease before
  lease_until     timestamptz,
  assembled_at    timestamptz,                 -- S3 holds the object; its whole sha256 is being read
  created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  deadline        timestamptz NOT NULL,
  finished_at     timestamptz,
  CHECK ((finished_at IS NOT NULL) = (phase IN ('COMPLETED', 'FAILED'))),
  CHECK ((reason IS NOT NULL) = (phase = 'FAILED')),
  CHECK ((intent IS NOT NULL) = (phase = 'ASSEMBLING')),
  CHECK (lease_until IS NULL OR phase = 'ASSEMBLING')
);

-- The same owner's same file is one open upload: init finds it by this, races included.
CREATE UNIQUE INDEX uploads_one_open ON uploads (tenant, user_id, file_name, size_bytes, checksum)
  WHERE checksum IS NOT NULL AND phase IN ('INIT', 'UPLOADING', 'ASSEMBLING');
CREATE INDEX uploads_newest ON uploads (tenant, created_at DESC, id DESC);
CREATE INDEX uploads_open ON uploads (deadline) WHERE phase IN ('INIT', 'UPLOADING', 'ASSEMBLING');

-- One row a batch, never changed. An index stands in one row only: the first digest is final.
CREATE TABLE signings (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  upload_id   uuid NOT NULL REFERENCES uploads,
  generation  integer NOT NULL,
  first_index integer NOT NULL,
  last_index  integer NOT NULL,
  indexes     integer[] NOT NULL,
  digests     bytea[] NOT NULL,
  signed_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  CHECK (cardinality(indexes) = cardinality(digests))
);
ALTER TABLE signings ALTER COLUMN digests SET STORAGE EXTERNAL; -- digests do not compress
CREATE INDEX signings_of_upload ON signings (upload_id, last_index);

-- Fix the digests of chunks, or name those that were fixed to another digest before.
--
-- Volatile, and reading after the lock in a statement of its own: its snapshot is then younger than the
-- wait for the lock. (One INSERT .. SELECT with NOT EXISTS let two racing requests store different digests.)
-- Writes nothing when the upload cannot be signed or a digest conflicts; the caller reads which from the row.
CREATE FUNCTION sign_chunks(
  p_id uuid, p_tenant text, p_user text, p_indexes integer[], p_digests bytea[],
  OUT upload uploads, OUT as_of timestamptz, OUT conflicts integer[]
) RETURNS SETOF record LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_first integer := (SELECT min(i) FROM unnest(p_indexes) AS i);
  v_last  integer := (SELECT max(i) FROM unnest(p_indexes) AS i);
  v_known integer[];
BEGIN
  SELECT u.* INTO upload FROM uploads AS u
   WHERE u.id = p_id AND u.tenant = p_tenant AND (p_user IS NULL OR u.user_id = p_user)
     FOR UPDATE;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  as_of := clock_timestamp();
  conflicts := '{}';
  IF upload.phase NOT IN ('INIT', 'UPLOADING') OR as_of >= upload.deadline
     OR v_first < 0 OR v_last * upload.chunk_bytes > greatest(upload.size_bytes - 1, 0) THEN
    RETURN NEXT;
    RETURN;
  END IF;

  SELECT coalesce(array_agg(asked.index), '{}'),
         coalesce(array_agg(asked.index ORDER BY asked.index) FILTER (WHERE known.digest <> asked.digest), '{}')
    INTO v_known, conflicts
    FROM unnest(p_indexes, p_digests) AS asked (index, digest)
    JOIN (SELECT k.index, k.digest
            FROM signings AS s, unnest(s.indexes, s.digests) AS k (index, digest)
           WHERE s.upload_id = p_id AND s.first_index <= v_last AND s.last_index >= v_first
         ) AS known ON known.index = asked.index;
  IF cardinality(conflicts) = 0 THEN
    INSERT INTO signings (upload_id, generation, first_index, last_index, indexes, digests)
    SELECT p_id, upload.generation, min(asked.index), max(asked.index),
           array_agg(asked.index ORDER BY asked.index), array_agg(asked.digest ORDER BY asked.index)
      FROM unnest(p_indexes, p_digests) AS asked (index, digest)
     WHERE asked.index <> ALL (v_known)
    HAVING count(*) > 0;
    IF upload.phase = 'INIT' THEN
      UPDATE uploads AS u SET phase = 'UPLOADING', updated_at = as_of WHERE u.id = p_id;
    END IF;
  END IF;
  RETURN NEXT;
END
$$;

-- A completed upload's manifest; digests packed, 32 bytes a chunk in order.
CREATE TABLE manifests (
  upload_id  uuid PRIMARY KEY REFERENCES uploads,
  digests    bytea NOT NULL CHECK (octet_length(digests) % 32 = 0),
  root       text NOT NULL,
  sha256     bytea CHECK (octet_length(sha256) = 32),
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
ALTER TABLE manifests ALTER COLUMN digests SET STORAGE EXTERNAL; -- digests do not compress

-- Idempotency-Key to upload, for 24 hours.
CREATE TABLE idempotency_keys (
  tenant      text NOT NULL,
  user_id     text NOT NULL,
  key         text NOT NULL,
  body_sha256 bytea NOT NULL,
  upload_id   uuid NOT NULL REFERENCES uploads DEFERRABLE INITIALLY DEFERRED,
  created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (tenant, user_id, key)
);
