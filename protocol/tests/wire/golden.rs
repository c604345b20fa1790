//! Golden frames: the bytes of one of each message, as they were when the protocol got its number.
//!
//! A message that no longer gives these bytes, or bytes that no longer give this message, mean that
//! an older torcctl and a newer torcd misunderstand each other. Then `PROTOCOL_VERSION` has to grow
//! and `golden/vN` to be added. `UPDATE_GOLDEN=1` writes the files that are missing, and never one
//! that is there.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::fs;
use std::io;
use std::path::PathBuf;

use bytes::BytesMut;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::codec::Decoder;
use torc_protocol::codec::{Codec, frame};
use torc_protocol::hello::{Hello, PROTOCOL_VERSION};

use crate::message::{self, Golden};

fn dir() -> PathBuf {
    let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests");
    tests.join("golden").join(format!("v{PROTOCOL_VERSION}"))
}

/// Returns the bytes that were recorded under `name`; records `bytes` when there are none and it is
/// asked for.
fn recorded(name: &str, bytes: &[u8]) -> Vec<u8> {
    let path = dir().join(format!("{name}.bin"));
    match fs::read(&path) {
        Ok(recorded) => recorded,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            assert!(
                std::env::var_os("UPDATE_GOLDEN").is_some(),
                "there is no golden frame for {name}: run the test with UPDATE_GOLDEN=1 to record it"
            );
            fs::create_dir_all(dir()).unwrap();
            fs::write(&path, bytes).unwrap();
            bytes.to_vec()
        }
        Err(error) => panic!("{}: {error}", path.display()),
    }
}

fn next_version() -> String {
    format!("bump PROTOCOL_VERSION and add golden/v{}", PROTOCOL_VERSION + 1)
}

fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(name: &str, message: &T) {
    let bytes = frame(message).unwrap();
    let recorded = recorded(name, &bytes);
    assert_eq!(recorded, bytes, "{name} has other bytes on the wire: {}", next_version());
    let mut source = BytesMut::from(recorded.as_slice());
    let decoded = Codec::<T, ()>::default().decode(&mut source).unwrap();
    let why = format!("{name} is read otherwise than it was written: {}", next_version());
    assert_eq!(decoded.as_ref(), Some(message), "{why}");
    assert!(source.is_empty());
}

/// Checks a type whose messages have a file each.
fn check_each<T: Golden>() {
    for (variant, message) in T::all() {
        check(&format!("{}.{variant}", T::NAME), &message);
    }
}

/// Checks a type that travels in others only: one file holds all of its variants.
fn check_list<T: Golden>() {
    let all: Vec<T> = T::all().into_iter().map(|(_, message)| message).collect();
    check(T::NAME, &all);
}

macro_rules! checks {
    ($($test:ident: $check:ident::<$type:ident>;)+) => {
        $(
            #[test]
            fn $test() {
                $check::<message::$type>();
            }
        )+

        /// Returns the names of all files that there should be.
        fn names() -> BTreeSet<String> {
            let mut names = BTreeSet::from(["Hello.bin".to_owned()]);
            $(names.extend(checks!(@names $check message::$type));)+
            names
        }
    };
    (@names check_each $type:ty) => {
        <$type>::all().iter().map(|(variant, _)| format!("{}.{variant}.bin", <$type>::NAME))
    };
    (@names check_list $type:ty) => { [format!("{}.bin", <$type>::NAME)] };
}

checks! {
    requests_keep_their_bytes: check_each::<Request>;
    responses_keep_their_bytes: check_each::<Response>;
    worker_requests_keep_their_bytes: check_each::<WorkerRequest>;
    worker_events_keep_their_bytes: check_each::<WorkerEvent>;
    watch_items_keep_their_bytes: check_list::<WatchItem>;
    event_kinds_keep_their_bytes: check_list::<EventKind>;
    snapshot_progress_keeps_its_bytes: check_list::<SnapshotProgress>;
    snapshot_phases_keep_their_bytes: check_list::<SnapshotPhase>;
    snapshot_waits_keep_their_bytes: check_list::<SnapshotWait>;
    error_codes_keep_their_bytes: check_list::<ErrorCode>;
    workflow_selectors_keep_their_bytes: check_list::<WorkflowSelector>;
    job_selectors_keep_their_bytes: check_list::<JobSelector>;
    workflow_statuses_keep_their_bytes: check_list::<WorkflowStatus>;
    job_statuses_keep_their_bytes: check_list::<JobStatus>;
    stdio_modes_keep_their_bytes: check_list::<StdioMode>;
    commands_keep_their_bytes: check_list::<Command>;
    endings_keep_their_bytes: check_list::<Ending>;
    stop_causes_keep_their_bytes: check_list::<StopCause>;
    running_jobs_keep_their_bytes: check_list::<RunningJobs>;
    outputs_keep_their_bytes: check_list::<Output>;
    triggers_keep_their_bytes: check_list::<Trigger>;
    limits_of_failures_keep_their_bytes: check_list::<HaltAfter>;
    log_parts_keep_their_bytes: check_list::<LogPart>;
}

/// The layout of the hello never changes, so its golden bytes do not depend on the package version.
#[test]
fn the_hello_keeps_its_bytes() {
    let hello = Hello { protocol: PROTOCOL_VERSION, version: "1.2.3-golden".to_owned() };
    let bytes = hello.encode();
    assert_eq!(recorded("Hello", &bytes), bytes, "the layout of the hello must never change");
}

#[test]
fn no_golden_frame_is_left_without_its_message() {
    let present = fs::read_dir(dir()).unwrap().map(|entry| entry.unwrap().file_name());
    let names = names();
    for name in present {
        let name = name.into_string().unwrap();
        assert!(names.contains(&name), "nothing gives {name} any more: {}", next_version());
    }
}
