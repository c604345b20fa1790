//! Each format, on views made by hand.

use torc_protocol::id::{AttemptNumber, JobId, WorkflowId};
use torc_protocol::result::Usage;
use torc_protocol::status::JobStatus;
use torc_protocol::time::{Span, Timestamp};
use torc_protocol::view::{JobView, ResultView};

use super::*;
use crate::style::Palette;

fn job(id: u64, name: &str, status: JobStatus, command: &str) -> JobView {
    JobView {
        id: JobId(id),
        workflow_id: WorkflowId(3),
        name: name.to_owned(),
        command: command.to_owned(),
        status,
        priority: 0,
        attempts: 1,
        return_code: status.is_final().then_some(i32::from(status != JobStatus::Completed)),
        cpus: 2,
        memory: Some(1 << 30),
        gpus: 0,
        labels: vec!["big".to_owned(), "gpu".to_owned()],
    }
}

fn jobs() -> Vec<JobView> {
    vec![
        job(9, "job1", JobStatus::Completed, "echo hello"),
        job(10, "a \"long\" name, quoted", JobStatus::Failed, "printf 'a\nb'; false"),
        job(11, "job3", JobStatus::Running, "sleep 30"),
    ]
}

fn result() -> ResultView {
    ResultView {
        job_id: JobId(9),
        workflow_id: WorkflowId(3),
        name: "job1".to_owned(),
        command: "gzip -k a".to_owned(),
        attempt: AttemptNumber(1),
        status: JobStatus::Completed,
        return_code: Some(0),
        reason: String::new(),
        node: "n1".to_owned(),
        pid: Some(4711),
        started_at: Some(Timestamp(1_000_000)),
        finished_at: Some(Timestamp(185_500_000)),
        usage: Some(Usage {
            wall: Span(184_500_000),
            user_cpu: Span(1_250_000),
            system_cpu: Span(3_000),
            peak_memory: 3 * 1024 * 1024,
        }),
        stdout_bytes: 2048,
        stderr_bytes: 0,
        stdout_path: None,
        stderr_path: None,
        recovery_code: None,
    }
}

const PLAIN: Layout = Layout { width: None, palette: Palette::PLAIN };

