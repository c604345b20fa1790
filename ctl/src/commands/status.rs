//! `torcctl status`: how the running torcd is.

use serde_json::Value;
use torc_protocol::request::Status;
use torc_protocol::time::Timestamp;
use torc_protocol::view::{SnapshotStatusView, StatusView};

use crate::commands::workflows::counts;
use crate::context::Context;
use crate::degraded::failed_step;
use crate::error::CliError;
use crate::exit_code;
use crate::output::page::{Page, write_json};
use crate::output::stdout::Stdout;
use crate::style::{Tone, count, duration, local_time, one_line, size};

const EXAMPLES: &str = "\
Examples:
  torcctl status
  torcctl status --format json | jq .snapshot.last.path
  torcctl status --format json | jq .snapshot.last.age_seconds

Exit codes: 3 no torcd is running";

/// What the output describes.
pub(crate) const NOUN: &str = "a status";

/// Show how the running torcd is: its node, its jobs, its snapshots
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Args {}

/// Runs it.
///
/// # Errors
///
/// When no torcd is running.
pub async fn run(ctx: &mut Context, _: Args) -> Result<u8, CliError> {
    let status = ctx.client().await?.call(Status).await?;
    let stdout = Stdout::new(ctx.globals.format, ctx.globals.color);
    if stdout.format.is_for_programs() {
        write(&status, stdout)?;
    } else {
        page(&status, Timestamp::now()).write(stdout.layout.palette, stdout.open())?;
    }
    Ok(exit_code::DONE)
}

/// Writes the status for programs.
///
/// # Errors
///
/// When it cannot be written.
pub(crate) fn write(status: &StatusView, stdout: Stdout) -> Result<(), CliError> {
    let json = with_ages(status, Timestamp::now()).map_err(std::io::Error::from)?;
    write_json(stdout.format, NOUN, &json, stdout.open())
}

/// Returns the status as JSON, with what a program would else have to subtract from its own clock.
fn with_ages(status: &StatusView, now: Timestamp) -> serde_json::Result<Value> {
    let mut json = serde_json::to_value(status)?;
    let snapshot = &status.snapshot;
    let age = |since: Option<Timestamp>| since.map(|since| now.since(since).as_secs_f64());
    if let Some(last) = &snapshot.last {
        json["snapshot"]["last"]["age_seconds"] = age(Some(last.finished_at)).into();
    }
    json["snapshot"]["phase_seconds"] = age(snapshot.phase_since).into();
    json["snapshot"]["failing_seconds"] = age(snapshot.failing_since).into();
    Ok(json)
}

fn page(status: &StatusView, now: Timestamp) -> Page {
    let mut page = Page::default();
    let uptime = duration(now.since(status.started_at));
    let since = local_time(status.started_at);
    page.line("torcd", format!("{}, process {}", status.version, status.pid))
        .line("socket", one_line(&status.socket))
        .line("uptime", format!("{uptime}, since {since}"))
        .line("database", database(status))
        .line("log", log(status))
        .line("node", node(status))
        .line("workflows", format!("{} running", status.running_workflows))
        .line("jobs", counts(status.jobs));
    if !status.read_only {
        snapshot(&mut page, &status.snapshot, now);
    }
    page
}

fn database(status: &StatusView) -> String {
    let path = one_line(&status.database);
    match (status.in_memory, status.read_only) {
        (_, true) => format!("{path}, only read"),
        (true, false) => format!("{path}, in memory"),
        (false, false) => format!("{path}, on disk"),
    }
}

fn log(status: &StatusView) -> String {
    let log = one_line(&status.log);
    match &status.unit {
        Some(unit) => format!("{log}, of the unit {}", one_line(unit)),
        None => log,
    }
}

fn node(status: &StatusView) -> String {
    let node = &status.node;
    if node.cpus == 0 {
        // Its worker has not said yet what it has.
        return "starting".to_owned();
    }
    let mut text =
        format!("{}: {}, {}", node.host, count(node.cpus.into(), "CPU"), size(node.memory));
    if !node.gpus.is_empty() {
        text.push_str(", ");
        text.push_str(&count(node.gpus.len() as u64, "GPU"));
    }
    text
}

fn snapshot(page: &mut Page, snapshot: &SnapshotStatusView, now: Timestamp) {
    if let Some(target) = &snapshot.target {
        page.line("snapshots", format!("{}, {} kept", one_line(target), snapshot.keep));
    }
    match &snapshot.last {
        Some(last) => {
            let age = duration(now.since(last.finished_at));
            let size = size(last.bytes);
            page.line("last", format!("generation {}, {age} ago, {size}", last.generation));
        }
        None => {
            page.toned("last", "none yet", Tone::Warning);
        }
    }
    page.line("since then", count(snapshot.changes_since, "change"));
    if let Some(phase) = snapshot.phase {
        let long = snapshot.phase_since.map(|since| format!(", {}", duration(now.since(since))));
        page.toned("under way", format!("{phase}{}", long.unwrap_or_default()), Tone::Active);
    }
    if let Some(failure) = &snapshot.error {
        page.toned("error", failed_step(failure), Tone::Bad);
    }
    if let Some(since) = snapshot.failing_since {
        let age = duration(now.since(since));
        page.toned("failing", format!("{age}, since {}", local_time(since)), Tone::Bad);
    }
}

