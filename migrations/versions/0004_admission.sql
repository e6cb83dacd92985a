-- Admission without I/O, and usage that is never lost: what workers hold, what they spent, what changed.

-- what changed --------------------------------------------------------------------------------------

-- Every change that may alter what a key is allowed, by the transaction that made it. Workers read the rows whose
-- transaction was not over when they last looked (pg_snapshot_xmin), so no order of commits hides one.
CREATE TABLE admission_changes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL,
    changed_in xid8 NOT NULL DEFAULT pg_current_xact_id(),
    changed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX admission_changes_by_customer ON admission_changes (customer_id, changed_in);
CREATE INDEX admission_changes_by_transaction ON admission_changes (changed_in);
CREATE INDEX admission_changes_by_age ON admission_changes (changed_at);

CREATE FUNCTION note_admission_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    whose bigint;
BEGIN
    whose := CASE WHEN TG_TABLE_NAME = 'api_customers' THEN (to_jsonb(NEW) ->> 'id')::bigint
        ELSE (COALESCE(to_jsonb(NEW), to_jsonb(OLD)) ->> 'customer_id')::bigint END;
    INSERT INTO admission_changes (customer_id) VALUES (whose);
    PERFORM pg_notify('admission', whose::text);
    RETURN NULL;
END $$;
CREATE TRIGGER api_keys_tell_admission AFTER INSERT OR DELETE ON api_keys
    FOR EACH ROW EXECUTE FUNCTION note_admission_change();
-- That a key was used is no change of what it may do.
CREATE TRIGGER api_keys_changed_tell_admission AFTER UPDATE ON api_keys FOR EACH ROW
    WHEN (to_jsonb(OLD) - 'last_used_at' - 'updated_at' IS DISTINCT FROM to_jsonb(NEW) - 'last_used_at' - 'updated_at')
    EXECUTE FUNCTION note_admission_change();
CREATE TRIGGER api_customers_tell_admission AFTER UPDATE ON api_customers
    FOR EACH ROW EXECUTE FUNCTION note_admission_change();
CREATE TRIGGER api_subscriptions_tell_admission AFTER INSERT OR UPDATE OR DELETE ON api_subscriptions
    FOR EACH ROW EXECUTE FUNCTION note_admission_change();
CREATE TRIGGER entitlement_adjustments_tell_admission AFTER INSERT OR UPDATE OR DELETE ON entitlement_adjustments
    FOR EACH ROW EXECUTE FUNCTION note_admission_change();

-- quotas --------------------------------------------------------------------------------------------

-- What a customer lets a month cost above the plan, in the plan's currency; null: no cap of their own.
ALTER TABLE api_subscriptions ADD COLUMN spending_cap numeric(12, 2) CHECK (spending_cap >= 0);

-- `requests_max` is where calls stop: what is included where the plan stops there, more where overage is bought up to
-- a spending cap, null where nothing stops. `requests_leased` is what workers may spend and have not yet accounted for.
-- INVARIANT: used + leased never exceeds the bound (tests/admission/test_quota_leases.py::test_reserve_spend_expire_refund).
ALTER TABLE usage_quotas
    ADD COLUMN requests_leased integer NOT NULL DEFAULT 0 CHECK (requests_leased >= 0),
    ADD COLUMN requests_max integer;
UPDATE usage_quotas q SET requests_max = q.requests_included
FROM api_subscriptions s JOIN plan_versions v ON v.id = s.plan_version_id
WHERE s.id = q.subscription_id AND (q.mode = 'test' OR v.content ->> 'overage' <> 'always');

-- Requests by day (UTC), for plans with a daily burst; counted for all, so that a change of plan finds them.
CREATE TABLE usage_quota_days (
    subscription_id bigint NOT NULL REFERENCES api_subscriptions ON DELETE CASCADE,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    day date NOT NULL,
    requests_used integer NOT NULL DEFAULT 0,
    requests_leased integer NOT NULL DEFAULT 0 CHECK (requests_leased >= 0),
    PRIMARY KEY (subscription_id, mode, day)
);

-- A journal: one process's records on its way here. `segment` and `record_index` say how far they were taken over.
CREATE TABLE usage_sources (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    segment integer NOT NULL DEFAULT 0,
    record_index bigint NOT NULL DEFAULT 0,
    records_shipped bigint NOT NULL DEFAULT 0,
    records_damaged bigint NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL,
    shipped_at timestamptz,
    ended_at timestamptz
);