fn write<T: View>(format: Format, columns: &[&str], layout: Layout, items: &[T]) -> String {
    let columns: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
    let mut out = Vec::new();
    let options = ListOptions { format, columns: &columns, layout };
    let mut list = list_writer(&options, &mut out).unwrap();
    for item in items {
        list.item(item).unwrap();
    }
    list.end().unwrap();
    drop(list);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_table_aligns_numbers_on_the_right_and_keeps_each_item_on_one_line() {
    insta::assert_snapshot!(write(Format::Table, &[], PLAIN, &jobs()), @r#"
    ID  NAME                   STATUS     CODE  ATTEMPTS  COMMAND
     9  job1                   completed     0         1  echo hello
    10  a "long" name, quoted  failed        1         1  printf 'a\nb'; false
    11  job3                   running       -         1  sleep 30
    "#);
}

#[test]
fn a_table_of_results_reads_as_people_write() {
    let columns =
        ["name", "wall", "user_cpu", "system_cpu", "peak_memory", "stdout_bytes", "reason"];
    insta::assert_snapshot!(write(Format::Table, &columns, PLAIN, &[result()]), @r#"
    NAME      WALL   USER  SYSTEM   MEMORY   STDOUT  REASON
    job1  3 m 05 s  1.3 s  3.0 ms  3.0 MiB  2.0 KiB  -
    "#);
}

#[test]
fn a_table_is_shortened_to_the_terminal() {
    let layout = Layout { width: Some(40), palette: Palette::PLAIN };
    let long = job(1, "job1", JobStatus::Completed, &"word ".repeat(100));
    let table = write(Format::Table, &["id", "name", "command"], layout, &[long]);
    assert_eq!(table.lines().count(), 2, "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 40), "{table}");
    assert!(table.contains('…'), "{table}");
}

#[test]
fn a_table_paints_states_where_colours_are_wanted() {
    let palette = Palette::new(crate::format::ColorWhen::Always, false);
    let layout = Layout { width: None, palette };
    let table = write(Format::Table, &["name", "status"], layout, &jobs());
    let failed = table.lines().find(|line| line.contains("failed")).unwrap();
    assert!(failed.contains("\x1b[38;5;1mfailed\x1b["), "{failed:?}");
    assert!(!write(Format::Table, &["name", "status"], PLAIN, &jobs()).contains('\x1b'));
}

#[test]
fn a_table_longer_than_a_batch_has_one_header_and_stays_aligned() {
    let many: Vec<_> =
        (1..=20_001).map(|id| job(id, "job", JobStatus::Completed, "true")).collect();
    let table = write(Format::Table, &["name", "id", "status"], PLAIN, &many);
    assert_eq!(table.lines().count(), 20_002);
    assert_eq!(table.lines().filter(|line| line.contains("NAME")).count(), 1);
    let starts: std::collections::BTreeSet<_> =
        table.lines().skip(1).map(|line| line.find("completed").unwrap()).collect();
    assert_eq!(starts.len(), 1, "the columns moved: {starts:?}");
}

#[test]
fn numbers_that_grow_in_a_later_batch_are_shown_whole() {
    let layout = Layout { width: Some(40), palette: Palette::PLAIN };
    let many: Vec<_> =
        (1..=10_001).map(|id| job(id + 89_999, "job", JobStatus::Completed, "true")).collect();
    let table = write(Format::Table, &["id", "name"], layout, &many);
    assert_eq!(table.lines().last(), Some("100000  job"));
}

#[test]
fn json_is_one_array_of_whole_views() {
    let text = write(Format::Json, &[], PLAIN, &[result(), result()]);
    let back: Vec<ResultView> = serde_json::from_str(&text).unwrap();
    assert_eq!(back, [result(), result()]);
    assert!(text.contains(r#""wall":184.5"#), "{text}");
    assert!(text.contains(r#""peak_memory":3145728"#), "{text}");
    assert_eq!(write::<JobView>(Format::Json, &[], PLAIN, &[]), "[]\n");
}

#[test]
fn ndjson_is_one_view_a_line() {
    let text = write(Format::Ndjson, &[], PLAIN, &jobs());
    let back: Vec<JobView> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(back, jobs());
    assert_eq!(write::<JobView>(Format::Ndjson, &[], PLAIN, &[]), "");
}

#[test]
fn chosen_columns_are_the_only_keys_in_the_order_chosen() {
    let text = write(Format::Ndjson, &["wall", "name", "stdout_path"], PLAIN, &[result()]);
    assert_eq!(text, "{\"wall\":184.5,\"name\":\"job1\",\"stdout_path\":null}\n");
}

#[test]
fn csv_quotes_what_needs_it_and_gives_raw_values() {
    let columns = ["id", "name", "status", "return_code", "command"];
    let expected = "id,name,status,return_code,command\n\
        9,job1,completed,0,echo hello\n\
        10,\"a \"\"long\"\" name, quoted\",failed,1,\"printf 'a\nb'; false\"\n\
        11,job3,running,,sleep 30\n";
    assert_eq!(write(Format::Csv, &columns, PLAIN, &jobs()), expected);
    let columns = ["name", "wall", "peak_memory", "started_at", "reason", "stdout_path"];
    let expected = "name,wall,peak_memory,started_at,reason,stdout_path\n\
        job1,184.5,3145728,1.0,,\n";
    assert_eq!(write(Format::Csv, &columns, PLAIN, &[result()]), expected);
}

#[test]
fn words_are_one_cell_in_csv_and_an_array_in_json() {
    let columns = ["name", "labels"];
    let jobs = [job(9, "a", JobStatus::Ready, "x")];
    assert_eq!(write(Format::Csv, &columns, PLAIN, &jobs), "name,labels\na,\"big,gpu\"\n");
    let json = write(Format::Ndjson, &columns, PLAIN, &jobs);
    assert_eq!(json, "{\"name\":\"a\",\"labels\":[\"big\",\"gpu\"]}\n");
    assert!(write(Format::Table, &columns, PLAIN, &jobs).ends_with("big, gpu\n"));
}

#[test]
fn csv_of_nothing_is_its_header() {
    let text = write::<JobView>(Format::Csv, &[], PLAIN, &[]);
    let expected = "id,workflow_id,name,status,return_code,attempts,priority,cpus,memory,gpus,\
        labels,command\n";
    assert_eq!(text, expected);
}

#[test]
fn an_unknown_column_is_refused_with_those_that_exist() {
    let columns = ["nmae".to_owned()];
    let options = ListOptions { format: Format::Table, columns: &columns, layout: PLAIN };
    let error = list_writer::<JobView>(&options, Vec::new()).err().unwrap();
    assert_eq!(error.to_string(), "there is no column 'nmae' in a list of jobs");
    assert!(error.known.contains(&"name"));
}

#[test]
fn every_column_shown_exists_in_every_view() {
    fn check<T: View>() {
        assert!(choose::<T, _>(T::SHOWN).is_ok(), "{}", T::NOUN);
        let mut names: Vec<_> = T::COLUMNS.iter().map(|column| column.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), T::COLUMNS.len(), "{} has a column twice", T::NOUN);
    }
    check::<JobView>();
    check::<ResultView>();
    check::<torc_protocol::view::WorkflowView>();
}

/// Fails as a pipe does whose reader has gone.
struct Gone;

impl Write for Gone {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_broken_pipe_is_known_as_such_in_every_format() {
    for format in [Format::Table, Format::Json, Format::Ndjson, Format::Csv, Format::Id] {
        let options = ListOptions { format, columns: &[], layout: PLAIN };
        let mut list = list_writer(&options, Gone).unwrap();
        let outcome = list.item(&jobs()[0]).and_then(|()| list.end());
        assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::BrokenPipe, "{format:?}");
    }
}

#[test]
fn ids_are_a_line_each_and_nothing_else() {
    assert_eq!(write(Format::Id, &[], PLAIN, &jobs()), "9\n10\n11\n");
    assert_eq!(write(Format::Id, &[], PLAIN, &[result()]), "9\n");
    assert_eq!(write::<JobView>(Format::Id, &[], PLAIN, &[]), "");
}
