-- Links to downloads have a name by which they are taken back, and end with the API key that made them.
ALTER TABLE download_tokens
    ADD COLUMN public_id text,
    -- Null for those of before; none of them is older than an hour.
    ADD COLUMN api_key_id bigint REFERENCES api_keys ON DELETE CASCADE;
UPDATE download_tokens SET public_id = 'dlt_' || substr(replace(gen_random_uuid()::text, '-', ''), 1, 16);
ALTER TABLE download_tokens
    ALTER COLUMN public_id SET NOT NULL,
    ADD CONSTRAINT download_tokens_public_id_key UNIQUE (public_id);
CREATE INDEX download_tokens_by_key ON download_tokens (api_key_id);
