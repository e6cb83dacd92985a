-- Rows have bigint identities inside and prefixed texts (public_id) outside.
-- The tables users, api_customers, api_subscriptions, api_keys, api_usage_logs and usage_quotas keep
-- the names and columns of the specification (B9-B14); what we add stands after them.

-- audit ---------------------------------------------------------------------------------------------

CREATE TABLE audit_entries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    occurred_at timestamptz NOT NULL,
    action text NOT NULL,
    customer_id bigint,
    actor text NOT NULL,
    subject text NOT NULL,
    ip_address inet,
    request_id text NOT NULL,
    details jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_entries_by_customer ON audit_entries (customer_id, id);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_entries_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- customers -----------------------------------------------------------------------------------------

CREATE TABLE users (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    email text NOT NULL CHECK (email = lower(email)),
    name text NOT NULL DEFAULT '',
    password_hash text,
    user_type varchar(50) NOT NULL DEFAULT 'regular'
        CHECK (user_type IN ('regular', 'api_customer', 'enterprise', 'admin', 'super_admin')),
    stripe_customer_id varchar(255),
    api_enabled boolean NOT NULL DEFAULT false,
    email_verified_at timestamptz,
    last_sign_in_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
-- An address belongs to one user once it is verified; unverified sign-ups may share it (X4).
CREATE UNIQUE INDEX users_by_verified_email ON users (email) WHERE email_verified_at IS NOT NULL;
CREATE INDEX users_by_email ON users (email);

CREATE TABLE api_customers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users,
    stripe_customer_id varchar(255) UNIQUE,
    company_name varchar(255) NOT NULL,
    billing_email varchar(255) NOT NULL,
    tax_id varchar(255),
    billing_address jsonb,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    public_id text NOT NULL UNIQUE,
    use_case text NOT NULL
);
CREATE INDEX api_customers_by_user ON api_customers (user_id);

CREATE TABLE user_sessions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    token_hash bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    ip_address inet,
    user_agent text NOT NULL DEFAULT ''
);
CREATE INDEX user_sessions_by_user ON user_sessions (user_id);

-- A link and a six-digit code that prove that a mailbox is the user's.
CREATE TABLE email_challenges (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    purpose text NOT NULL CHECK (purpose IN ('verify', 'sign_in')),
    link_hash bytea NOT NULL UNIQUE,
    code_hash bytea NOT NULL,
    attempts_left integer NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX email_challenges_by_user ON email_challenges (user_id, purpose, id);

-- How often something was tried from somewhere, for what must stay bounded before anyone is known.
CREATE TABLE attempt_counts (
    subject text NOT NULL,
    window_start timestamptz NOT NULL,
    attempts integer NOT NULL,
    PRIMARY KEY (subject, window_start)
);

-- notifications -------------------------------------------------------------------------------------

CREATE TABLE outbox_mails (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    to_address text NOT NULL,
    subject text NOT NULL,
    text_body text NOT NULL,
    html_body text NOT NULL,
    template text NOT NULL,
    created_at timestamptz NOT NULL,
    sent_at timestamptz,
    failed_at timestamptz,
    attempt_count integer NOT NULL DEFAULT 0,
    last_failure text NOT NULL DEFAULT ''
);

CREATE TABLE idempotency_records (
    scope text NOT NULL,
    key text NOT NULL,
    request_digest bytea NOT NULL,
    status integer,
    body jsonb,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_records_by_age ON idempotency_records (created_at);

-- plans ---------------------------------------------------------------------------------------------

-- A version that was sold never changes; loading a changed catalogue adds a version.
CREATE TABLE plan_versions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    product text NOT NULL,
    tier text NOT NULL,
    version integer NOT NULL,
    content_hash bytea NOT NULL,
    content jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (product, tier, version)
);

CREATE TABLE api_subscriptions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES api_customers,
    stripe_subscription_id varchar(255) UNIQUE,
    stripe_price_id varchar(255),
    status varchar(50) NOT NULL,
    current_period_start timestamptz NOT NULL,
    current_period_end timestamptz NOT NULL,
    trial_end timestamptz,
    cancel_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    public_id text NOT NULL UNIQUE,
    product text NOT NULL,
    plan_version_id bigint NOT NULL REFERENCES plan_versions
);
CREATE UNIQUE INDEX api_subscriptions_one_per_product ON api_subscriptions (customer_id, product)
    WHERE status <> 'cancelled';

-- keys ----------------------------------------------------------------------------------------------

CREATE TABLE api_keys (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES api_customers,
    key_id varchar(255) NOT NULL UNIQUE,
    key_hash varchar(255) UNIQUE,
    name varchar(255) NOT NULL,
    status varchar(50) NOT NULL CHECK (status IN ('active', 'suspended', 'revoked', 'deleted')),
    rate_limit_tier varchar(50) NOT NULL,
    last_used_at timestamptz,
    expires_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    product text NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    last_four text NOT NULL,
    sealed_secret bytea,
    -- A live key is hashed and shown once; only a test key may be revealed again (X8).
    CHECK (sealed_secret IS NULL OR mode = 'test')
);
CREATE INDEX api_keys_by_customer ON api_keys (customer_id, id);

-- metering ------------------------------------------------------------------------------------------

