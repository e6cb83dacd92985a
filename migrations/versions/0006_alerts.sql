-- Alerts: what was noticed, who was told, and the rules of the owner.

-- what customers were told of their quotas ------------------------------------------------------------

-- Written in the transaction of the mail, so that repeats and crashes tell once. `requests_max` is what 100 % was
-- then, `requests_used` how much of it was used: a larger bound tells again what had not been reached by then.
CREATE TABLE quota_notices (
    quota_id bigint NOT NULL REFERENCES usage_quotas ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('included', 'spending_cap', 'fair_use')),
    percent integer NOT NULL CHECK (percent BETWEEN 1 AND 100),
    requests_max bigint NOT NULL CHECK (requests_max > 0),
    requests_used bigint NOT NULL,
    told_at timestamptz NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (quota_id, kind, percent, requests_max)
);
-- Each half minute looks at the periods under way, among all that ever were.
CREATE INDEX usage_quotas_by_end ON usage_quotas (period_end);

-- rules and alerts of the owner -----------------------------------------------------------------------

-- What an owner changed about a rule; what is not here holds as the code has it.
CREATE TABLE alert_rules (
    kind text PRIMARY KEY,
    enabled boolean NOT NULL,
    -- Names and numbers, as alerts/entities.py lists them for each kind.
    thresholds jsonb NOT NULL,
    -- Nobody here: the address of support.
    recipients text[] NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE alerts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    kind text NOT NULL,
    -- What it is about: the installation, a process, the public id of an API key or of a customer.
    subject text NOT NULL,
    customer_id bigint REFERENCES api_customers,
    summary text NOT NULL,
    opened_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    seen_count integer NOT NULL DEFAULT 1,
    acknowledged_at timestamptz,
    acknowledged_by bigint REFERENCES users ON DELETE SET NULL,
    note text NOT NULL DEFAULT '',
    resolved_at timestamptz,
    -- Whether its rule was switched off, which says nothing about the condition.
    switched_off boolean NOT NULL DEFAULT false
);
-- INVARIANT: of one rule and subject one alert at most is not resolved
-- (tests/alerts/test_operations.py::test_one_alert_stands_for_one_rule_and_subject).
CREATE UNIQUE INDEX alerts_unresolved ON alerts (kind, subject) WHERE resolved_at IS NULL;
CREATE INDEX alerts_by_customer ON alerts (customer_id);
CREATE INDEX alerts_by_user ON alerts (acknowledged_by);
CREATE INDEX alerts_by_kind ON alerts (kind, id);

-- what rules compare with -----------------------------------------------------------------------------

-- From where a key was used: /24 and /48. Goes with the key's customer.
CREATE TABLE key_networks (
    api_key_id bigint NOT NULL REFERENCES api_keys ON DELETE CASCADE,
    network cidr NOT NULL,
    first_seen_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (api_key_id, network)
);
CREATE INDEX key_networks_by_first ON key_networks (first_seen_at);
CREATE INDEX key_networks_by_last ON key_networks (last_seen_at);

-- The counters of usage_totals, and of damaged records, once a minute, so that what happened in a few minutes is a subtraction.
CREATE TABLE usage_samples (
    taken_at timestamptz PRIMARY KEY,
    calls bigint NOT NULL,
    failed bigint NOT NULL,
    latencies bigint[] NOT NULL,
    damaged bigint NOT NULL
);

-- Mails that wait or were given up, among those of a month.
CREATE INDEX outbox_mails_unsent ON outbox_mails (created_at) WHERE sent_at IS NULL;
