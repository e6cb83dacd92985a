-- The one tree of the usage log is narrower.

-- Half of what a row costs on its way in is its place in this tree. `id` only told rows of one microsecond apart, which
-- pages do by sorting those few; without it a row takes 26 bytes less on disk, and its way there 20 less.
DROP INDEX api_usage_logs_by_customer;
CREATE INDEX api_usage_logs_by_customer ON api_usage_logs (customer_id, mode, request_timestamp);
