//! The life of an attempt, in a straight line: recover, look at the inputs, run, look at the outputs.

use std::sync::Arc;

use torc_protocol::id::{AttemptId, AttemptNumber};
use torc_protocol::result::{AttemptResult, Ending, FileStamp, FileStamps, Usage};
use torc_protocol::time::Timestamp;
use torc_protocol::worker::Recovery;

use super::attempt::Attempt;
use super::environment::{Environment, JobEnvironment};
use super::files;
use super::program::Choice;
use super::setup::Place;
use super::shared::Shared;
use super::spawn::Spawner;
use super::stage::{Follow, Stage};
use super::streams::Streams;

/// One attempt on this thread.
pub(super) struct Life<'a> {
    shared: &'a Shared,
    attempt: &'a Arc<Attempt>,
    begun_at: Timestamp,
    usage: Usage,
    recovery_code: Option<i32>,
    files: Option<Box<FileStamps>>,
}

impl<'a> Life<'a> {
    pub(super) fn new(shared: &'a Shared, attempt: &'a Arc<Attempt>, begun_at: Timestamp) -> Self {
        let usage = Usage::default();
        Self { shared, attempt, begun_at, usage, recovery_code: None, files: None }
    }

    /// Leads it to its end.
    pub(super) fn run(mut self, spawner: &mut Spawner) -> AttemptResult {
        if self.attempt.stopped().is_some() {
            // Between its place in the lane and this thread.
            return self.result(Ending::Withdrawn);
        }
        let lane = Arc::clone(&self.attempt.lane);
        let place = match &lane.place {
            Ok(place) => place,
            Err(text) => return self.result(refused(text.clone())),
        };
        let stem = place.file_stem(lane.workflow, self.attempt.id());
        let mut streams = match Streams::open(lane.stdio, &stem, self.attempt) {
            Ok(streams) => streams,
            Err(error) => return self.result(refused(format!("cannot make a pipe: {error}"))),
        };
        let made = self.make(place, &mut streams, spawner);
        let ending = made.unwrap_or_else(|not_made| not_made);
        let kept = self.attempt.tail.close();
        let mut result = self.result(ending);
        let is_completed = result.ending == Ending::Exited(0) && result.stopped.is_none();
        if is_completed && lane.delete_on_success {
            streams.discard();
        } else {
            let (outputs, lost) = streams.finish(kept);
            [result.stdout, result.stderr] = outputs;
            result.lost_output = lost;
        }
        result.finished_at = Timestamp::now();
        result
    }

    /// Makes the attempt.
    ///
    /// # Errors
    ///
    /// The ending of one that was not made.
    fn make(
        &mut self,
        place: &Place,
        streams: &mut Streams,
        spawner: &mut Spawner,
    ) -> Result<Ending, Ending> {
        let job = &self.attempt.job;
        let extra = job.extra.as_deref();
        let own = place.environment.for_job(extra).map_err(refused)?;
        let environment = &*own;
        let noted = self.shared.journal.note(job.attempt);
        noted.map_err(|error| refused(format!("cannot note that it begins: {error}")))?;
        if let Some(recovery) = extra.and_then(|extra| extra.recovery.as_ref()) {
            let stage = self.recovery(recovery, environment, place).map_err(refused)?;
            self.go_on()?;
            self.recover(&stage, streams, spawner)?;
        }
        let inputs =
            extra.map_or_else(Vec::new, |extra| files::stamps(&place.files_dir, &extra.inputs));
        let stage = Stage {
            choice: Choice::of_job(job, environment).map_err(refused)?,
            environment: JobEnvironment::new(environment, job.attempt, &job.name, None)
                .map_err(refused)?,
            mark: job.attempt,
            place,
            follow: Follow::Nothing,
        };
        self.go_on()?;
        let ended = stage.run(self.shared, self.attempt, streams, spawner)?;
        self.add(ended.usage);
        Ok(self.look_at_outputs(place, inputs, ended.ending))
    }

    /// Looks whether a process is still to be made: what came before may have taken long, where a
    /// file system stalls.
    ///
    /// # Errors
    ///
    /// The ending of an attempt that was stopped meanwhile.
    fn go_on(&self) -> Result<(), Ending> {
        match self.attempt.stopped() {
            Some(_) => Err(self.recovery_code.map_or(Ending::Withdrawn, Ending::NotRecovered)),
            None => Ok(()),
        }
    }

    /// Prepares what is run because the attempt before this one failed.
    fn recovery<'p>(
        &self,
        recovery: &Recovery,
        environment: &Environment,
        place: &'p Place,
    ) -> Result<Stage<'p>, String> {
        let job = &self.attempt.job;
        let number = AttemptNumber(job.attempt.number.0.saturating_sub(1));
        let failed = AttemptId { job: job.attempt.job, number };
        Ok(Stage {
            choice: Choice::of_line(&recovery.script, environment)?,
            environment: JobEnvironment::new(environment, failed, &job.name, Some(recovery))?,
            mark: failed,
            place,
            follow: Follow::Attempt,
        })
    }

    /// Runs the recovery script.
    ///
    /// # Errors
    ///
    /// The attempt is not to be made.
    fn recover(
        &mut self,
        stage: &Stage<'_>,
        streams: &mut Streams,
        spawner: &mut Spawner,
    ) -> Result<(), Ending> {
        let ended = stage.run(self.shared, self.attempt, streams, spawner);
        let ending = match ended {
            Ok(ended) => {
                self.add(ended.usage);
                ended.ending
            }
            Err(ending) => ending,
        };
        let code = match ending {
            Ending::Exited(code) | Ending::NotStarted(code, _) => code,
            Ending::Signaled(signal) => 128 + signal,
            ending => return Err(ending),
        };
        self.recovery_code = Some(code);
        match code {
            0 if self.attempt.stopped().is_none() => Ok(()),
            code => Err(Ending::NotRecovered(code)),
        }
    }

    /// Returns the ending, which depends on the files that the job should have written.
    fn look_at_outputs(
        &mut self,
        place: &Place,
        inputs: Vec<Option<FileStamp>>,
        ending: Ending,
    ) -> Ending {
        let Some(extra) = self.attempt.job.extra.as_deref() else { return ending };
        if extra.inputs.is_empty() && extra.outputs.is_empty() {
            return ending;
        }
        let outputs = files::stamps(&place.files_dir, &extra.outputs);
        let missing = files::missing(&extra.outputs, &outputs);
        self.files = Some(Box::new(FileStamps { inputs, outputs }));
        let is_completed = ending == Ending::Exited(0) && self.attempt.stopped().is_none();
        if is_completed && !missing.is_empty() { Ending::Incomplete(missing) } else { ending }
    }

    fn add(&mut self, usage: Usage) {
        let sum = &mut self.usage;
        sum.wall.0 += usage.wall.0;
        sum.user_cpu.0 += usage.user_cpu.0;
        sum.system_cpu.0 += usage.system_cpu.0;
        sum.peak_memory = sum.peak_memory.max(usage.peak_memory);
    }

    fn result(self, ending: Ending) -> AttemptResult {
        AttemptResult {
            usage: self.usage,
            recovery_code: self.recovery_code,
            files: self.files,
            ..self.attempt.result(ending, self.begun_at)
        }
    }
}

/// Returns the ending of an attempt that torc itself could not make.
fn refused(text: String) -> Ending {
    Ending::NotStarted(125, text)
}
