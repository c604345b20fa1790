//! What happens while requests are measured.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail, ensure};
use torc_protocol::request::{Snapshot, SnapshotWait, Status};
use torc_protocol::response::SnapshotProgress;
use torc_protocol::view::SnapshotPhase;
use torc_tests::client::Client;
use torc_tests::slow_disk::SlowDisk;
use torc_tests::small_disk::SmallDisk;

use crate::place::Place;

/// The size of the disk that is full.
const SMALL: u64 = 16 << 20;

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nothing.
    None,
    /// Snapshots, one after the other.
    BackToBack,
    /// One snapshot, to a disk that does not answer.
    Frozen,
    /// A snapshot each second, to a disk that is full.
    Full,
}

impl Trouble {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "baseline",
            Self::BackToBack => "(a) snapshots back to back",
            Self::Frozen => "(b) target frozen",
            Self::Full => "(c) target full",
        }
    }

    /// Begins it; none where that cannot be done here, which is said.
    pub(crate) fn begin<'p>(
        self,
        socket: &Path,
        place: &'p Place,
    ) -> anyhow::Result<Option<Running<'p>>> {
        let disk = match self {
            Self::None | Self::BackToBack => Disk::Sound,
            Self::Frozen => match SlowDisk::mount() {
                Some(disk) => Disk::Slow(disk),
                None => return Ok(None),
            },
            Self::Full => match SmallDisk::mount(SMALL) {
                Some(disk) => Disk::Small(disk),
                None => return Ok(None),
            },
        };
        match &disk {
            Disk::Sound => place.mend()?,
            Disk::Slow(disk) => {
                place.lead_to(disk.dir())?;
                disk.freeze();
                snapshot(&mut Client::connect(socket)?, SnapshotWait::No)?;
                disk.wait_for_a_victim();
            }
            Disk::Small(disk) => {
                place.lead_to(disk.dir())?;
                disk.fill();
            }
        }
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, socket) = (stop.clone(), socket.to_owned());
        let asking = thread::spawn(move || ask(self, &socket, &stopped));
        Ok(Some(Running { place, disk, asking, stop }))
    }
}

enum Disk {
    Sound,
    Slow(SlowDisk),
    Small(SmallDisk),
}

/// Something that happens until it is ended.
pub(crate) struct Running<'a> {
    place: &'a Place,
    disk: Disk,
    asking: JoinHandle<anyhow::Result<String>>,
    stop: Arc<AtomicBool>,
}

impl Running<'_> {
    /// Ends it, waits until torcd has got over it, and returns what there is to tell.
    pub(crate) fn end(self) -> anyhow::Result<String> {
        self.stop.store(true, Ordering::Relaxed);
        if let Disk::Slow(disk) = &self.disk {
            disk.thaw();
        }
        let note =
            self.asking.join().map_err(|_| anyhow!("who asks for snapshots has panicked"))?;
        self.place.mend()?;
        note
    }
}

/// Asks for snapshots until it is stopped, and returns how that went.
fn ask(trouble: Trouble, socket: &Path, stop: &AtomicBool) -> anyhow::Result<String> {
    let mut client = Client::connect(socket)?;
    let mut taken = 0;
    let mut longest = Duration::ZERO;
    let begun = Instant::now();
    let phase = client.call(Status)?.snapshot.phase;
    while !stop.load(Ordering::Relaxed) {
        match trouble {
            Trouble::None | Trouble::Frozen => {}
            Trouble::BackToBack => {
                let begun = Instant::now();
                let outcome = snapshot(&mut client, SnapshotWait::Forever)?;
                ensure!(matches!(outcome, SnapshotProgress::Done(_)), "{outcome:?}");
                longest = longest.max(begun.elapsed());
                taken += 1;
                continue;
            }
            Trouble::Full => {
                let outcome = snapshot(&mut client, SnapshotWait::Forever)?;
                ensure!(matches!(outcome, SnapshotProgress::Failed(_)), "{outcome:?}");
                taken += 1;
            }
        }
        thread::sleep(Duration::from_secs(1));
    }
    Ok(match trouble {
        Trouble::None => String::new(),
        Trouble::BackToBack => {
            let mean = begun.elapsed().as_secs_f64() / f64::from(taken.max(1));
            let longest = longest.as_secs_f64();
            format!("{taken} snapshots of {mean:.1} s, the longest {longest:.1} s")
        }
        Trouble::Frozen => {
            // The disk is thawed now.
            let outcome = snapshot(&mut client, SnapshotWait::Forever)?;
            ensure!(matches!(outcome, SnapshotProgress::Done(_)), "{outcome:?}");
            let phase = phase.map_or("none", SnapshotPhase::as_str);
            format!("one at step '{phase}'; after the thaw on disk")
        }
        Trouble::Full => format!("{taken} snapshots failed"),
    })
}

fn snapshot(client: &mut Client, wait: SnapshotWait) -> anyhow::Result<SnapshotProgress> {
    client.send(Snapshot { wait, path: None })?;
    let mut last = None;
    while let Some(progress) = client.part::<Snapshot>()? {
        last = Some(progress);
    }
    match last {
        Some(last) => Ok(last),
        None => bail!("torcd does not tell what became of the snapshot"),
    }
}
