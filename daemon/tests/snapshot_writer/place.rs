//! Where the tests write to.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rusqlite::Connection;
use tempfile::TempDir;
use torc_protocol::id::Generation;
use torc_protocol::view::SnapshotFailure;
use torcd::snapshot::writer_process::{self, WriteRequest};
use torcd::snapshot_writer::event::WriterReport;
use torcd::store::migrate::migrate;
use torcd::store::verify::verify;

use crate::TORCD;

/// A directory, and the target in a directory of it that is not there yet.
pub(crate) struct Place {
    pub(crate) dir: TempDir,
    pub(crate) target: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out").join("torc.db");
        Self { dir, target }
    }

    /// Returns an image of generation `generation`, in memory as torcd has it.
    pub(crate) fn image(&self, generation: u64) -> File {
        let source = self.dir.path().join("source");
        let image = self.dir.path().join("image");
        let mut connection = Connection::open(&source).unwrap();
        connection.pragma_update(None, "journal_mode", "wal").unwrap();
        migrate(&mut connection).unwrap();
        connection
            .execute(
                "INSERT OR IGNORE INTO snapshot (generation, instance, host, boot_id, pid, changes, started_at,
                                       path)
                 VALUES (?1, 'abc', 'here', 'boot', 1, ?1, 0, '')",
                [i64::try_from(generation).unwrap()],
            )
            .unwrap();
        connection.execute("VACUUM INTO ?1", [image.to_str().unwrap()]).unwrap();
        let opened = File::options().read(true).write(true).open(&image).unwrap();
        fs::remove_file(image).unwrap();
        opened
    }

    pub(crate) async fn write(
        &self,
        keep: u32,
        generation: u64,
    ) -> Result<WriterReport, SnapshotFailure> {
        self.write_image(self.image(generation), keep, generation).await
    }

    pub(crate) async fn write_image(
        &self,
        image: File,
        keep: u32,
        generation: u64,
    ) -> Result<WriterReport, SnapshotFailure> {
        let request =
            WriteRequest { target: self.target.clone(), keep, generation: Generation(generation) };
        writer_process::write(Path::new(TORCD), image, request, |_| {}).await
    }

    /// Runs the writer through a shell that first does `setup`.
    pub(crate) fn write_after(&self, setup: &str, image: File, generation: u64) -> Output {
        Command::new("sh")
            .args(["-c", &format!("{setup}; exec \"$@\""), "sh", TORCD, "snapshot-writer"])
            .args(["--keep", "2", "--generation", &generation.to_string(), "--target"])
            .arg(&self.target)
            .stdin(image)
            .output()
            .unwrap()
    }

    pub(crate) fn older(&self, number: u32) -> PathBuf {
        self.target.with_file_name(format!("torc.db.{number}"))
    }

    /// Returns the names in the target's directory, each with the generation in it.
    fn generations(&self) -> Vec<(String, u64)> {
        let mut found: Vec<_> = fs::read_dir(self.target.parent().unwrap())
            .unwrap()
            .map(|entry| {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                (name, verify(&path).unwrap().generation.0)
            })
            .collect();
        found.sort();
        found
    }

    pub(crate) fn assert_holds(&self, expected: &[(&str, u64)]) {
        let expected: Vec<_> =
            expected.iter().map(|&(name, number)| (name.to_owned(), number)).collect();
        assert_eq!(self.generations(), expected);
    }
}

/// A small file system of our own, while it lives.
pub(crate) struct SmallDisk(PathBuf);

impl SmallDisk {
    pub(crate) fn mount(dir: &Path, bytes: u64) -> Option<Self> {
        let options = format!("size={bytes}");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(dir)
            .stderr(Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then(|| Self(dir.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}
