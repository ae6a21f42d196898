//! From noise to latent: noise, schedules, samplers and guidance.