CREATE TABLE api_usage_logs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    api_key_id bigint REFERENCES api_keys,
    endpoint varchar(255) NOT NULL,
    method varchar(10) NOT NULL,
    status_code integer NOT NULL,
    response_time_ms integer NOT NULL,
    credits_consumed integer NOT NULL DEFAULT 0,
    request_timestamp timestamptz NOT NULL,
    ip_address inet,
    user_agent text,
    customer_id bigint NOT NULL REFERENCES api_customers,
    product text NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    -- What counts against the quota (X11): 0 or 1, and minus what was given back.
    units integer NOT NULL,
    request_id text NOT NULL,
    problem_code text
);
CREATE INDEX api_usage_logs_by_customer ON api_usage_logs (customer_id, request_timestamp DESC);
CREATE INDEX api_usage_logs_by_key ON api_usage_logs (api_key_id, request_timestamp DESC);

CREATE TABLE usage_quotas (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subscription_id bigint NOT NULL REFERENCES api_subscriptions,
    period_start timestamptz NOT NULL,
    period_end timestamptz NOT NULL,
    requests_included integer,
    requests_used integer NOT NULL DEFAULT 0,
    overage_rate numeric(10, 4) NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    UNIQUE (subscription_id, mode, period_start),
    CHECK (requests_used >= 0)
);

CREATE TABLE analytics_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    customer_id bigint REFERENCES api_customers,
    referrer text NOT NULL DEFAULT '',
    campaign text NOT NULL DEFAULT '',
    properties jsonb NOT NULL DEFAULT '{}',
    occurred_at timestamptz NOT NULL
);
-- Steps of the funnel that happen once for each customer.
CREATE UNIQUE INDEX analytics_events_once ON analytics_events (customer_id, name)
    WHERE name IN ('customer_signup', 'email_verified', 'first_call', 'first_result');

-- simulation ----------------------------------------------------------------------------------------

CREATE TABLE models (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    customer_id bigint NOT NULL REFERENCES api_customers,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    name text NOT NULL,
    description text NOT NULL DEFAULT '',
    tags text[] NOT NULL DEFAULT '{}',
    filename text NOT NULL,
    workbook_blob text NOT NULL,
    workbook_bytes bigint NOT NULL,
    workbook_sha256 bytea NOT NULL,
    formulas_count integer NOT NULL,
    inspection jsonb NOT NULL,
    -- What the customer marked: [{cell, name, distribution}] and [cell].
    inputs jsonb NOT NULL DEFAULT '[]',
    outputs jsonb NOT NULL DEFAULT '[]',
    -- The cells that the page for marking them shows.
    preview jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    expiry_told_at timestamptz,
    -- The row outlives the workbook for a while, so that the reason can be told.
    workbook_deleted_at timestamptz
);
CREATE INDEX models_by_customer ON models (customer_id, mode, id);
CREATE INDEX models_by_expiry ON models (expires_at);

CREATE TABLE runs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    customer_id bigint NOT NULL REFERENCES api_customers,
    model_id bigint NOT NULL REFERENCES models,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    api_key_id bigint REFERENCES api_keys,
    status text NOT NULL CHECK (status IN ('queued', 'running', 'completed', 'failed', 'cancelled')),
    seed bigint NOT NULL CHECK (seed >= 0),
    iterations bigint NOT NULL CHECK (iterations > 0),
    iterations_completed bigint NOT NULL DEFAULT 0,
    inputs jsonb NOT NULL,
    outputs jsonb NOT NULL,
    confidence_levels jsonb NOT NULL,
    credits_consumed integer NOT NULL,
    -- Which quota paid, so that a run that fails by our fault gives its request back to the same one.
    quota_id bigint REFERENCES usage_quotas,
    engine_version text NOT NULL,
    bin_edges jsonb NOT NULL,
    seconds_per_iteration double precision NOT NULL CHECK (seconds_per_iteration > 0),
    -- What the shards that are done saw, added up output by output; `results` are made of the samples.
    live jsonb NOT NULL DEFAULT '[]',
    results jsonb,
    failure jsonb,
    created_at timestamptz NOT NULL,
    started_at timestamptz,
    finished_at timestamptz,
    summarized_at timestamptz,
    expires_at timestamptz NOT NULL,
    results_deleted_at timestamptz
);
CREATE INDEX runs_by_customer ON runs (customer_id, mode, id);
CREATE INDEX runs_by_model ON runs (model_id, id);
CREATE INDEX runs_under_way ON runs (customer_id) WHERE status IN ('queued', 'running');
CREATE INDEX runs_by_expiry ON runs (expires_at);

-- A run is cut in shards; shards of customers alternate, so a long run holds up nobody's short one.
CREATE TABLE run_shards (
    run_id bigint NOT NULL REFERENCES runs ON DELETE CASCADE,
    shard_index integer NOT NULL,
    first_iteration bigint NOT NULL,
    iteration_count integer NOT NULL,
    status text NOT NULL CHECK (status IN ('waiting', 'claimed', 'done')),
    claimed_until timestamptz,
    attempt_count integer NOT NULL DEFAULT 0,
    result_blob text,
    finished_at timestamptz,
    PRIMARY KEY (run_id, shard_index)
);
CREATE INDEX run_shards_unfinished ON run_shards (run_id) WHERE status <> 'done';

CREATE TABLE customer_turns (
    customer_id bigint PRIMARY KEY REFERENCES api_customers,
    served_at timestamptz NOT NULL
);

-- Files whose rows are gone: deleted after the transaction that let go of them.
CREATE TABLE discarded_blobs (
    name text PRIMARY KEY,
    discarded_at timestamptz NOT NULL
);
