//! A model of a disk that loses power: it does everything for real, keeps a record, and tells which
//! directories could be found afterwards.
//!
//! Nothing is durable but what was synced. Of what was done to names since the last sync of their
//! directory, any part may have reached the disk. A file that was not synced may hold all of it, half
//! of it, zeros, or nothing.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::disk::{Answer, Call, Hook, Op};

/// Up to so many unsynced changes of names every subset is tried; of more, every prefix, each one
/// alone, and all but each one.
const MAX_SUBSETS: usize = 8;

/// The files of one directory after a power cut, by name; none when the directory itself is gone.
pub(super) type Files = Option<BTreeMap<OsString, Content>>;

/// A file, whatever its names.
type Inode = usize;

/// What is in a file after a power cut; [`History::bytes`] has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Content {
    inode: Inode,
    /// How much was written by then.
    written: usize,
    loss: Loss,
}

/// Something that was done.
#[derive(Clone, Debug)]
enum Entry {
    Create(PathBuf, Inode),
    Write(Inode, Vec<u8>),
    Sync(Inode),
    Name(Change),
    SyncDir(PathBuf),
    /// A writer said that this generation is safe.
    Acknowledge(u64),
}

/// Something that was done to names.
#[derive(Clone, Debug)]
enum Change {
    MakeDir(PathBuf),
    Create(PathBuf, Inode),
    Link(PathBuf, PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

impl Content {
    /// Returns the same file with nothing in it.
    pub(super) fn emptied(self) -> Self {
        Self { written: 0, loss: Loss::All, ..self }
    }
}

/// A hook that records what it does, or what `answer` does for it.
pub(super) struct Recorder<F> {
    answer: F,
    history: RefCell<History>,
}

impl<F> std::fmt::Debug for Recorder<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.history.fmt(f)
    }
}

/// All that was done since the disk was empty.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    entries: Vec<Entry>,
    open: BTreeMap<PathBuf, Inode>,
    inodes: usize,
}

impl<F> Recorder<F> {
    pub(super) fn new(answer: F, history: History) -> Self {
        Self { answer, history: RefCell::new(history) }
    }

    pub(super) fn into_history(self) -> History {
        self.history.into_inner()
    }
}

impl<F: Fn(&Call) -> Answer> Hook for Recorder<F> {
    fn before(&self, call: &Call) -> Answer {
        (self.answer)(call)
    }

    fn after(&self, call: &Call, written: &[u8]) {
        self.history.borrow_mut().record(call, written);
    }
}

impl History {
    /// Somebody else made the target's directory, and synced nothing.
    pub(super) fn with_directory(dir: &Path) -> Self {
        let entries = vec![Entry::Name(Change::MakeDir(dir.to_owned()))];
        Self { entries, ..Self::default() }
    }

    pub(super) fn acknowledge(&mut self, generation: u64) {
        self.entries.push(Entry::Acknowledge(generation));
    }

    /// Returns what is in a file after a power cut.
    pub(super) fn bytes(&self, content: Content) -> Vec<u8> {
        let writes = self.entries.iter().filter_map(|entry| match entry {
            Entry::Write(inode, bytes) if *inode == content.inode => Some(bytes.as_slice()),
            _ => None,
        });
        let mut bytes: Vec<_> = writes.flatten().copied().take(content.written).collect();
        match content.loss {
            Loss::Nothing => {}
            Loss::SecondHalf => bytes.truncate(bytes.len() / 2),
            Loss::Content => bytes.fill(0),
            Loss::All => bytes.clear(),
        }
        bytes
    }

    fn record(&mut self, call: &Call, written: &[u8]) {
        let path = call.path.clone();
        let named = |change: fn(PathBuf, PathBuf) -> Change| {
            call.name.clone().map(|name| Entry::Name(change(path.clone(), name)))
        };
        let entry = match call.op {
            Op::MakeDir => Some(Entry::Name(Change::MakeDir(path))),
            Op::Create => {
                self.inodes += 1;
                self.open.insert(path.clone(), self.inodes);
                Some(Entry::Create(path, self.inodes))
            }
            Op::Write => Some(Entry::Write(self.open[&path], written.to_vec())),
            Op::Sync => Some(Entry::Sync(self.open[&path])),
            Op::Link => named(Change::Link),
            Op::Rename => named(Change::Rename),
            Op::Remove => Some(Entry::Name(Change::Remove(path))),
            Op::SyncDir => Some(Entry::SyncDir(path)),
            _ => None,
        };
        self.entries.extend(entry);
    }

    /// Calls `f` with every state of `dir` that a power cut can leave, at every moment, and with what
    /// was acknowledged by then. Returns how many moments there are.
    pub(super) fn each_cut(&self, dir: &Path, mut f: impl FnMut(u64, Files)) -> usize {
        let mut disk = Surface::default();
        let mut acknowledged = 0;
        f(acknowledged, None);
        for entry in &self.entries {
            match entry {
                Entry::Acknowledge(generation) => acknowledged = *generation,
                entry => disk.apply(entry),
            }
            disk.each_outcome(dir, |files| f(acknowledged, files));
        }
        self.entries.len() + 1
    }
}

/// What is on the disk, and what is on its way there.
#[derive(Clone, Debug, Default)]
struct Surface {
    names: Names,
    pending: Vec<Change>,
    /// How much was written to each file, and how much of that was synced.
    lengths: BTreeMap<Inode, (usize, usize)>,
}

