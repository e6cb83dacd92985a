-- Usage arrives with one tree to keep for each row.

-- What was asked by key is asked by the customer whose key it is, or of the sums.
DROP INDEX api_usage_logs_by_key;
-- Read backwards just as well, and written at the end of each customer's own rows, where pages fill up whole; the other
-- way round every row went before all earlier ones, and left its pages half empty.
DROP INDEX api_usage_logs_by_customer;
CREATE INDEX api_usage_logs_by_customer ON api_usage_logs (customer_id, mode, request_timestamp, id);
-- Sums are read and written whole a thousand times a second: packed, each of the thirteen classes would unpack them again.
ALTER TABLE usage_hours ALTER latencies SET STORAGE PLAIN;
ALTER TABLE usage_days ALTER latencies SET STORAGE PLAIN;
ALTER TABLE usage_totals ALTER latencies SET STORAGE PLAIN;
