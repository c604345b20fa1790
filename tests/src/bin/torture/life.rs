//! A life: what is started, who talks to it, who strikes it, and how it ends.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, ExitStatus};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use anyhow::{Context, bail};
use nix::sys::signal::Signal;
use torc_protocol::event::EventKind;
use torc_protocol::request::Shutdown;
use torc_protocol::response::SnapshotProgress;
use torc_tests::client::Client;
use torc_tests::processes;
use torc_tests::wait::LIMIT;

use crate::bell::Bell;
use crate::clients::Clients;
use crate::figures::Kind;
use crate::killer::{self, Hit};
use crate::plan::{Entry, Home, Life, Role, Starter};
use crate::round::Round;
use crate::watch::Watch;

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With this code.
    Code(i32),
    /// By this signal.
    Signal(Signal),
}

impl End {
    fn of(status: ExitStatus) -> anyhow::Result<Self> {
        match (status.code(), status.signal()) {
            (Some(code), _) => Ok(Self::Code(code)),
            (None, Some(signal)) => Ok(Self::Signal(Signal::try_from(signal)?)),
            (None, None) => bail!("an odd end: {status}"),
        }
    }
}

/// Says that a life is over, however it is left: those who wait for a moment in it would wait for
/// ever.
struct Over<'a>(&'a Bell);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.over();
    }
}

/// A life that is under way.
pub(crate) struct Conduct<'a, 'b> {
    pub(crate) round: &'a Round<'b>,
    pub(crate) life: &'a Life,
}

impl Conduct<'_, '_> {
    /// Plays it, and returns how what was started ended, and who was hit.
    pub(crate) fn play(&self, entry: Entry) -> anyhow::Result<(End, Vec<Hit>)> {
        if self.round.plan.starter == Starter::Service {
            return self.service();
        }
        let has_run = !self.round.ledger().workflows.is_empty();
        let first = match entry {
            Entry::Again => self.first_command()?,
            Entry::Latest | Entry::Recover => vec!["run".to_owned(), "latest".to_owned()],
        };
        let played = self.private(&first)?;
        match played.0 {
            // The one before still has the database, which only waiting can change.
            End::Code(7) => {
                self.round.silence();
                self.private(&first)
            }
            // Nothing of what was tried before was recorded, or said to be.
            End::Code(6) if !has_run => self.private(&self.first_command()?),
            _ => Ok(played),
        }
    }

    /// Runs `torcctl snapshot recover`.
    pub(crate) fn recover(&self) -> anyhow::Result<End> {
        let target = self.round.stage.target();
        let mut command = self.round.stage.command("torcctl")?;
        command.arg("--db").arg(target).args(["snapshot", "recover"]);
        End::of(command.status().context("running `torcctl snapshot recover`")?)
    }

    fn service(&self) -> anyhow::Result<(End, Vec<Hit>)> {
        let round = self.round;
        let bell = Arc::new(Bell::new());
        let _watch =
            Watch::start(bell.clone(), &round.stage.path("evidence"), &round.stage.path("target"))?;
        let mut child = round.stage.command("torcd")?.args(self.service_arguments()).spawn()?;
        let stdout = child.stdout.take().context("stdout is a pipe")?;
        let hits = thread::scope(|scope| -> anyhow::Result<_> {
            let over = Over(&bell);
            let killer = scope.spawn(|| killer::strike(round, &bell, &self.life.strikes, None));
            let (said, lines) = channel();
            scope.spawn(move || read_lines(stdout, &said));
            let is_ready = wait_for(&lines, |line| line.starts_with("TORCD_READY"));
            if is_ready.is_ok_and(|ready| ready) {
                self.serve(&bell);
                bell.ending();
                self.end_service(&child);
            }
            let ended = wait_for(&lines, |_| false);
            self.give_up_unless(ended);
            drop(over);
            killer.join().map_err(|_| anyhow::anyhow!("the killer has panicked"))
        })?;
        Ok((End::of(child.wait()?)?, hits))
    }

    fn service_arguments(&self) -> Vec<String> {
        let round = self.round;
        let path = |path: std::path::PathBuf| path.to_string_lossy().into_owned();
        let target = path(round.stage.target());
        let mut arguments = match round.plan.home {
            Home::Memory => vec!["--in-memory".to_owned()],
            Home::InPlace => vec!["--database".to_owned(), target.clone()],
            Home::Disk => vec!["--database".to_owned(), path(round.stage.path("disk/live.db"))],
        };
        let keep = round.plan.keep.to_string();
        arguments.extend(["--snapshot".to_owned(), target, "--snapshot-keep".to_owned(), keep]);
        if round.plan.interval {
            arguments.extend(["--snapshot-interval-seconds".to_owned(), "1".to_owned()]);
        }
        arguments
    }

    /// Lets clients work until all is done, or torcd has gone.
    fn serve(&self, bell: &Bell) {
        let round = self.round;
        let socket = round.stage.socket(None);
        let clients = Clients { round, bell, socket: &socket };
        let may_fail = self.may_fail();
        thread::scope(|scope| {
            let submitters = [0, 1].map(|half| {
                let share: Vec<_> = round.plan.workflows.iter().skip(half).step_by(2).collect();
                let clients = &clients;
                scope.spawn(move || clients.submit(&share))
            });
            scope.spawn(|| clients.list());
            scope.spawn(|| clients.snapshot(may_fail));
            for submitter in submitters {
                if submitter.join().is_err() {
                    round.fault(Kind::Conduct, "a client has panicked".to_owned());
                }
            }
            bell.ending();
        });
    }

