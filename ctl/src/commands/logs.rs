//! `torcctl logs`: what a job wrote, byte for byte.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use torc_protocol::id::AttemptNumber;
use torc_protocol::request::{JobSelector, Logs, WorkflowSelector};
use torc_protocol::result::LogPart;

use crate::commands::value;
use crate::context::Context;
use crate::error::{CliError, ErrorKind};
use crate::exit_code;
use crate::format::Format;

/// How many bytes of each stream one reply may hold.
const CHUNK: u32 = 1024 * 1024;

const EXAMPLES: &str = "\
Examples:
  torcctl logs job7                  its output on stdout, its errors on stderr
  torcctl logs job7 -f               the same while it runs, until it ends
  torcctl logs job7 --stderr | less  only its errors
  torcctl logs 4711 --attempt 1      the first attempt of the job with this id";

/// Show what a job wrote
///
/// What it wrote to stdout goes to stdout and what it wrote to stderr goes to stderr, as it is.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The job: its name, or its id unless --workflow is given
    #[arg(value_name = "JOB")]
    job: String,
    /// The workflow of a job that is named: its id, its name, or `latest`
    #[arg(long, short = 'w', value_name = "WORKFLOW", value_parser = value::workflow)]
    workflow: Option<WorkflowSelector>,
    /// Go on until the job has ended
    #[arg(long, short)]
    follow: bool,
    /// Only what it wrote to stdout
    #[arg(long)]
    stdout: bool,
    /// Only what it wrote to stderr, on stdout
    #[arg(long, conflicts_with = "stdout")]
    stderr: bool,
    /// This attempt instead of the last one; 1 is the first
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    attempt: Option<u32>,
}

/// Runs it.
///
/// # Errors
///
/// When the job does not exist or never ran, nobody can be asked, or a file of output is gone.
pub async fn run(ctx: &mut Context, args: Args) -> Result<u8, CliError> {
    if ctx.globals.given_format.is_some_and(Format::is_for_programs) {
        return Err(CliError::usage(
            "logs are given out as the job wrote them, in no other format",
        )
        .hint("`torcctl jobs get JOB --format json` describes the attempts"));
    }
    let mut reader = ctx.reader().await?;
    let printer = Printer::new(&args);
    let mut request = Logs {
        job: value::job(&args.job, args.workflow.as_ref()),
        attempt: args.attempt.map(AttemptNumber),
        stdout_offset: 0,
        stderr_offset: 0,
        limit: CHUNK,
        wait: args.follow,
    };
    loop {
        let chunk = reader.client.call(request.clone()).await?;
        let before = (request.stdout_offset, request.stderr_offset);
        request.stdout_offset += printer.stdout.write(&chunk.stdout, request.stdout_offset)?;
        request.stderr_offset += printer.stderr.write(&chunk.stderr, request.stderr_offset)?;
        let is_new = before != (request.stdout_offset, request.stderr_offset);
        if chunk.ended || !(is_new || args.follow) {
            return Ok(exit_code::DONE);
        }
        // A retry, or a later job of the same name, must not get into the same output.
        request.job = JobSelector::Id(chunk.attempt.job);
        request.attempt = Some(chunk.attempt.number);
    }
}

/// Where the two streams of the job go.
struct Printer {
    stdout: Destination,
    stderr: Destination,
}

enum Destination {
    Nowhere,
    Stdout,
    Stderr,
}

impl Printer {
    fn new(args: &Args) -> Self {
        let (stdout, stderr) = match (args.stdout, args.stderr) {
            (_, true) => (Destination::Nowhere, Destination::Stdout),
            (true, false) => (Destination::Stdout, Destination::Nowhere),
            (false, false) => (Destination::Stdout, Destination::Stderr),
        };
        Self { stdout, stderr }
    }
}

impl Destination {
    /// Writes the part of a stream that begins at `offset`, and returns how long it was.
    fn write(&self, part: &LogPart, offset: u64) -> Result<u64, CliError> {
        match self {
            Self::Nowhere => Ok(match part {
                LogPart::Bytes(bytes) => bytes.len() as u64,
                LogPart::File { bytes, .. } => bytes.saturating_sub(offset),
            }),
            Self::Stdout => copy(part, offset, &mut io::stdout().lock()),
            Self::Stderr => copy(part, offset, &mut io::stderr().lock()),
        }
    }
}

fn copy(part: &LogPart, offset: u64, out: &mut dyn Write) -> Result<u64, CliError> {
    let written = match part {
        LogPart::Bytes(bytes) => {
            out.write_all(bytes)?;
            bytes.len() as u64
        }
        LogPart::File { path, bytes } => {
            let unreadable = |error: io::Error| {
                let message = format!("cannot read the job's output in {path}: {error}");
                CliError::new(ErrorKind::NotFound, message)
                    .hint("`torcctl jobs get JOB --format json` names the files of each attempt")
            };
            let mut file = File::open(path).map_err(unreadable)?;
            file.seek(SeekFrom::Start(offset)).map_err(unreadable)?;
            io::copy(&mut file.take(bytes.saturating_sub(offset)), out)?
        }
    };
    out.flush()?;
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_copied_as_they_are() {
        let mut out = Vec::new();
        let part = LogPart::Bytes(bytes::Bytes::from_static(b"\xff\x00\n"));
        assert_eq!(copy(&part, 7, &mut out).unwrap(), 3);
        assert_eq!(out, b"\xff\x00\n");
    }

    #[test]
    fn a_file_is_read_from_the_offset_to_the_length_known() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        std::fs::write(&path, "0123456789").unwrap();
        let part = LogPart::File { path: path.to_str().unwrap().to_owned(), bytes: 8 };
        let mut out = Vec::new();
        assert_eq!(copy(&part, 3, &mut out).unwrap(), 5);
        assert_eq!(out, b"34567");
    }

    #[test]
    fn a_file_that_is_gone_is_named() {
        let part = LogPart::File { path: "/nonexistent/out".to_owned(), bytes: 8 };
        let error = copy(&part, 0, &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound);
        assert!(error.message.contains("/nonexistent/out"), "{}", error.message);
    }
}
