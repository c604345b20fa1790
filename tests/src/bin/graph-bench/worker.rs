//! A worker that runs nothing: every job has ended well the moment it arrives.

use std::io::{Read, Write};
use std::process::ExitCode;

use bytes::BytesMut;
use tokio_util::codec::Decoder;
use torc_protocol::codec::{Codec, frame};
use torc_protocol::hello::Hello;
use torc_protocol::resources::NodeResources;
use torc_protocol::result::{AttemptResult, Ending};
use torc_protocol::time::Timestamp;
use torc_protocol::worker::{WorkerEvent, WorkerRequest};

/// How many CPUs it says to have.
const CPUS: u32 = 64;

/// Speaks with torcd over stdin and stdout until that is gone.
pub(crate) fn run() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the worker of the benchmark: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> anyhow::Result<()> {
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let hello = Hello::ours().encode();
    output.write_all(&hello)?;
    output.flush()?;
    input.read_exact(&mut vec![0; hello.len()])?;
    let resources = NodeResources { host: "bench".to_owned(), cpus: CPUS, ..Default::default() };
    output.write_all(&frame(&WorkerEvent::Ready { resources, pid: std::process::id() })?)?;
    output.flush()?;
    let mut codec = Codec::<WorkerRequest, ()>::default();
    let mut buffer = BytesMut::new();
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let length = input.read(&mut bytes)?;
        if length == 0 {
            return Ok(());
        }
        buffer.extend_from_slice(&bytes[..length]);
        let now = Timestamp::now();
        let mut answer = Vec::new();
        while let Some(request) = codec.decode(&mut buffer)? {
            let WorkerRequest::Start { jobs, .. } = request else { continue };
            for job in jobs {
                let result = AttemptResult::bare(Ending::Exited(0), now);
                let event = WorkerEvent::Finished { attempt: job.attempt, result };
                answer.extend_from_slice(&frame(&event)?);
            }
        }
        output.write_all(&answer)?;
        output.flush()?;
    }
}
