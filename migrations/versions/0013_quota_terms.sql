-- When a quota's terms held: a call that began earlier and comes later does not bring back what they were before.
ALTER TABLE usage_quotas ADD COLUMN terms_at timestamptz;
UPDATE usage_quotas SET terms_at = created_at;
ALTER TABLE usage_quotas ALTER COLUMN terms_at SET NOT NULL;
