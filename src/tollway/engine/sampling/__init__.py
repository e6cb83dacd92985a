"""From a seed to draws: uniforms, strata, Sobol points, correlation."""
