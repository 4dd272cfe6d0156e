"""One file per step, each after its `down_revision`; made by `scripts/migration`, read by `runtime.schema`."""
