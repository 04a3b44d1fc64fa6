-- The index of vectors. Run whenever this file is new to the database and the server has pgvector;
-- every statement may run again. Nothing else may need these tables: a server may not have them.

CREATE EXTENSION IF NOT EXISTS vector;

-- `edition` tells the vectors of one run of a job from those before: a hash of what was indexed.
CREATE TABLE IF NOT EXISTS embedded_rows (
  upload_id  uuid NOT NULL REFERENCES uploads,
  row_number bigint NOT NULL,
  tenant     text NOT NULL,
  user_id    text NOT NULL,
  model      text NOT NULL,
  dimensions integer NOT NULL,
  edition    uuid NOT NULL,
  text       text NOT NULL,
  vector     halfvec NOT NULL,
  PRIMARY KEY (upload_id, row_number),
  CHECK (vector_dims(vector) = dimensions)
);
CREATE INDEX IF NOT EXISTS embedded_rows_of_owner ON embedded_rows (tenant, user_id);

-- One index a number of dimensions, of the rows that have so many. A search names both literally.
CREATE INDEX IF NOT EXISTS embedded_rows_64 ON embedded_rows
  USING hnsw ((vector::halfvec(64)) halfvec_cosine_ops) WHERE dimensions = 64;
CREATE INDEX IF NOT EXISTS embedded_rows_128 ON embedded_rows
  USING hnsw ((vector::halfvec(128)) halfvec_cosine_ops) WHERE dimensions = 128;
CREATE INDEX IF NOT EXISTS embedded_rows_256 ON embedded_rows
  USING hnsw ((vector::halfvec(256)) halfvec_cosine_ops) WHERE dimensions = 256;
CREATE INDEX IF NOT EXISTS embedded_rows_384 ON embedded_rows
  USING hnsw ((vector::halfvec(384)) halfvec_cosine_ops) WHERE dimensions = 384;
CREATE INDEX IF NOT EXISTS embedded_rows_512 ON embedded_rows
  USING hnsw ((vector::halfvec(512)) halfvec_cosine_ops) WHERE dimensions = 512;
CREATE INDEX IF NOT EXISTS embedded_rows_768 ON embedded_rows
  USING hnsw ((vector::halfvec(768)) halfvec_cosine_ops) WHERE dimensions = 768;
CREATE INDEX IF NOT EXISTS embedded_rows_1024 ON embedded_rows
  USING hnsw ((vector::halfvec(1024)) halfvec_cosine_ops) WHERE dimensions = 1024;
CREATE INDEX IF NOT EXISTS embedded_rows_1536 ON embedded_rows
  USING hnsw ((vector::halfvec(1536)) halfvec_cosine_ops) WHERE dimensions = 1536;
CREATE INDEX IF NOT EXISTS embedded_rows_3072 ON embedded_rows
  USING hnsw ((vector::halfvec(3072)) halfvec_cosine_ops) WHERE dimensions = 3072;