#[cfg(test)]
mod tests {
    use torc_protocol::resources::NodeResources;
    use torc_protocol::view::{JobCounts, SnapshotPhase};

    use super::*;
    use crate::degraded::tests::failing;
    use crate::style::Palette;

    fn status() -> StatusView {
        StatusView {
            version: "0.1.0".to_owned(),
            pid: 4711,
            socket: "/run/user/1/torc/torcd.sock".to_owned(),
            started_at: Timestamp(0),
            database: "/dev/shm/torc-1/x.db".to_owned(),
            in_memory: true,
            read_only: false,
            log: "/x/state/torc/torcd.log".to_owned(),
            unit: None,
            node: NodeResources {
                host: "n1".to_owned(),
                cpus: 8,
                memory: 16 << 30,
                gpus: vec!["0".to_owned()],
            },
            running_workflows: 1,
            jobs: JobCounts { total: 3, running: 2, completed: 1, ..JobCounts::default() },
            snapshot: SnapshotStatusView {
                keep: 5,
                changes_since: 7,
                phase: Some(SnapshotPhase::Write),
                phase_since: Some(Timestamp(98_000_000)),
                ..failing()
            },
        }
    }

    fn text(status: &StatusView) -> String {
        let mut out = Vec::new();
        let now = Timestamp(100_000_000);
        page(status, now).write(Palette::PLAIN, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        // These have the local time, which is another one elsewhere.
        let is_everywhere =
            |line: &&str| !line.starts_with("uptime") && !line.starts_with("failing");
        text.lines().filter(is_everywhere).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_page_tells_where_everything_is_and_how_the_snapshots_are() {
        insta::assert_snapshot!(text(&status()), @"
        torcd       0.1.0, process 4711
        socket      /run/user/1/torc/torcd.sock
        database    /dev/shm/torc-1/x.db, in memory
        log         /x/state/torc/torcd.log
        node        n1: 8 CPUs, 16.0 GiB, 1 GPU
        workflows   1 running
        jobs        3: 2 running, 1 completed
        snapshots   /x/torc.db, 5 kept
        last        generation 4, 1 m 30 s ago, 88.0 KiB
        since then  7 changes
        under way   write, 2.0 s
        error       step 'write' of /x/torc.db failed: no space left on device (os error 28)
        ");
    }

    #[test]
    fn a_node_that_is_not_known_is_not_said_to_have_nothing() {
        let node = NodeResources { cpus: 0, ..status().node };
        let starting = StatusView { node, ..status() };
        assert!(text(&starting).contains("node        starting\n"));
    }

    #[test]
    fn a_status_for_programs_has_ages_in_seconds() {
        let json = with_ages(&status(), Timestamp(100_000_000)).unwrap();
        let snapshot = &json["snapshot"];
        assert_eq!(snapshot["last"]["age_seconds"], 90.0);
        assert_eq!(snapshot["last"]["generation"], 4);
        assert_eq!(
            (&snapshot["phase"], &snapshot["phase_seconds"]),
            (&"write".into(), &2.0.into())
        );
        assert_eq!(snapshot["failing_seconds"], 60.0);
        assert_eq!(snapshot["error"]["errno"], 28);
        let fresh = StatusView { snapshot: SnapshotStatusView::default(), ..status() };
        let json = with_ages(&fresh, Timestamp(0)).unwrap();
        assert_eq!(json["snapshot"]["last"], Value::Null);
        assert_eq!(json["snapshot"]["failing_seconds"], Value::Null);
    }

    #[test]
    fn how_long_it_has_been_failing_is_said() {
        let mut out = Vec::new();
        let now = Timestamp(100_000_000);
        page(&status(), now).write(Palette::PLAIN, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let since = local_time(Timestamp(40_000_000));
        assert!(text.contains(&format!("failing     1 m 00 s, since {since}\n")), "{text}");
    }

    #[test]
    fn a_daemon_of_systemd_names_its_unit() {
        let unit = Some("torcd.service".to_owned());
        let status = StatusView { log: "journal".to_owned(), unit, ..status() };
        assert!(text(&status).contains("log         journal, of the unit torcd.service\n"));
    }

    #[test]
    fn a_daemon_that_only_reads_has_no_snapshots() {
        let status = StatusView { read_only: true, ..status() };
        let text = text(&status);
        assert!(text.contains("/dev/shm/torc-1/x.db, only read"), "{text}");
        assert!(!text.contains("last"), "{text}");
    }
}
