-- What is asked on every call, every minute, or by PostgreSQL itself when a customer's rows are deleted.

-- Every metered call looks its subscription up, the cancelled ones included.
CREATE INDEX api_subscriptions_by_customer ON api_subscriptions (customer_id, product);
-- The sweep looks every minute for runs whose summary is overdue, among all that were ever made.
CREATE INDEX runs_unsummarized ON runs (id) WHERE summarized_at IS NULL AND results_deleted_at IS NULL;
CREATE INDEX runs_by_api_key ON runs (api_key_id);
CREATE INDEX runs_by_quota ON runs (quota_id);
CREATE INDEX analytics_events_by_customer ON analytics_events (customer_id);
