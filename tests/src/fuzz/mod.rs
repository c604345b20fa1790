//! What is fed with hostile bytes: one function for each place where bytes of others come in.
//!
//! A function panics when one of torc's promises is broken, and that is all it does: whatever the
//! bytes say, there is an answer or an error that can be shown, in bounded time and memory. The
//! fuzzer calls them (`tests/fuzz/`), and the test `fuzz_corpus` does with what the fuzzer found.

pub mod cells;
pub mod database;
pub mod frames;
pub mod mutation;
pub mod specimen;
pub mod text;
pub mod workflow;

/// One of the functions.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, which is also that of its program and of its corpus.
    pub name: &'static str,
    /// The function.
    pub run: fn(&[u8]),
    /// How many mutations the test makes: fewer of what takes long.
    pub mutations: u32,
}

/// All of them.
pub const TARGETS: [Target; 17] = [
    Target { name: "hello", run: frames::hello, mutations: 3000 },
    Target { name: "request", run: frames::request, mutations: 3000 },
    Target { name: "response", run: frames::response, mutations: 3000 },
    Target { name: "worker_request", run: frames::worker_request, mutations: 3000 },
    Target { name: "worker_event", run: frames::worker_event, mutations: 3000 },
    Target { name: "writer_event", run: frames::writer_event, mutations: 3000 },
    Target { name: "workflow_yaml", run: workflow::yaml, mutations: 2000 },
    Target { name: "workflow_json", run: workflow::json, mutations: 2000 },
    Target { name: "workflow_json5", run: workflow::json5, mutations: 2000 },
    Target { name: "workflow_kdl", run: workflow::kdl, mutations: 2000 },
    Target { name: "workflow_table", run: workflow::table, mutations: 1000 },
    Target { name: "commands_file", run: text::commands_file, mutations: 2000 },
    Target { name: "api_request", run: text::api_request, mutations: 3000 },
    Target { name: "journal", run: text::journal, mutations: 3000 },
    Target { name: "lease", run: text::lease, mutations: 3000 },
    Target { name: "database", run: database::pages, mutations: 300 },
    Target { name: "database_cells", run: database::cells, mutations: 300 },
];

/// Returns the target of this name.
#[must_use]
pub fn target(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}
