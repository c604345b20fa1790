//! A round: lives that are struck, one that is not, and what must hold then.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::sys::signal::Signal;

use crate::evidence::Evidence;
use crate::figures::{Fault, Figures, Kind};
use crate::killer::Hit;
use crate::ledger::Ledger;
use crate::life::{Conduct, End};
use crate::plan::{Entry, Home, Life, Plan, Role, Starter};
use crate::stage::Stage;

/// How long processes may take to end after what was started has. Jobs of `torcctl exec` have 5 s
/// from SIGTERM to SIGKILL.
const SILENCE: Duration = Duration::from_secs(20);

/// A round that is under way.
pub(crate) struct Round<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) stage: &'a Stage,
    pub(crate) figures: &'a Figures,
    ledger: Mutex<Ledger>,
    faults: Mutex<Vec<Fault>>,
}

impl<'a> Round<'a> {
    /// Sets it up.
    pub(crate) fn new(plan: &'a Plan, stage: &'a Stage, figures: &'a Figures) -> Self {
        let has_keys = plan.starter == Starter::Service;
        let ledger = Mutex::new(Ledger { has_keys, ..Ledger::default() });
        Self { plan, stage, figures, ledger, faults: Mutex::default() }
    }

    /// Returns what was acknowledged so far.
    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that something is wrong.
    pub(crate) fn fault(&self, kind: Kind, text: String) {
        self.stage.log(&format!("FAULT {kind:?}: {text}"));
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).push(Fault { kind, text });
    }

    /// Plays it, and returns what was wrong.
    pub(crate) fn play(self) -> Vec<Fault> {
        if let Err(error) = self.play_all() {
            self.fault(Kind::Conduct, format!("{error:#}"));
        }
        for text in self.ledger().contradictions.clone() {
            self.fault(Kind::Lost, text);
        }
        self.faults.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn play_all(&self) -> anyhow::Result<()> {
        for (number, life) in self.plan.lives.iter().enumerate() {
            let entry = if number == 0 { Entry::Again } else { life.entry };
            self.live(entry, life).with_context(|| format!("life {}", number + 1))?;
        }
        let last = Life { entry: Entry::Latest, waits: true, strikes: Vec::new() };
        self.silence();
        // What fails the first time, or was lost, completes in one of these.
        for _ in 0..3 {
            let end = self.live(last.entry, &last).context("the last life")?;
            if end != End::Code(1) || !self.plan.all_complete() {
                break;
            }
        }
        if !self.strange_remains().is_empty() {
            // What no torcd could remove while it was wanted, or looked so, goes with the next.
            self.live(last.entry, &last).context("a life to tidy up")?;
        }
        self.settle()
    }

    /// Plays a life from its start to its death.
    fn live(&self, entry: Entry, life: &Life) -> anyhow::Result<End> {
        self.figures.lives.add(1);
        self.stage.log(&format!("life {entry:?} {life:?}"));
        let conduct = Conduct { round: self, life };
        if entry == Entry::Recover && self.plan.home == Home::Memory {
            self.silence();
            self.recover(&conduct)?;
        }
        let (end, hits) = conduct.play(entry)?;
        self.stage.log(&format!("ended with {end:?} after {hits:?}"));
        if life.waits {
            self.silence();
        }
        self.expect_files_whole(life.waits);
        self.judge(life, end, &hits);
        Ok(end)
    }

    /// Brings home by command what killed torcds have left.
    fn recover(&self, conduct: &Conduct<'_, '_>) -> anyhow::Result<()> {
        match conduct.recover()? {
            End::Code(0) => {
                self.figures.recovered.add(1);
                if self.ledger().len() > 0 {
                    self.expect_durable(&self.stage.target(), "`torcctl snapshot recover`");
                }
            }
            // Nothing was recorded yet.
            End::Code(6) if self.ledger().len() == 0 => {}
            end => self.fault(Kind::Conduct, format!("`torcctl snapshot recover`: {end:?}")),
        }
        Ok(())
    }

    /// Checks that what was started has ended as it may, and that what it says of the record is so.
    fn judge(&self, life: &Life, end: End, hits: &[Hit]) {
        let is_hit = |role: Role| hits.iter().any(|hit| hit.role == role);
        let killed = |role| hits.contains(&Hit { role, signal: Signal::SIGKILL });
        let polite = hits.iter().filter(|hit| hit.signal != Signal::SIGKILL).count();
        let is_service = self.plan.starter == Starter::Service;
        let top = if is_service { Role::Torcd } else { Role::Torcctl };
        // Who has started torcd tells it to end as well: that may be the second time, which is to say
        // that nobody waits for the snapshot.
        let told = |hit: &Hit| hit.role == Role::Torcd && hit.signal != Signal::SIGKILL;
        let is_hurried = polite > 1 || hits.iter().any(told);
        let has_run = !self.ledger().workflows.is_empty();
        let may_be = match end {
            End::Code(0) => true,
            // A service that is told to end before it is ready has done nothing.
            End::Code(1) => !is_service || hits.iter().any(told),
            End::Code(129 | 130 | 143) => !is_service && polite > 0,
            End::Code(3) => is_hit(Role::Torcd),
            End::Code(5) => is_hit(Role::Writer) || killed(Role::Torcd) || is_hurried,
            End::Code(6) => !has_run,
            End::Code(_) => false,
            End::Signal(signal) => hits.contains(&Hit { role: top, signal }),
        };
        if !may_be {
            self.fault(Kind::Conduct, format!("it ended with {end:?} after {hits:?} in {life:?}"));
        }
        let says_durable = match end {
            End::Code(1) => !is_service,
            End::Code(129 | 130 | 143) => !self.stage.never_began(),
            end => end == End::Code(0),
        };
        // Before there was anything to save, nothing need be there.
        if says_durable && (has_run || self.stage.target().exists()) {
            let said = format!("{end:?}");
            self.expect_durable(&self.stage.target(), &said);
            if self.plan.home == Home::Disk {
                self.expect_durable(&self.stage.path("disk/live.db"), &said);
            }
        }
    }

    /// Waits until nothing runs any more.
    pub(crate) fn silence(&self) {
        let end = Instant::now() + SILENCE;
        loop {
            let left = self.stage.processes();
            if left.is_empty() {
                return;
            }
            if Instant::now() > end {
                self.fault(Kind::Orphan, format!("after {} s: {left:?}", SILENCE.as_secs()));
                self.stage.kill_all();
                return;
            }
            // The children of children of others: no event tells of their end.
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Checks what is left at the very end.
    fn settle(&self) -> anyhow::Result<()> {
        let evidence = Evidence::read(&self.stage.path("evidence"))?;
        let path = match self.plan.home {
            Home::Memory | Home::InPlace => self.stage.target(),
            Home::Disk => self.stage.path("disk/live.db"),
        };
        if let Some(record) = self.read(&path) {
            self.figures.workflows.add(record.workflows.len() as u64);
            self.figures.jobs.add(record.jobs.len() as u64);
            self.expect_agreement(&evidence, &record);
            self.expect_ends(&record);
        }
        self.figures.attempts.add(evidence.begun());
        self.figures.acknowledged.add(self.ledger().len());
        for text in self.strange_remains() {
            self.fault(Kind::Leftover, text);
        }
        Ok(())
    }
}
