-- How a run draws: its sampling method, and the correlation of its inputs.

-- Runs of before there was a choice drew by Monte Carlo, without correlation.
ALTER TABLE runs
    ADD COLUMN sampling text NOT NULL DEFAULT 'monte_carlo'
        CHECK (sampling IN ('monte_carlo', 'latin_hypercube', 'sobol')),
    -- {cells, matrix, repaired}: Spearman's, as the run draws with them. Null where inputs are independent.
    ADD COLUMN correlations jsonb;
