-- What failed is found without a look at what did not.

-- Administrators see how much failed within a day; of a day's calls and of all runs there ever were it is a few.
CREATE INDEX api_usage_logs_failed ON api_usage_logs (request_timestamp) WHERE status_code >= 500;
CREATE INDEX runs_failed ON runs (created_at) WHERE status = 'failed';
