//! A client of torcd that blocks.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use bytes::BytesMut;
use tokio_util::codec::Decoder;
use torc_protocol::codec::{Codec, frame};
use torc_protocol::event::EventKind;
use torc_protocol::hello::Hello;
use torc_protocol::request::{Request, Submit, SubmitCommit, SubmitJobs};
use torc_protocol::response::{Response, WatchItem};
use torc_protocol::spec::{JobContext, JobSettings, JobSpec, WorkflowSpec};
use torc_protocol::status::WorkflowStatus;

use crate::shape::Shape;

/// So many jobs are sent in one frame.
const CHUNK: usize = 2_000;

/// One connection.
pub(crate) struct Client {
    stream: UnixStream,
    codec: Codec<Response, ()>,
    buffer: BytesMut,
}

impl Client {
    pub(crate) fn connect(socket: &Path) -> anyhow::Result<Self> {
        let mut stream = UnixStream::connect(socket)?;
        let hello = Hello::ours().encode();
        stream.write_all(&hello)?;
        stream.read_exact(&mut vec![0; hello.len()])?;
        Ok(Self { stream, codec: Codec::default(), buffer: BytesMut::new() })
    }

    pub(crate) fn send(&mut self, request: impl Into<Request>) -> anyhow::Result<()> {
        Ok(self.stream.write_all(&frame(request.into())?)?)
    }

    pub(crate) fn receive(&mut self) -> anyhow::Result<Response> {
        let mut bytes = [0; 64 * 1024];
        loop {
            match self.codec.decode(&mut self.buffer)? {
                Some(Response::Error(error)) => bail!("{error}"),
                Some(response) => return Ok(response),
                None => {}
            }
            let length = self.stream.read(&mut bytes)?;
            ensure!(length > 0, "torcd has closed the connection");
            self.buffer.extend_from_slice(&bytes[..length]);
        }
    }

    pub(crate) fn ask(&mut self, request: impl Into<Request>) -> anyhow::Result<Response> {
        self.send(request)?;
        self.receive()
    }

    /// Submits a graph, watched; returns how many edges it has.
    pub(crate) fn submit(&mut self, shape: Shape, jobs: u32) -> anyhow::Result<u64> {
        let spec = WorkflowSpec {
            name: shape.name().to_owned(),
            context: JobContext {
                working_dir: "/".to_owned(),
                output_dir: "/".to_owned(),
                ..JobContext::default()
            },
            settings: vec![JobSettings::default()],
            ..WorkflowSpec::default()
        };
        self.ask(Submit { spec, key: None })?;
        let mut edges = 0;
        let mut chunk = Vec::with_capacity(CHUNK);
        for job in shape.jobs(jobs) {
            edges += job.depends_on.len() as u64;
            chunk.push(job);
            if chunk.len() == CHUNK {
                self.send_jobs(&mut chunk)?;
            }
        }
        self.send_jobs(&mut chunk)?;
        match self.ask(SubmitCommit { watch: true })? {
            Response::Submitted(_) => Ok(edges),
            other => bail!("{other:?}"),
        }
    }

    fn send_jobs(&mut self, chunk: &mut Vec<JobSpec>) -> anyhow::Result<()> {
        let jobs = std::mem::replace(chunk, Vec::with_capacity(CHUNK));
        self.ask(SubmitJobs { jobs })?;
        Ok(())
    }

    /// Reads events until the workflow has ended with every job completed.
    pub(crate) fn watch_to_the_end(&mut self, jobs: u64) -> anyhow::Result<()> {
        loop {
            let events = match self.receive()? {
                Response::Watch(WatchItem::Events(events)) => events,
                Response::Watch(WatchItem::Cut { .. }) => bail!("too slow a reader"),
                _ => continue,
            };
            let last = events.last().context("no event")?;
            if let EventKind::WorkflowFinished { status, counts } = &last.kind {
                let done = (*status, counts.completed);
                ensure!(done == (WorkflowStatus::Completed, jobs), "{done:?}");
                return Ok(());
            }
        }
    }
}
