-- Runs by the priority of their plan: customers share the workers by weight, in the time that is computed for them.

-- Both are fixed when a run is made, so that a change of plan changes nothing that is under way.
ALTER TABLE runs
    -- Its share of the workers beside other customers' runs: 3 gets three times what 1 gets.
    ADD COLUMN processing_weight integer NOT NULL DEFAULT 1 CHECK (processing_weight > 0),
    -- Whether workers that are reserved compute it too.
    ADD COLUMN reserved_workers boolean NOT NULL DEFAULT false,
    -- What was computed for it, in seconds of one core.
    ADD COLUMN processing_seconds double precision NOT NULL DEFAULT 0;

-- How much of its share a customer has taken, in seconds of one core divided by weight: whoever has taken least is
-- next. Reserved workers count by themselves, so that using them takes nothing of the share of the others.
DROP TABLE customer_turns;
CREATE TABLE customer_turns (
    customer_id bigint NOT NULL REFERENCES api_customers,
    reserved boolean NOT NULL,
    virtual_seconds double precision NOT NULL,
    PRIMARY KEY (customer_id, reserved)
);
CREATE INDEX customer_turns_by_time ON customer_turns (reserved, virtual_seconds);