-- Units that were taken from a quota in advance; `units_settled` of them have arrived as usage.
CREATE TABLE usage_leases (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_id bigint NOT NULL REFERENCES usage_sources,
    quota_id bigint NOT NULL REFERENCES usage_quotas ON DELETE CASCADE,
    day date NOT NULL,
    units_granted integer NOT NULL CHECK (units_granted > 0),
    units_settled integer NOT NULL DEFAULT 0 CHECK (units_settled BETWEEN 0 AND units_granted),
    granted_at timestamptz NOT NULL
);
CREATE INDEX usage_leases_by_source ON usage_leases (source_id);
CREATE INDEX usage_leases_by_quota ON usage_leases (quota_id);

-- Which state the centre of rate limits is in; another one is a loss, and refills nothing.
CREATE TABLE admission_centres (
    name text PRIMARY KEY,
    epoch text NOT NULL,
    begun_at timestamptz NOT NULL
);

-- the usage log -------------------------------------------------------------------------------------

-- By month, so that old months go by dropping a table (B63). No foreign keys: each costs more than the row itself at
-- the rate at which rows arrive, and the log outlives what it names. Rows without a month of their own go to `_rest`.
ALTER TABLE api_usage_logs RENAME TO api_usage_logs_before;
ALTER INDEX api_usage_logs_by_customer RENAME TO api_usage_logs_before_by_customer;
ALTER INDEX api_usage_logs_by_key RENAME TO api_usage_logs_before_by_key;
ALTER TABLE api_usage_logs_before RENAME CONSTRAINT api_usage_logs_pkey TO api_usage_logs_before_pkey;
CREATE SEQUENCE api_usage_logs_ids AS bigint CACHE 100;
CREATE TABLE api_usage_logs (
    id bigint NOT NULL DEFAULT nextval('api_usage_logs_ids'),
    api_key_id bigint,
    endpoint varchar(255) NOT NULL,
    method varchar(10) NOT NULL,
    status_code integer NOT NULL,
    response_time_ms integer NOT NULL,
    credits_consumed integer NOT NULL DEFAULT 0,
    request_timestamp timestamptz NOT NULL,
    ip_address inet,
    user_agent text,
    customer_id bigint NOT NULL,
    product text NOT NULL,
    mode text NOT NULL,
    -- What counts against the quota (X11): 0 or more, and minus what was given back.
    units integer NOT NULL,
    request_id text NOT NULL,
    problem_code text,
    -- The path that was asked for, where it says more than `endpoint`, the pattern that it matched.
    path text,
    -- The limit that a refused call ran into, and its value then.
    limit_name text,
    limit_value bigint
) PARTITION BY RANGE (request_timestamp);
CREATE TABLE api_usage_logs_rest PARTITION OF api_usage_logs DEFAULT;
-- No primary key either, which would be one more tree to keep at every row: `id` comes from a sequence, and rows arrive
-- in the order of their time, so that a summary of pages finds a time as well as a tree does.
CREATE INDEX api_usage_logs_by_time ON api_usage_logs USING brin (request_timestamp);
CREATE INDEX api_usage_logs_by_customer ON api_usage_logs (customer_id, mode, request_timestamp DESC, id DESC);
CREATE INDEX api_usage_logs_by_key ON api_usage_logs (api_key_id, request_timestamp DESC);

-- Makes the partition of a month (UTC) unless it is there; rows of it that lie in `_rest` move. The first lock keeps
-- two of these apart and no writer out; the second one lets no row of that month slip into `_rest` meanwhile.
CREATE FUNCTION make_usage_month(month date) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    name text := 'api_usage_logs_' || to_char(month, 'YYYY_MM');
    begins timestamptz := date_trunc('month', month::timestamp) AT TIME ZONE 'UTC';
    ends timestamptz := (date_trunc('month', month::timestamp) + interval '1 month') AT TIME ZONE 'UTC';
