//! `torcctl api --list`: what can be asked.

use std::io::Write;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::context::Context;
use crate::error::CliError;
use crate::exit_code;
use crate::format::Format;
use crate::output::page::write_json;
use crate::output::stdout::Stdout;

/// Something that can be asked; the keys of the JSON output.
#[derive(Serialize)]
struct Verb {
    /// The key of the request.
    verb: &'static str,
    /// What it does.
    meaning: &'static str,
    /// The key of the reply, or of each of its parts.
    reply: &'static str,
    /// The reply is of any number of parts, and then "end".
    has_many_parts: bool,
    /// A request.
    #[serde(serialize_with = "as_json")]
    example: &'static str,
}

fn as_json<S: serde::Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    let raw: &RawValue = serde_json::from_str(text).map_err(serde::ser::Error::custom)?;
    raw.serialize(serializer)
}

macro_rules! verbs {
    ($($verb:literal: $meaning:literal; $($number:ident)? $reply:literal; $example:literal;)+) => {
        const VERBS: &[Verb] = &[
            $(Verb {
                verb: $verb,
                meaning: $meaning,
                reply: $reply,
                has_many_parts: verbs!(@many $($number)?),
                example: $example,
            }),+
        ];
    };
    (@many) => { false };
    (@many many) => { true };
}

verbs! {
    "ping": "a sign of life"; "pong"; r#"{"ping":{}}"#;
    "status": "the torcd, its node, jobs and snapshots"; "status"; r#"{"status":{}}"#;
    "list_workflows": "workflows"; many "workflows";
        r#"{"list_workflows":{"status":["failed"],"page":{"reverse":true,"limit":5}}}"#;
    "get_workflow": "one workflow"; "workflow"; r#"{"get_workflow":{"workflow":{"name":"night"}}}"#;
    "list_jobs": "the jobs of a workflow"; many "jobs";
        r#"{"list_jobs":{"workflow":"latest","status":["running","failed"],"name":"align_*"}}"#;
    "get_job": "one job with its last attempts"; "job";
        r#"{"get_job":{"job":{"name":{"workflow":"latest","name":"job1"}}}}"#;
    "explain": "why a job is as it is"; "explanation"; r#"{"explain":{"job":{"id":1}}}"#;
    "list_results": "what the attempts of jobs gave"; many "results";
        r#"{"list_results":{"workflow":{"id":1},"page":{"sort":"wall","reverse":true}}}"#;
    "logs": "a part of what an attempt wrote"; "logs";
        r#"{"logs":{"job":{"id":1},"stdout_offset":0,"limit":65536,"wait":false}}"#;
    "list_files": "the files of a workflow"; many "files"; r#"{"list_files":{"name":"out_*"}}"#;
    "list_user_data": "the user data of a workflow"; many "user_data"; r#"{"list_user_data":{}}"#;
    "list_edges": "which job waits for which"; many "edges"; r#"{"list_edges":{}}"#;
    "list_file_uses": "which job reads and writes which file"; many "file_uses";
        r#"{"list_file_uses":{}}"#;
    "watch": "the events of a workflow until it has ended"; many "watch";
        r#"{"watch":{"workflow":"latest","from_seq":1}}"#;
    "submit": "begins a submission"; "submit_accepted";
        r#"{"submit":{"spec":{"name":"sweep","context":{"working_dir":"/tmp","output_dir":"/tmp/torc_output","environment":{"PATH":"/usr/bin:/bin"}},"settings":[{"cpus":1,"timeout":600}]},"key":"sweep-1"}}"#;
    "submit_files": "adds files and user data to it, before the jobs that name them";
        "submit_accepted";
        r#"{"submit_files":{"files":[{"name":"table","path":"table.csv"}],"user_data":[]}}"#;
    "submit_jobs": "adds jobs to it; those before and files are named by their place, from 0";
        "submit_accepted";
        r#"{"submit_jobs":{"jobs":[{"name":"a","command":{"line":"date"}},{"name":"b","command":{"argv":["wc","-l","table.csv"]},"depends_on":[0],"inputs":[0]}]}}"#;
    "submit_commit": "makes it visible and lets it start"; "submitted"; r#"{"submit_commit":{}}"#;
    "restart": "runs jobs of a workflow again that has ended"; "submitted";
        r#"{"restart":{"workflow":{"id":1},"jobs":[{"first":1,"last":2}]}}"#;
    "cancel": "cancels a workflow, or some of its jobs"; "canceled";
        r#"{"cancel":{"workflow":"latest","jobs":[],"grace":2.5}}"#;
    "set_disabled": "sets jobs aside that have not started, or takes them back"; "disabled";
        r#"{"set_disabled":{"workflow":"latest","jobs":[{"id":2}],"disabled":true}}"#;
    "delete_workflow": "removes a workflow that has ended"; "deleted";
        r#"{"delete_workflow":{"workflow":{"id":1}}}"#;
    "snapshot": "takes a snapshot; the reply tells its steps when it is waited for"; many "snapshot";
        r#"{"snapshot":{"wait":{"at_most":30}}}"#;
    "shutdown": "stops the jobs, takes the final snapshot, ends the torcd"; many "snapshot";
        r#"{"shutdown":{"grace":5}}"#;
}

/// Prints all verbs.
///
/// # Errors
///
/// When they cannot be written.
pub(super) fn print(ctx: &Context) -> Result<u8, CliError> {
    let stdout = Stdout::new(ctx.globals.format, ctx.globals.color);
    let mut out = stdout.open();
    match stdout.format {
        Format::Ndjson => {
            for verb in VERBS {
                write_json(Format::Ndjson, super::NOUN, verb, &mut out)?;
            }
        }
        Format::Json => write_json(Format::Json, super::NOUN, &VERBS, &mut out)?,
        Format::Table | Format::Csv | Format::Id => {
            for Verb { verb, meaning, reply, has_many_parts, example } in VERBS {
                let end = if *has_many_parts { " … \"end\"" } else { "" };
                writeln!(out, "{verb}: {meaning}\n  {example}\n  → {{\"{reply}\":…}}{end}")?;
            }
        }
    }
    out.flush()?;
    Ok(exit_code::DONE)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use torc_protocol::request::Request;

    use super::*;

    /// Returns the names of the variants of `T`, as they are in JSON.
    fn variants<T: serde::de::DeserializeOwned>() -> Vec<String> {
        let error = serde_json::from_str::<T>(r#"{"?":0}"#).err().unwrap().to_string();
        let (_, names) = error.split_once("expected one of ").unwrap();
        let names = names.split(" at line").next().unwrap();
        names.split(", ").map(|name| name.trim_matches('`').to_owned()).collect()
    }

    #[test]
    fn every_request_is_listed_once() {
        let mut listed: Vec<_> = VERBS.iter().map(|verb| verb.verb.to_owned()).collect();
        let mut all = variants::<Request>();
        listed.sort();
        all.sort();
        assert_eq!(listed, all);
    }

    #[test]
    fn every_example_is_a_request_of_its_verb() {
        let replies = variants::<torc_protocol::response::Response>();
        for Verb { verb, reply, has_many_parts, example, .. } in VERBS {
            let request: Request = serde_json::from_str(example).unwrap();
            assert_eq!(request.has_many_replies(), *has_many_parts, "{example}");
            let value: Value = serde_json::from_str(example).unwrap();
            assert_eq!(value.as_object().unwrap().keys().collect::<Vec<_>>(), [verb]);
            assert!(replies.iter().any(|known| known == reply), "{reply}");
        }
    }
}
