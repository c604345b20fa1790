//! The life of a writer, as torcd sees it.

use std::fs::File;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use torc_protocol::id::Generation;
use torc_protocol::view::SnapshotPhase;
use torcd::snapshot::writer_process::{self, WriteRequest};

use crate::TORCD;
use crate::place::Place;

/// Makes a program of a shell script; `$3` is the target. Another process writes the file, so that
/// no child of a test that runs beside this one holds it open for writing.
fn program(place: &Place, script: &str) -> PathBuf {
    let path = place.dir.path().join("program");
    let made = Command::new("sh")
        .args([
            "-c",
            "printf '#!/bin/sh\\n%s\\n' \"$1\" > \"$2\" && chmod 700 \"$2\"",
            "sh",
            script,
        ])
        .arg(&path)
        .status()
        .unwrap();
    assert!(made.success());
    path
}

#[test]
fn a_writer_whose_listener_is_gone_finishes() {
    let place = Place::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = Command::new(TORCD)
        .args(["snapshot-writer", "--keep", "1", "--generation", "1", "--target"])
        .arg(&place.target)
        .stdin(place.image(1))
        .stdout(writer)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    place.assert_holds(&[("torc.db", 1)]);
}

#[tokio::test]
async fn a_writer_that_dies_is_a_failure_of_the_step_it_was_at() {
    let place = Place::new();
    let request = WriteRequest { target: place.target.clone(), keep: 1, generation: Generation(1) };
    // A frame of two bytes: the phase event, and the number of `verify`.
    let script = r"printf '\002\000\000\000\000\004'; kill -9 $$";
    let killed = program(&place, script);
    let failure =
        writer_process::write(&killed, place.image(1), request.clone(), |_| {}).await.unwrap_err();
    assert_eq!(failure.phase, SnapshotPhase::Verify);
    assert!(failure.reason.contains("signal: 9"), "{}", failure.reason);

    let missing = place.dir.path().join("missing");
    let failure =
        writer_process::write(&missing, place.image(2), request, |_| {}).await.unwrap_err();
    assert!(failure.reason.starts_with("cannot start"), "{}", failure.reason);
}

#[tokio::test]
async fn a_writer_that_is_given_up_goes_on() {
    let place = Place::new();
    let fifo = |name: &str| {
        let path = place.dir.path().join(name);
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        File::options().read(true).write(true).open(path).unwrap()
    };
    let (mut started, mut go, mut done) = (fifo("started"), fifo("go"), fifo("done"));
    let stuck =
        program(&place, r#"cd "${3%/*}"; echo 1 > started; read line < go; echo "$line" > done"#);
    let target = place.dir.path().join("torc.db");
    let request = WriteRequest { target, keep: 1, generation: Generation(1) };
    let image = place.image(1);
    let writing =
        tokio::spawn(async move { writer_process::write(&stuck, image, request, |_| {}).await });
    tokio::task::spawn_blocking(move || started.read_exact(&mut [0])).await.unwrap().unwrap();
    writing.abort();
    assert!(writing.await.unwrap_err().is_cancelled());

    go.write_all(b"alive\n").unwrap();
    let (answer, answers) = mpsc::channel();
    thread::spawn(move || {
        let mut text = [0; 6];
        let _ = done.read_exact(&mut text).map(|()| answer.send(text));
    });
    assert_eq!(&answers.recv_timeout(Duration::from_secs(30)).unwrap(), b"alive\n");
}