BEGIN
    LOCK TABLE api_usage_logs IN SHARE UPDATE EXCLUSIVE MODE;
    IF to_regclass(name) IS NOT NULL THEN
        RETURN false;
    END IF;
    LOCK TABLE api_usage_logs_rest IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('CREATE TABLE %I (LIKE api_usage_logs INCLUDING DEFAULTS)', name);
    EXECUTE format('WITH moved AS (DELETE FROM api_usage_logs_rest WHERE request_timestamp >= $1
        AND request_timestamp < $2 RETURNING *) INSERT INTO %I SELECT * FROM moved', name) USING begins, ends;
    EXECUTE format('ALTER TABLE api_usage_logs ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, begins, ends);
    RETURN true;
END $$;
-- Drops the months that were over at an instant, and returns how many those were.
CREATE FUNCTION drop_usage_months(until timestamptz) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    old record;
    dropped integer := 0;
BEGIN
    FOR old IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'api_usage_logs'::regclass AND c.relname ~ '^api_usage_logs_\d{4}_\d{2}$'
            AND (to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month') AT TIME ZONE 'UTC' <= until
        ORDER BY c.relname
    LOOP
        EXECUTE format('DROP TABLE %I', old.relname);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;
SELECT make_usage_month(month::date) FROM (
    SELECT date_trunc('month', request_timestamp AT TIME ZONE 'UTC') AS month FROM api_usage_logs_before
    UNION SELECT generate_series(date_trunc('month', now() AT TIME ZONE 'UTC'),
        date_trunc('month', now() AT TIME ZONE 'UTC') + interval '3 months', interval '1 month')
) AS months ORDER BY month;
-- What was asked for so far becomes `path`; `endpoint` is from now on the pattern that it matched.
INSERT INTO api_usage_logs (id, api_key_id, endpoint, method, status_code, response_time_ms, credits_consumed,
    request_timestamp, ip_address, user_agent, customer_id, product, mode, units, request_id, problem_code, path)
SELECT id, api_key_id, pattern, method, status_code, response_time_ms, credits_consumed,
    request_timestamp, ip_address, user_agent, customer_id, product, mode, units, request_id, problem_code,
    NULLIF(endpoint, pattern)
FROM api_usage_logs_before
CROSS JOIN LATERAL (SELECT left(regexp_replace(regexp_replace(regexp_replace(endpoint,
    '/mdl_[0-9a-f]{16}(?=/|$)', '/{model_id}'), '/sim_[0-9a-f]{16}(?=/|$)', '/{simulation_id}'),
    '^(/monte-carlo-api/simulations/\{simulation_id\}/download)/[a-z]+$', '\1/{file_format}'), 255) AS pattern) AS p;
SELECT setval('api_usage_logs_ids', (SELECT COALESCE(max(id), 0) + 1 FROM api_usage_logs_before), false);
DROP TABLE api_usage_logs_before;
-- The days under way, so that nobody's burst begins anew; older ones are asked for by nobody.
INSERT INTO usage_quota_days (subscription_id, mode, day, requests_used)
SELECT s.id, l.mode, (l.request_timestamp AT TIME ZONE 'UTC')::date, sum(l.units)
FROM api_usage_logs l
CROSS JOIN LATERAL (
    SELECT id FROM api_subscriptions WHERE customer_id = l.customer_id AND product = l.product
    ORDER BY (status <> 'cancelled') DESC, id DESC LIMIT 1
) AS s
WHERE l.request_timestamp >= (date_trunc('day', now() AT TIME ZONE 'UTC') - interval '1 day') AT TIME ZONE 'UTC'
GROUP BY s.id, l.mode, (l.request_timestamp AT TIME ZONE 'UTC')::date
HAVING sum(l.units) > 0;

-- roll-ups ------------------------------------------------------------------------------------------

-- Sums by hour and by day (UTC), written in the transaction of the rows that they sum. `api_key_id` 0: started on a
-- page. `latencies` counts calls by response time; its bounds stand in metering/entities.py.
CREATE TABLE usage_hours (
    hour timestamptz NOT NULL,
    customer_id bigint NOT NULL,
    product text NOT NULL,
    mode text NOT NULL,
    api_key_id bigint NOT NULL,
    method text NOT NULL,
    endpoint text NOT NULL,
    succeeded bigint NOT NULL,
    limited bigint NOT NULL,
    refused bigint NOT NULL,
    failed bigint NOT NULL,
    units bigint NOT NULL,
    credits bigint NOT NULL,
    response_ms bigint NOT NULL,
    latencies bigint[] NOT NULL,
    PRIMARY KEY (customer_id, mode, hour, product, api_key_id, method, endpoint)
) WITH (fillfactor = 70);  -- the hour under way is updated all the time, and best in place
CREATE INDEX usage_hours_by_hour ON usage_hours (hour);
CREATE TABLE usage_days (
    day date NOT NULL,
    customer_id bigint NOT NULL,
    product text NOT NULL,
    mode text NOT NULL,
    api_key_id bigint NOT NULL,
    method text NOT NULL,
    endpoint text NOT NULL,
    succeeded bigint NOT NULL,
    limited bigint NOT NULL,
    refused bigint NOT NULL,
    failed bigint NOT NULL,
    units bigint NOT NULL,
    credits bigint NOT NULL,
    response_ms bigint NOT NULL,
    latencies bigint[] NOT NULL,
    PRIMARY KEY (customer_id, mode, day, product, api_key_id, method, endpoint)
) WITH (fillfactor = 70);
CREATE INDEX usage_days_by_day ON usage_days (day);
-- Totals since the beginning, for /monitoring/metrics: counters that no restart sets back.
CREATE TABLE usage_totals (
    product text NOT NULL,
    method text NOT NULL,
    endpoint text NOT NULL,
    status_code integer NOT NULL,
    problem_code text NOT NULL,
    calls bigint NOT NULL,
    response_ms bigint NOT NULL,
    latencies bigint[] NOT NULL,
    PRIMARY KEY (product, method, endpoint, status_code, problem_code)
) WITH (fillfactor = 50);

-- What was logged before there were sums. What was given back is no call: only its units and credits count.
CREATE TEMP VIEW usage_before AS
SELECT (request_timestamp AT TIME ZONE 'UTC') AS at, customer_id, product, mode, COALESCE(api_key_id, 0) AS api_key_id,
    method, endpoint, status_code, COALESCE(problem_code, '') AS problem_code, units, credits_consumed,
    response_time_ms, units >= 0 AS is_call,
    -- Which class of response times: the place of the first bound that is not passed.
    CASE WHEN units >= 0 THEN 1 + (SELECT count(*) FROM unnest(
        ARRAY[5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000]) AS bound WHERE response_time_ms > bound)
    END AS class
FROM api_usage_logs;
CREATE FUNCTION pg_temp.spread(classes bigint[]) RETURNS bigint[] LANGUAGE sql AS $$
    SELECT array_agg((SELECT count(*) FROM unnest(classes) AS one WHERE one = place) ORDER BY place)
    FROM generate_series(1, 13) AS place
$$;
INSERT INTO usage_hours
SELECT date_trunc('hour', at) AT TIME ZONE 'UTC', customer_id, product, mode, api_key_id, method, endpoint,
    count(*) FILTER (WHERE is_call AND status_code < 400),
    count(*) FILTER (WHERE is_call AND status_code IN (402, 429)),
    count(*) FILTER (WHERE is_call AND status_code >= 400 AND status_code < 500 AND status_code NOT IN (402, 429)),
    count(*) FILTER (WHERE is_call AND status_code >= 500),
    sum(units), sum(credits_consumed), COALESCE(sum(response_time_ms) FILTER (WHERE is_call), 0),
    pg_temp.spread(array_agg(class))
FROM usage_before GROUP BY 1, 2, 3, 4, 5, 6, 7;
INSERT INTO usage_days
SELECT at::date, customer_id, product, mode, api_key_id, method, endpoint,
    count(*) FILTER (WHERE is_call AND status_code < 400),
    count(*) FILTER (WHERE is_call AND status_code IN (402, 429)),
    count(*) FILTER (WHERE is_call AND status_code >= 400 AND status_code < 500 AND status_code NOT IN (402, 429)),
    count(*) FILTER (WHERE is_call AND status_code >= 500),
    sum(units), sum(credits_consumed), COALESCE(sum(response_time_ms) FILTER (WHERE is_call), 0),
    pg_temp.spread(array_agg(class))
FROM usage_before GROUP BY 1, 2, 3, 4, 5, 6, 7;
INSERT INTO usage_totals
SELECT product, method, endpoint, status_code, problem_code, count(*), sum(response_time_ms),
    pg_temp.spread(array_agg(class))
FROM usage_before WHERE is_call GROUP BY 1, 2, 3, 4, 5;
DROP VIEW usage_before;
