"""Batches, revocation, gate and sampler: each a pure decision and a thin service around it."""