/// The names that are on the disk.
#[derive(Clone, Debug, Default)]
struct Names {
    files: BTreeMap<PathBuf, Inode>,
    dirs: BTreeSet<PathBuf>,
}

impl Surface {
    fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::Create(path, inode) => {
                self.lengths.insert(*inode, (0, 0));
                self.pending.push(Change::Create(path.clone(), *inode));
            }
            Entry::Write(inode, bytes) => {
                self.lengths.entry(*inode).or_default().0 += bytes.len();
            }
            Entry::Sync(inode) => {
                let (written, synced) = self.lengths.entry(*inode).or_default();
                *synced = *written;
            }
            Entry::Name(change) => self.pending.push(change.clone()),
            Entry::SyncDir(dir) => {
                let is_there = |change: &Change| change.path().parent() == Some(dir);
                let (durable, pending): (Vec<_>, _) = self.pending.drain(..).partition(is_there);
                self.pending = pending;
                durable.iter().for_each(|change| self.names.apply(change));
            }
            Entry::Acknowledge(_) => {}
        }
    }

    fn each_outcome(&self, dir: &Path, mut f: impl FnMut(Files)) {
        for chosen in subsets(self.pending.len()) {
            let mut names = self.names.clone();
            for (change, _) in self.pending.iter().zip(&chosen).filter(|(_, chosen)| **chosen) {
                names.apply(change);
            }
            if !names.dirs.contains(dir) {
                f(None);
                continue;
            }
            for loss in Loss::ALL {
                f(Some(self.files(&names, loss)));
            }
        }
    }

    fn files(&self, names: &Names, loss: Loss) -> BTreeMap<OsString, Content> {
        let file = |(path, inode): (&PathBuf, &Inode)| {
            let (written, synced) = self.lengths[inode];
            let loss = if synced == written { Loss::Nothing } else { loss };
            (path.file_name().unwrap().to_owned(), Content { inode: *inode, written, loss })
        };
        names.files.iter().map(file).collect()
    }
}

impl Names {
    /// A change of what is not there, because an earlier one did not reach the disk, is none.
    fn apply(&mut self, change: &Change) {
        match change {
            Change::MakeDir(path) => {
                self.dirs.insert(path.clone());
            }
            Change::Create(path, inode) => {
                self.files.insert(path.clone(), *inode);
            }
            Change::Link(path, name) => {
                if let Some(inode) = self.files.get(path) {
                    self.files.insert(name.clone(), *inode);
                }
            }
            Change::Rename(path, name) => {
                if let Some(inode) = self.files.remove(path) {
                    self.files.insert(name.clone(), inode);
                }
            }
            Change::Remove(path) => {
                self.files.remove(path);
            }
        }
    }
}

impl Change {
    fn path(&self) -> &Path {
        match self {
            Self::MakeDir(path)
            | Self::Create(path, _)
            | Self::Link(path, _)
            | Self::Rename(path, _)
            | Self::Remove(path) => path,
        }
    }
}

/// What becomes of a file that was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Loss {
    Nothing,
    SecondHalf,
    Content,
    All,
}

impl Loss {
    const ALL: [Self; 4] = [Self::Nothing, Self::SecondHalf, Self::Content, Self::All];
}

/// Returns which of `count` changes reach the disk, in every way that is tried.
fn subsets(count: usize) -> Vec<Vec<bool>> {
    if count <= MAX_SUBSETS {
        let chosen = |set: usize| (0..count).map(|bit| set >> bit & 1 == 1).collect();
        return (0..1 << count).map(chosen).collect();
    }
    let prefixes = (0..=count).map(|end| (0..count).map(|at| at < end).collect());
    let alone = (0..count).map(|one| (0..count).map(|at| at == one).collect());
    let all_but = (0..count).map(|one| (0..count).map(|at| at != one).collect());
    prefixes.chain(alone).chain(all_but).collect()
}

#[test]
fn what_was_not_synced_may_be_lost_and_what_was_is_kept() {
    let dir = Path::new("/place");
    let file = dir.join("file");
    let mut history = History::with_directory(dir);
    let outcomes = |history: &History| {
        let mut last = BTreeSet::new();
        history.each_cut(dir, |acknowledged, files| {
            if acknowledged == 1 {
                let content = files.map(|mut files| files.remove(file.file_name().unwrap()));
                last.insert(content.map(|content| content.map(|content| history.bytes(content))));
            }
        });
        last
    };
    for (op, path) in [(Op::Create, file.as_path()), (Op::Write, &file), (Op::SyncDir, dir)] {
        history.record(&Call { op, path: path.to_owned(), name: None }, b"text");
    }
    let mut all = history.clone();
    all.acknowledge(1);
    let text = |text: &[u8]| Some(Some(text.to_vec()));
    let expected = [None, text(b""), text(b"\0\0\0\0"), text(b"te"), text(b"text")];
    assert_eq!(outcomes(&all), BTreeSet::from(expected));
    for (op, path) in [(Op::Sync, file.as_path()), (Op::SyncDir, Path::new("/"))] {
        history.record(&Call { op, path: path.to_owned(), name: None }, b"");
    }
    history.acknowledge(1);
    assert_eq!(outcomes(&history), BTreeSet::from([text(b"text")]));
}
