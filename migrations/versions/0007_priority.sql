-- Runs by the priority of their plan.
SELECT 1;
