//! Another user of the same machine: can read nothing, and can put nothing in our way that we follow,
//! write to, or wait for.
//!
//! Each test has a victim and a stranger, which are two users that nobody is, so only root can run
//! them. Where the kernel would refuse what the stranger tries (`fs.protected_hardlinks`), root does
//! it in their name.

mod scene;

use std::fs::{self, Permissions};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use torc_protocol::hello::Hello;
use torc_tests::torc::names_in;
use torc_tests::wait::wait_until;

use crate::SLEEPER;
use scene::{STRANGER, Scene, all_below, end, expect_refusal, remove};

#[test]
fn nothing_of_a_run_can_be_read_or_listed_or_changed() {
    let Some(scene) = Scene::set(64_101) else { return };
    let target = scene.in_world("torc.db");
    let socket = scene.in_world("torcd.sock");
    let [target, socket] = [&target, &socket].map(|path| path.to_str().unwrap());
    let torcd = scene.torcd(["--in-memory", "--snapshot", target, "--socket", socket]).start();
    wait_until("torcd listens", || Path::new(socket).exists());
    let exec = ["exec", "--socket", socket, "--detach", "-c"];
    scene.victim(exec.into_iter().chain(["echo secret"])).run().expect(0);
    scene.victim(exec.into_iter().chain([SLEEPER])).run().expect(0);
    scene.torc.contents_of("started");
    for _ in 0..2 {
        scene.victim(["snapshot", "--socket", socket, "--wait"]).run().expect(0);
    }
    let mut ours = all_below(&scene.world());
    ours.extend(scene.shared_places().iter().flat_map(|place| all_below(place)));
    ours.retain(|path| fs::symlink_metadata(path).is_ok_and(|it| it.uid() == scene.victim));
    let is_there = |name: &str| ours.iter().any(|path| path.ends_with(name));
    for name in ["torcd.sock", "torcd.sock.lock", "torc.db", "torc.db.1", "torc.db.lease", "owner"]
    {
        assert!(is_there(name), "{name} is not among {ours:?}");
    }
    assert!(is_there("begun"), "the journal of the worker is not among {ours:?}");
    for path in &ours {
        for script in [
            "cat \"$1\"",
            "ls \"$1\"/",
            "echo x >> \"$1\"",
            "touch \"$1\"/new",
            "rm -rf \"$1\"",
            "mv \"$1\" \"$1\".mine",
            "chmod 777 \"$1\"",
            "ln -f \"$W\"/torc.db \"$W\"/mine && cat \"$W\"/mine",
        ] {
            let outcome = scene.stranger(script, path);
            assert!(!outcome.status.success(), "{script} with {}: {outcome}", path.display());
            assert!(fs::symlink_metadata(path).is_ok(), "{script}: {} is gone", path.display());
        }
    }
    // Nor does torcd talk to whoever comes in where all doors were left open.
    fs::set_permissions(socket, Permissions::from_mode(0o666)).unwrap();
    let knock = scene.torc.root().join("knock");
    fs::copy(env!("CARGO_BIN_EXE_knock"), &knock).unwrap();
    let call = scene.torc.program(&knock).user(STRANGER).dir("/").args([socket]);
    let outcome = call.stdin(Hello::ours().encode()).run();
    let is_cut = outcome.stdout == "0 bytes\n" || outcome.stdout.contains("reset");
    assert!(is_cut, "a stranger was answered: {outcome}");
    end(torcd);
}

