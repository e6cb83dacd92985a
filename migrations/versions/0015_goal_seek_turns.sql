-- Goal seeks by the priority of their plan: what is computed for them counts in the turns of their customer, as for runs.
ALTER TABLE goal_seeks
    -- Fixed when it is asked, as for a run.
    ADD COLUMN processing_weight integer NOT NULL DEFAULT 1 CHECK (processing_weight > 0),
    -- Until when a worker holds one that is running, unless it is heard of again.
    ADD COLUMN claimed_until timestamptz;
UPDATE goal_seeks SET claimed_until = coalesce(heard_of_at, created_at) WHERE status = 'running';
ALTER TABLE goal_seeks
    DROP COLUMN heard_of_at,
    ADD CONSTRAINT goal_seeks_running_are_claimed CHECK (status <> 'running' OR claimed_until IS NOT NULL);
-- Whose is computed now, and whose is next, is asked by customer.
DROP INDEX goal_seeks_unfinished;
CREATE INDEX goal_seeks_unfinished ON goal_seeks (customer_id, id) WHERE status IN ('queued', 'running');
