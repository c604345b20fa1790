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

# Build the book in docs/ to target/book (needs mdbook).
book:
    mdbook build docs

# Check licences and advisories (needs cargo-deny and the network).
deny:
    cargo deny check

# Record golden frames that are missing; those that are there are never changed.
golden:
    UPDATE_GOLDEN=1 cargo test -p torc-protocol --test wire --locked

# Feed a target with hostile bytes for 10 minutes (needs cargo-fuzz and a nightly compiler).
fuzz name *args:
    mkdir -p target/fuzz/corpus/{{ name }}
    CARGO_TARGET_DIR="$PWD/target/fuzz" cargo +nightly fuzz run --fuzz-dir tests/fuzz {{ name }} \
        target/fuzz/corpus/{{ name }} tests/fuzz/corpus/{{ name }} -- -max_total_time=600 \
        -timeout=10 -rss_limit_mb=2048 -max_len=4096 {{ args }}

# Build what is installed.
release:
    cargo build --release --locked --bins -p torcctl -p torcd

# Kill torc at random moments and hold it to what it has acknowledged: `just torture --rounds 500`.
torture *args:
    cargo run --release -p torc-tests --bin torture --locked -- {{ args }}

# Weeks of a service in miniature: does anything grow, or get slower? `just endurance --home tmpfs`.
endurance *args:
    cargo run --release -p torc-tests --bin endurance --locked -- {{ args }}
