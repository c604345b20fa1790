//! What torcd and its workers say to each other.

use bytes::Bytes;
use torc_protocol::result::{AttemptResult, FileStamps};
use torc_protocol::time::{Span, Timestamp};
use torc_protocol::worker::{Recovery, StartExtra, StartJob};

use super::reply::{resources, stamp, usage};
use super::spec::{attempt, context, settings, workflow_id};
use super::{Command, Ending, LogPart, Output, StopCause, WorkerEvent, WorkerRequest, golden};

golden! {
    Ending {
        Exited => Self::Exited(3),
        Signaled => Self::Signaled(9),
        NotStarted => Self::NotStarted(127, "no such command".to_owned()),
        Lost => Self::Lost("the worker died".to_owned()),
        Withdrawn => Self::Withdrawn,
        Incomplete => Self::Incomplete(vec!["out/table.csv".to_owned()]),
        NotRecovered => Self::NotRecovered(3),
    }
}

golden! {
    Output {
        None => Self::None,
        Inline => Self::Inline(Bytes::from_static(b"\xffout\n")),
        File => Self::File {
            path: "/scratch/job1.out".to_owned(),
            bytes: 1_048_577,
            error: Some("no space left on device; 3 bytes are missing".to_owned()),
        },
    }
}

golden! {
    LogPart {
        Bytes => Self::Bytes(Bytes::from_static(b"\xffline\n")),
        File => Self::File { path: "/scratch/job1.out".to_owned(), bytes: 1_048_577 },
    }
}

golden! {
    WorkerRequest {
        Context => Self::Context {
            workflow: workflow_id(),
            context: context(),
            socket: "/run/torcd.sock".to_owned(),
        },
        Forget => Self::Forget { workflow: workflow_id() },
        Lane => Self::Lane { lane: 5, width: 104, workflow: workflow_id(), settings: settings() },
        Start => Self::Start {
            lane: 5,
            jobs: vec![StartJob {
                attempt: attempt(),
                name: "job1".to_owned(),
                command: Command::Line("gzip -k a".to_owned()),
                extra: Some(Box::new(StartExtra {
                    environment: vec![("SEED".to_owned(), "1".to_owned())],
                    invocation_script: Some("./wrap".to_owned()),
                    gpus: vec!["GPU-8f6a".to_owned()],
                    recovery: Some(Recovery { script: "./mend".to_owned(), return_code: 3 }),
                    inputs: vec!["in.csv".to_owned()],
                    outputs: vec!["out/table.csv".to_owned()],
                })),
            }],
        },
        Stop => Self::Stop {
            attempts: vec![attempt()],
            cause: StopCause::Canceled,
            grace: Some(Span(2_000_000)),
        },
        Tail => Self::Tail {
            id: 9,
            attempt: attempt(),
            stdout_offset: 70_000,
            stderr_offset: 3,
            limit: 4_194_304,
            wait: true,
        },
        Drain => Self::Drain { grace: Span(5_000_000) },
        Withdraw => Self::Withdraw { attempts: vec![attempt()], cause: StopCause::Shutdown },
    }
}

golden! {
    WorkerEvent {
        Ready => Self::Ready { resources: resources(), pid: 4_711 },
        Started => Self::Started {
            attempt: attempt(),
            pid: 4_194_304,
            at: Timestamp(1_700_000_000_500_000),
        },
        Finished => Self::Finished {
            attempt: attempt(),
            result: AttemptResult {
                ending: Ending::Signaled(15),
                stopped: Some(StopCause::Timeout),
                started_at: Timestamp(1_700_000_000_500_000),
                finished_at: Timestamp(1_700_000_001_000_000),
                usage: usage(),
                stdout: Output::Inline(Bytes::from_static(b"\xffout\n")),
                stderr: Output::None,
                limit_code: 152,
                lost_output: Some("stdout: no space left on device".to_owned()),
                recovery_code: Some(-1),
                files: Some(Box::new(FileStamps {
                    inputs: vec![None],
                    outputs: vec![Some(stamp())],
                })),
            },
        },
        Tailed => Self::Tailed {
            id: 9,
            parts: Some((
                LogPart::Bytes(Bytes::from_static(b"a")),
                LogPart::Bytes(Bytes::from_static(b"")),
            )),
        },
        Drained => Self::Drained,
    }
}
