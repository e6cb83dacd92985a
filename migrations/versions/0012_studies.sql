-- What studies need beyond single runs: batches, goal seeks, kept samples, links to downloads.

-- Several runs ordered at once, to be compared: all of them draw the same numbers.
CREATE TABLE batches (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    customer_id bigint NOT NULL REFERENCES api_customers,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    api_key_id bigint REFERENCES api_keys,
    name text NOT NULL CHECK (length(name) <= 200),
    created_at timestamptz NOT NULL
);
CREATE INDEX batches_by_customer ON batches (customer_id, mode, id);
CREATE INDEX batches_by_key ON batches (api_key_id);

ALTER TABLE runs
    ADD COLUMN batch_id bigint REFERENCES batches,
    ADD COLUMN scenario_name text CHECK (length(scenario_name) <= 200),
    -- [{cell, percentiles: [low, high]}]: inputs that are held in a part of their range.
    ADD COLUMN stress jsonb NOT NULL DEFAULT '[]',
    -- Values of an output whose probability is asked for.
    ADD COLUMN targets jsonb NOT NULL DEFAULT '[]',
    -- What a statistic's confidence interval may be wide before it counts as settled, as a share of the statistic.
    ADD COLUMN tolerance double precision NOT NULL DEFAULT 0.03 CHECK (tolerance > 0 AND tolerance < 1),
    -- The first iterations with inputs and outputs, for scatter plots; null for runs of before there were any.
    ADD COLUMN points_blob text,
    -- Whether every draw and value is kept; their file, once the run is summarised.
    ADD COLUMN keeps_samples boolean NOT NULL DEFAULT false,
    ADD COLUMN samples_blob text;
CREATE INDEX runs_by_batch ON runs (batch_id);

-- Entries as the API takes them, for runs that take the marked inputs.
ALTER TABLE models ADD COLUMN correlations jsonb NOT NULL DEFAULT '[]';

-- Whoever holds the token may download the results of one run, for an hour, without a key.
CREATE TABLE download_tokens (
    token_hash bytea PRIMARY KEY,
    run_id bigint NOT NULL REFERENCES runs ON DELETE CASCADE,
    customer_id bigint NOT NULL REFERENCES api_customers,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX download_tokens_by_run ON download_tokens (run_id);
CREATE INDEX download_tokens_by_customer ON download_tokens (customer_id);
CREATE INDEX download_tokens_by_expiry ON download_tokens (expires_at);

-- At what value of a cell an output's statistic reaches a goal.
CREATE TABLE goal_seeks (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    customer_id bigint NOT NULL REFERENCES api_customers,
    model_id bigint NOT NULL REFERENCES models,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    api_key_id bigint REFERENCES api_keys,
    -- Which quota paid, so that one that fails by our fault gives its request back to the same one.
    quota_id bigint REFERENCES usage_quotas,
    status text NOT NULL CHECK (status IN ('queued', 'running', 'completed', 'failed')),
    -- As it was asked, with everything that was left open filled in.
    question jsonb NOT NULL,
    answer jsonb,
    failure jsonb,
    attempt_count integer NOT NULL DEFAULT 0,
    -- When it was last computed a little further.
    heard_of_at timestamptz,
    created_at timestamptz NOT NULL,
    finished_at timestamptz,
    expires_at timestamptz NOT NULL
);
CREATE INDEX goal_seeks_by_customer ON goal_seeks (customer_id, mode, id);
CREATE INDEX goal_seeks_by_model ON goal_seeks (model_id);
CREATE INDEX goal_seeks_by_key ON goal_seeks (api_key_id);
CREATE INDEX goal_seeks_by_quota ON goal_seeks (quota_id);
CREATE INDEX goal_seeks_by_expiry ON goal_seeks (expires_at);
CREATE INDEX goal_seeks_unfinished ON goal_seeks (created_at) WHERE status IN ('queued', 'running');
