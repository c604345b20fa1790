# The same recipes as .ci/run, one by one.

# List the recipes.
default:
    @just --list

# All that CI runs.
ci:
    .ci/run

# Format all sources.
fmt:
    cargo fmt --all

# Check the format.
fmt-check:
    cargo fmt --all --check

# Lint all targets.
clippy:
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Run all tests.
test *args:
    cargo test --workspace --locked {{ args }}

# Run all tests with nextest, which cuts off those that hang.
nextest *args:
    cargo nextest run --workspace --locked {{ args }}

# Build the documentation of everything, private items included.
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked

# Check licences and advisories (needs cargo-deny and the network).
deny:
    cargo deny check

# Record golden frames that are missing; those that are there are never changed.
golden:
    UPDATE_GOLDEN=1 cargo test -p torc-protocol --test wire --locked

# Build what is installed.
release:
    cargo build --release --locked --bins -p torcctl -p torcd
