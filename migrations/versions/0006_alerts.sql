-- Alerts: what was noticed, who was told, and the rules of the owner.
SELECT 1;