    /// Whether snapshots may fail because of who is hit.
    fn may_fail(&self) -> bool {
        self.life.strikes.iter().any(|strike| strike.victims.contains(&Role::Writer))
    }

    /// Ends a service: the last by a request, the others by a signal.
    fn end_service(&self, child: &Child) {
        if !self.life.strikes.is_empty() {
            return processes::signal(child.id(), Signal::SIGTERM);
        }
        let asked = Client::connect(&self.round.stage.socket(None)).and_then(|mut client| {
            client.send(Shutdown::default())?;
            let mut last = None;
            while let Some(progress) = client.part::<Shutdown>()? {
                last = Some(progress);
            }
            Ok(last)
        });
        match asked {
            Ok(Some(SnapshotProgress::Done(view))) => {
                self.round.ledger().on_disk(view.generation.0);
            }
            other => {
                self.round.fault(Kind::Conduct, format!("an undisturbed end: {other:?}"));
                // Else it would be waited for in vain.
                processes::signal(child.id(), Signal::SIGTERM);
            }
        }
    }

    fn first_command(&self) -> anyhow::Result<Vec<String>> {
        let round = self.round;
        let Some(workflow) = round.plan.workflows.first() else { bail!("there is no workflow") };
        if round.plan.starter == Starter::Run {
            let path = round.stage.path("work/flow.json");
            std::fs::write(&path, workflow.file().to_string())?;
            return Ok(vec!["run".to_owned(), "flow.json".to_owned()]);
        }
        let mut arguments = vec!["exec".to_owned(), "-n".to_owned(), workflow.name.clone()];
        if workflow.jobs[0].retried {
            arguments.extend(["--retries".to_owned(), "1".to_owned()]);
        }
        for job in &workflow.jobs {
            arguments.extend(["-c".to_owned(), job.line()]);
        }
        Ok(arguments)
    }

    fn private_options(&self) -> Vec<String> {
        let plan = self.round.plan;
        let home = if plan.home == Home::InPlace { "--on-disk" } else { "--in-memory" };
        let mut options = vec![home.to_owned()];
        for (name, value) in [("-j", plan.parallel), ("--snapshot-keep", plan.keep)] {
            options.extend([name.to_owned(), value.to_string()]);
        }
        if plan.interval {
            options.extend(["--snapshot-interval-seconds".to_owned(), "1".to_owned()]);
        }
        options
    }

    fn private(&self, arguments: &[String]) -> anyhow::Result<(End, Vec<Hit>)> {
        let round = self.round;
        let bell = Arc::new(Bell::new());
        let _watch =
            Watch::start(bell.clone(), &round.stage.path("evidence"), &round.stage.path("target"))?;
        let mut command = round.stage.command("torcctl")?;
        command.args(["--format", "ndjson", "--db"]).arg(round.stage.target());
        let (verb, rest) = arguments.split_first().context("a command has a name")?;
        command.arg(verb).args(self.private_options()).args(rest);
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().context("stdout is a pipe")?;
        let (pid, may_fail) = (child.id(), self.may_fail());
        let socket = round.stage.socket(Some(pid));
        let clients = &Clients { round, bell: &bell, socket: &socket };
        let hits = thread::scope(|scope| -> anyhow::Result<_> {
            let over = Over(&bell);
            let strikes = &self.life.strikes;
            let killer = scope.spawn(|| killer::strike(round, &bell, strikes, Some(pid)));
            let (said, lines) = channel();
            scope.spawn(move || read_lines(stdout, &said));
            scope.spawn(|| clients.list());
            scope.spawn(|| clients.snapshot(may_fail));
            let ended = wait_for(&lines, |line| self.hear(&bell, line));
            self.give_up_unless(ended);
            if self.life.waits {
                // Strikes at its torcd may still be due.
                round.silence();
            }
            drop(over);
            killer.join().map_err(|_| anyhow::anyhow!("the killer has panicked"))
        });
        Ok((End::of(child.wait()?)?, hits?))
    }

    /// Takes a line of JSON from torcctl. It is never the last.
    fn hear(&self, bell: &Bell, line: &str) -> bool {
        match self.round.ledger().line(line) {
            Ok(Some(event)) => {
                bell.acknowledged();
                if matches!(event.kind, EventKind::WorkflowFinished { .. }) {
                    bell.ending();
                }
            }
            Ok(None) => {}
            Err(error) => {
                let text = format!("torcctl writes what is no event: {error}: {line}");
                self.round.fault(Kind::Conduct, text);
            }
        }
        false
    }

    /// Kills all when something did not end in time.
    fn give_up_unless(&self, ended: anyhow::Result<bool>) {
        if let Err(error) = ended {
            let left = self.round.stage.processes();
            self.round.fault(Kind::Conduct, format!("{error:#}; there are {left:?}"));
            self.round.stage.kill_all();
        }
    }
}

fn read_lines(stdout: ChildStdout, said: &Sender<String>) {
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        if said.send(line).is_err() {
            return;
        }
    }
}

/// Waits for a line of which `is_it` says so. Returns false when all has been said before.
///
/// # Errors
///
/// When nothing is said for [`LIMIT`].
fn wait_for(lines: &Receiver<String>, is_it: impl Fn(&str) -> bool) -> anyhow::Result<bool> {
    use std::sync::mpsc::RecvTimeoutError;
    loop {
        match lines.recv_timeout(LIMIT) {
            Ok(line) if is_it(&line) => return Ok(true),
            Ok(_) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(false),
            Err(RecvTimeoutError::Timeout) => {
                bail!("it said nothing for {} s, and did not end", LIMIT.as_secs())
            }
        }
    }
}
