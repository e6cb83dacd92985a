-- Webhooks: where customers want to be told, and what was delivered.
SELECT 1;
