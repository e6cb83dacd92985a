-- Webhooks: where customers want to be told, and what was delivered.

CREATE TABLE webhooks (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    customer_id bigint NOT NULL REFERENCES api_customers,
    -- Null for one that an API key made, or whose maker is gone.
    created_by bigint REFERENCES users ON DELETE SET NULL,
    -- It is told of what happens in this mode alone.
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    name text NOT NULL CHECK (length(name) <= 100),
    url text NOT NULL CHECK (length(url) <= 2000),
    events text[] NOT NULL CHECK (cardinality(events) > 0),
    enabled boolean NOT NULL,
    sealed_secret bytea NOT NULL,
    -- A secret that was replaced signs beside its successor, strictly before the end of its time.
    former_sealed_secret bytea,
    former_secret_until timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    last_delivery_at timestamptz,
    last_delivery_status text,
    -- Deliveries that came to an end: delivered or failed, each once however often it was tried.
    total_deliveries bigint NOT NULL DEFAULT 0,
    failed_deliveries bigint NOT NULL DEFAULT 0,
    -- The first try that failed since the last one that worked.
    failing_since timestamptz,
    -- We turned it off, because nothing got through for days.
    turned_off_at timestamptz,
    CHECK ((former_sealed_secret IS NULL) = (former_secret_until IS NULL))
);
CREATE INDEX webhooks_by_customer ON webhooks (customer_id, mode);
CREATE INDEX webhooks_by_maker ON webhooks (created_by);

-- Signs what goes to the webhook_url of runs; made when it is first needed.
CREATE TABLE webhook_signing_secrets (
    customer_id bigint PRIMARY KEY REFERENCES api_customers,
    sealed_secret bytea NOT NULL,
    former_sealed_secret bytea,
    former_secret_until timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CHECK ((former_sealed_secret IS NULL) = (former_secret_until IS NULL))
);

-- One event to one place: written in the transaction of the event, sent afterwards by a job.
CREATE TABLE webhook_deliveries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    customer_id bigint NOT NULL REFERENCES api_customers,
    -- Null where it goes to the webhook_url of a run, which then stands in `url`.
    webhook_id bigint REFERENCES webhooks ON DELETE CASCADE,
    url text,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    simulation_id text,
    event_type text NOT NULL,
    -- What is sent, to the byte: every try signs the same text.
    body text NOT NULL,
    status text NOT NULL CHECK (status IN ('pending', 'retrying', 'delivered', 'failed', 'abandoned')),
    -- How often it was tried.
    attempt integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,
    -- A worker is sending it; taken for dead once this is over.
    claimed_until timestamptz,
    response_status integer,
    response_time_ms integer,
    error_message text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL,
    last_attempt_at timestamptz,
    delivered_at timestamptz,
    CHECK ((webhook_id IS NULL) <> (url IS NULL)),
    CHECK ((next_attempt_at IS NULL) = (status IN ('delivered', 'failed', 'abandoned')))
);
CREATE INDEX webhook_deliveries_by_webhook ON webhook_deliveries (webhook_id, id DESC);
CREATE INDEX webhook_deliveries_by_customer ON webhook_deliveries (customer_id, created_at);
CREATE INDEX webhook_deliveries_of_runs ON webhook_deliveries (customer_id, id DESC) WHERE webhook_id IS NULL;
CREATE INDEX webhook_deliveries_by_age ON webhook_deliveries (created_at);
CREATE INDEX webhook_deliveries_waiting ON webhook_deliveries (next_attempt_at)
    WHERE status IN ('pending', 'retrying');
CREATE INDEX webhook_deliveries_waiting_by_customer ON webhook_deliveries (customer_id)
    WHERE status IN ('pending', 'retrying');

-- Where this run's end is told, beside the webhooks that the customer has.
ALTER TABLE runs ADD COLUMN webhook_url text CHECK (length(webhook_url) <= 2000);
