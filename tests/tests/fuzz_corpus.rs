//! Feeds torc with hostile bytes: what the fuzzer found to be different, and what can be made of it.
//!
//! The same functions as in `tests/fuzz/`, on the corpus that is kept there and on a few thousand
//! mutations of it, which are the same in every run.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use torc_tests::fuzz::mutation::Mutator;
use torc_tests::fuzz::{TARGETS, Target, target};
use torc_tests::source::workspace;

/// What takes more of a processor has no bound, or one that is too high.
const LONGEST: Duration = Duration::from_secs(5);
/// What a corpus is kept to, in files,
const MAX_FILES: usize = 60;
/// and each of them, in bytes.
const MAX_BYTES: usize = 4096;

/// Returns what is kept for a target, in the same order each time.
fn corpus(target: Target) -> Vec<Vec<u8>> {
    let dir = workspace().join("tests/fuzz/corpus").join(target.name);
    let entries = fs::read_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut paths: Vec<_> =
        entries.map(|entry| entry.expect("a directory can be read").path()).collect();
    assert!((1..=MAX_FILES).contains(&paths.len()), "{} files for {}", paths.len(), target.name);
    paths.sort();
    let corpus: Vec<_> =
        paths.iter().map(|path| fs::read(path).expect("a file can be read")).collect();
    assert!(
        corpus.iter().all(|bytes| bytes.len() <= MAX_BYTES),
        "a large file in {}",
        dir.display()
    );
    corpus
}

/// Returns how much of a processor this thread has used: a busy machine does not count.
fn used() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("every thread has this clock").into()
}

/// Feeds a target, and shows with what when it does not like it.
fn feed(target: Target, bytes: &[u8]) {
    let begun = used();
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| (target.run)(bytes))) {
        let shown = bytes.escape_ascii();
        eprintln!("{} fails with these {} bytes: {shown}", target.name, bytes.len());
        std::panic::resume_unwind(panic);
    }
    let took = used() - begun;
    assert!(took < LONGEST, "{} took {took:?} for {}", target.name, bytes.escape_ascii());
}

fn corpus_and_mutations(name: &str) {
    let target = target(name).expect("it is in the list");
    let corpus = corpus(target);
    corpus.iter().for_each(|bytes| feed(target, bytes));
    let mut mutator = Mutator::of(name);
    for _ in 0..target.mutations {
        let chosen = [(); 2].map(|()| mutator.below(corpus.len()));
        feed(target, &mutator.mutate(&corpus[chosen[0]], &corpus[chosen[1]]));
    }
}

macro_rules! targets {
    ($($name:ident)+) => {
        $(#[test]
        fn $name() {
            corpus_and_mutations(stringify!($name));
        })+

        #[test]
        fn every_target_is_tested_and_has_a_program() {
            let tested = [$(stringify!($name)),+];
            assert_eq!(tested, TARGETS.map(|target| target.name));
            for name in tested {
                let program = workspace().join(format!("tests/fuzz/fuzz_targets/{name}.rs"));
                assert!(program.exists(), "no program for {name}");
            }
        }
    };
}

targets! {
    hello request response worker_request worker_event writer_event
    workflow_yaml workflow_json workflow_json5 workflow_kdl workflow_table
    commands_file api_request journal lease database database_cells
}