#[test]
fn a_snapshot_on_its_way_to_disk_is_read_by_nobody_else() {
    let Some(scene) = Scene::set(64_102) else { return };
    let [target, socket] = ["torc.db", "torcd.sock"].map(|name| scene.in_world(name));
    let [target, socket] = [&target, &socket].map(|path| path.to_str().unwrap());
    let torcd = scene.torcd(["--in-memory", "--snapshot", target, "--socket", socket]).start();
    wait_until("torcd listens", || Path::new(socket).exists());
    let spy = "while [ -e \"$1\" ]; do
        for it in \"$W\"/.torc.db.* \"$W\"/torc.db*; do
            [ -e \"$it\" ] && echo seen && cat \"$it\" 2>/dev/null && echo READ
        done
    done";
    let spying = scene.stranger_call(spy, Path::new(socket)).start();
    for _ in 0..20 {
        let exec = ["exec", "--socket", socket, "--detach", "-c", "true"];
        scene.victim(exec).run().expect(0);
        scene.victim(["snapshot", "--socket", socket, "--wait"]).run().expect(0);
    }
    end(torcd);
    let outcome = spying.wait();
    assert!(outcome.stdout.contains("seen"), "it saw nothing: {outcome}");
    assert!(!outcome.stdout.contains("READ"), "it has read a snapshot");
}

#[test]
fn a_runtime_directory_that_somebody_has_made_first_is_refused() {
    let Some(scene) = Scene::set(64_103) else { return };
    let treasure = scene.treasure();
    let own = scene.torc.path("own");
    fs::create_dir(&own).unwrap();
    chown(&own, Some(scene.victim), Some(scene.victim)).unwrap();
    fs::set_permissions(&own, Permissions::from_mode(0o700)).unwrap();
    let [place, _] = scene.shared_places();
    for (what, script) in [
        ("a directory of theirs", "mkdir -m 777 \"$1\""),
        ("a closed directory of theirs", "mkdir -m 700 \"$1\""),
        ("a file of theirs", "touch \"$1\""),
        ("a pipe", "mkfifo -m 666 \"$1\""),
        ("a link to a directory of theirs", "mkdir -m 777 \"$W\"/trap; ln -s \"$W\"/trap \"$1\""),
        ("a link to nothing", "ln -s \"$W\"/nothing \"$1\""),
    ] {
        scene.stranger(script, &place).expect(0);
        let outcome = scene.victim(["exec", "-c", "touch ran"]).run();
        expect_refusal(&outcome, what, &treasure);
        let outcome = scene.torcd(["--in-memory"]).run();
        expect_refusal(&outcome, what, &treasure);
        assert!(!scene.torc.path("ran").exists(), "{what}");
        assert_eq!(names_in(&scene.in_world("trap")), [""; 0], "{what}");
        assert!(!scene.in_world("nothing").exists(), "{what}");
        remove(&place);
    }
    // Even one to a directory of the victim's own: nobody else decides where things are.
    symlink(&own, &place).unwrap();
    let outcome = scene.victim(["exec", "-c", "touch ran"]).run();
    expect_refusal(&outcome, "a link to a directory of ours", &treasure);
    assert_eq!(names_in(&own), [""; 0]);
}

#[test]
fn where_one_place_is_taken_by_a_stranger_another_serves() {
    let Some(scene) = Scene::set(64_104) else { return };
    let [_, memory] = scene.shared_places();
    let own = format!("torc-{}", scene.victim);
    for place in [&memory, &scene.in_world(&own)] {
        scene.stranger("mkdir -m 777 \"$1\"", place).expect(0);
    }
    let open = scene.torc.root().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
    for base in [scene.world(), open] {
        let call = scene.victim(["exec", "-c", "echo done > done"]).env("TMPDIR", &base);
        call.run().expect(0);
        fs::remove_file(scene.torc.path("done")).unwrap();
        let call = scene.victim(["daemon", "socket-path"]).env("TMPDIR", &base);
        let path = call.run().expect(0).stdout;
        assert!(path.starts_with(scene.shared_places()[0].to_str().unwrap()), "{path}");
    }
    for place in [&memory, &scene.in_world(&own)] {
        assert_eq!(names_in(place), [""; 0], "{}", place.display());
    }
    let database = scene.torc.database();
    assert_eq!(database.value("SELECT count(*) FROM attempt WHERE status = 'completed'"), "2");
}

#[test]
fn a_directory_that_is_swapped_while_we_look_is_never_trusted() {
    let Some(scene) = Scene::set(64_105) else { return };
    let own = scene.torc.path("own");
    fs::create_dir(&own).unwrap();
    chown(&own, Some(scene.victim), Some(scene.victim)).unwrap();
    fs::set_permissions(&own, Permissions::from_mode(0o700)).unwrap();
    let [place, _] = scene.shared_places();
    let stop = scene.in_world("stop");
    let swap = "until [ -e \"$W\"/stop ]; do
        mkdir -m 777 \"$1\"; rmdir \"$1\"
        ln -s \"$W\" \"$1\"; rm \"$1\"
        ln -s \"$OWN\" \"$1\"; rm \"$1\"
    done 2>/dev/null";
    let swapping = scene.stranger_call(swap, &place).env("OWN", &own).start();
    let (mut refused, mut won) = (0, 0);
    for _ in 0..300 {
        let outcome = scene.victim(["daemon", "socket-path"]).run();
        if outcome.status.success() {
            won += 1;
            // The victim was first, and from then on nobody else can change it.
            let there = fs::symlink_metadata(&place).unwrap();
            assert!(there.is_dir() && there.uid() == scene.victim, "{outcome}");
            assert_eq!(there.mode() & 0o777, 0o700, "{outcome}");
            remove(&place);
        } else {
            refused += 1;
            assert!(outcome.stderr.contains("hint: "), "{outcome}");
        }
        assert_eq!(names_in(&own), [""; 0], "{outcome}");
    }
    fs::write(&stop, "").unwrap();
    swapping.wait();
    assert!(refused > 0 && refused + won == 300, "{refused} refused, {won} won");
}

#[test]
fn what_is_put_where_the_socket_and_its_lock_go_is_not_followed_and_not_written_to() {
    let Some(scene) = Scene::set(64_106) else { return };
    let treasure = scene.treasure();
    let socket = scene.in_world("torcd.sock");
    let lock = scene.in_world("torcd.sock.lock");
    let at = socket.to_str().unwrap();
    let refused = |what: &str, path: &Path| {
        let outcome = scene.torcd(["--in-memory", "--socket", at]).run();
        expect_refusal(&outcome, what, &treasure);
        remove(path);
        remove(&lock);
    };
    for (what, script) in [
        ("a file", "echo x > \"$1\"; chmod 666 \"$1\""),
        ("a pipe", "mkfifo -m 666 \"$1\""),
        ("a directory", "mkdir -m 777 \"$1\""),
        ("a link to our file", "ln -s \"$W\"/treasure \"$1\""),
        ("a link to nothing", "ln -s \"$W\"/nothing \"$1\""),
    ] {
        for path in [&lock, &socket] {
            scene.stranger(script, path).expect(0);
            refused(&format!("{what} at {}", path.display()), path);
            assert!(!scene.in_world("nothing").exists(), "{what}");
        }
    }
    fs::hard_link(&treasure, &lock).unwrap();
    refused("another name of our file", &lock);
}

#[test]
fn nothing_is_told_to_a_torcd_of_somebody_else() {
    let Some(scene) = Scene::set(64_107) else { return };
    let program = scene.torc.root().join("stranger");
    fs::copy(env!("CARGO_BIN_EXE_stranger"), &program).unwrap();
    let socket = scene.in_world("torcd.sock");
    let call = scene.torc.program(&program).user(STRANGER).dir("/").args([socket.as_os_str()]);
    let listening = call.stdin(Hello::ours().encode()).start();
    let is_socket = |path: &Path| fs::metadata(path).is_ok_and(|it| it.file_type().is_socket());
    wait_until("the stranger listens", || is_socket(&socket));
    fs::set_permissions(&socket, Permissions::from_mode(0o777)).unwrap();
    let at = socket.to_str().unwrap();
    for args in [
        &["status", "--socket", at][..],
        &["exec", "--socket", at, "--detach", "-c", "true"],
        &["daemon", "stop", "--socket", at],
    ] {
        let outcome = scene.victim(args.iter().copied()).run();
        outcome.expect_refusal(3, &STRANGER.to_string());
    }
    let outcome = scene.torcd(["--in-memory", "--socket", at]).run();
    assert!(!outcome.status.success() && outcome.stderr.contains("error: "), "{outcome}");
    drop(listening);
}

#[test]
fn what_is_put_where_the_snapshot_and_its_lease_go_is_not_followed_and_not_waited_for() {
    let Some(scene) = Scene::set(64_108) else { return };
    let treasure = scene.treasure();
    let (target, lease) = (scene.in_world("torc.db"), scene.in_world("torc.db.lease"));
    let refused = |what: &str, path: &Path| {
        let outcome =
            scene.victim(["exec", "--db", target.to_str().unwrap(), "-c", "touch ran"]).run();
        expect_refusal(&outcome, what, &treasure);
        assert!(!scene.torc.path("ran").exists(), "{what}: a job has run");
        remove(path);
        remove(&lease);
    };
    for (what, script) in [
        ("a pipe", "mkfifo -m 666 \"$1\""),
        ("a directory", "mkdir -m 777 \"$1\""),
        ("a link to our file", "ln -s \"$W\"/treasure \"$1\""),
        ("a link to nothing", "ln -s \"$W\"/nothing \"$1\""),
        ("a link to a device", "ln -s /dev/zero \"$1\""),
        ("a file of theirs", "echo x > \"$1\""),
    ] {
        for path in [&target, &lease] {
            scene.stranger(script, path).expect(0);
            refused(&format!("{what} at {}", path.display()), path);
            assert!(!scene.in_world("nothing").exists(), "{what}");
        }
    }
    fs::hard_link(&treasure, &target).unwrap();
    refused("another name of our file", &target);
    mkfifo(&scene.in_world("torc.db.1"), Mode::S_IRWXU).unwrap();
    let call = scene.victim(["exec", "--db", target.to_str().unwrap(), "-c", "true"]);
    let outcome = call.run();
    let code = outcome.status.code();
    assert!(
        code.is_some_and(|code| [0, 2, 5].contains(&code)),
        "a pipe as an older one: {outcome}"
    );
}

#[test]
fn a_database_that_a_stranger_has_made_does_nothing_of_its_own() {
    let Some(scene) = Scene::set(64_109) else { return };
    let treasure = scene.treasure();
    scene.victim(["exec", "-c", "true"]).run().expect(0);
    let target = scene.in_world("torc.db");
    for (what, sql) in [
        ("a trigger", "CREATE TRIGGER t AFTER INSERT ON workflow BEGIN DELETE FROM attempt; END"),
        ("a view", "ALTER TABLE output RENAME TO o; CREATE VIEW output AS SELECT * FROM o"),
        (
            "a column of another kind",
            "ALTER TABLE job ADD COLUMN x INTEGER GENERATED ALWAYS AS (abs(priority)) VIRTUAL",
        ),
    ] {
        fs::copy(scene.torc.database_path(), &target).unwrap();
        let connection = rusqlite::Connection::open(&target).unwrap();
        connection.execute_batch(sql).unwrap();
        drop(connection);
        chown(&target, Some(scene.victim), Some(scene.victim)).unwrap();
        let at = target.to_str().unwrap();
        for args in [
            &["exec", "--db", at, "-c", "touch ran"][..],
            &["exec", "--on-disk", "--db", at, "-c", "touch ran"],
            &["results", "list", "--db", at],
        ] {
            let outcome = scene.victim(args.iter().copied()).run();
            expect_refusal(&outcome, what, &treasure);
            assert!(outcome.stderr.contains("schema"), "{what}: {outcome}");
        }
        assert!(!scene.torc.path("ran").exists(), "{what}");
        for name in names_in(&scene.world()).iter().filter(|name| name.starts_with("torc.db")) {
            remove(&scene.in_world(name));
        }
    }
}

#[test]
fn a_record_that_is_kept_elsewhere_is_kept_where_no_stranger_can_read_it() {
    let Some(scene) = Scene::set(64_110) else { return };
    let own = scene.in_world(&format!("torc-{}", scene.victim));
    for taken in [false, true] {
        if taken {
            scene.stranger("mkdir -m 777 \"$1\"", &own).expect(0);
        }
        let command = "mv out elsewhere; touch out";
        let call = scene.victim(["exec", "--db", "out/torc.db", "-c", command]);
        call.env("TMPDIR", scene.world()).run().expect(5);
        fs::remove_file(scene.torc.path("out")).unwrap();
        fs::remove_dir_all(scene.torc.path("elsewhere")).unwrap();
        let mut kept = all_below(&own);
        kept.extend(scene.shared_places().iter().flat_map(|place| all_below(place)));
        kept.retain(|path| path.extension().is_some_and(|it| it == "db"));
        assert!(!kept.is_empty(), "nothing was kept");
        for path in &kept {
            let there = fs::symlink_metadata(path).unwrap();
            assert_eq!((there.uid(), there.mode() & 0o777), (scene.victim, 0o600), "{path:?}");
            let outcome = scene.stranger("cat \"$1\" || cat \"$1\"-wal", path);
            assert!(!outcome.status.success(), "{outcome}");
        }
        remove(&own);
        scene.clear();
    }
}

#[test]
fn names_of_temporary_files_that_a_stranger_guesses_lead_nowhere() {
    let Some(scene) = Scene::set(64_111) else { return };
    let treasure = scene.treasure();
    let [target, socket] = ["torc.db", "torcd.sock"].map(|name| scene.in_world(name));
    let [target, socket] = [&target, &socket].map(|path| path.to_str().unwrap());
    let torcd = scene.torcd(["--in-memory", "--snapshot", target, "--socket", socket]).start();
    wait_until("torcd listens", || Path::new(socket).exists());
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let host_and_boot = format!("{}-{}", host.trim(), boot.split('-').next().unwrap());
    // The writer will have one of the next numbers.
    let plant = "pid=$3; while [ $pid -lt $(($3 + 2000)) ]; do
        ln -s \"$1\" \"$W/.torc.db.tmp-$2-$pid-1\" || exit 1
        pid=$((pid + 1))
    done";
    let newest = scene.torc.program("true".as_ref()).start();
    let first = newest.pid() + 1;
    newest.wait().expect(0);
    let call = scene.stranger_call(plant, &treasure).args([host_and_boot, first.to_string()]);
    call.run().expect(0);
    let outcome = scene.victim(["snapshot", "--socket", socket, "--wait"]).run();
    assert!([Some(0), Some(5)].contains(&outcome.status.code()), "{outcome}");
    assert_eq!(fs::read_to_string(&treasure).unwrap(), "gold");
    let is_link = |it: &str| fs::symlink_metadata(scene.in_world(it)).unwrap().is_symlink();
    let planted = names_in(&scene.world()).iter().filter(|it| is_link(it)).count();
    assert_eq!(planted, 2_000, "links of a stranger were removed");
    torcd.signal(Signal::SIGTERM);
    let ended = torcd.wait();
    assert!([Some(0), Some(5)].contains(&ended.status.code()), "{ended}");
    assert_eq!(fs::read_to_string(&treasure).unwrap(), "gold");
}
