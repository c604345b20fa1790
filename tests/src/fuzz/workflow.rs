//! Workflow files, in each format, up to the workflow that would be submitted.

use std::fs;
use std::io;
use std::path::Path;

use torcctl::error::CliError;
use torcctl::spec::file::Format;
use torcctl::spec::file::bytes::{ReadError, decode};
use torcctl::spec::listing::Listing;
use torcctl::spec::workflow_file::{LoadError, understand_within};

use crate::fuzz::specimen;

/// So many jobs, files, and user data at most: a line makes millions, which takes its time and tells
/// nothing new.
const MAX_JOBS: u64 = 300;

/// A workflow file in YAML.
pub fn yaml(bytes: &[u8]) {
    understood(bytes, Some(Format::Yaml));
}

/// A workflow file in JSON.
pub fn json(bytes: &[u8]) {
    understood(bytes, Some(Format::Json));
}

/// A workflow file in JSON5, or in whatever it may be.
pub fn json5(bytes: &[u8]) {
    understood(bytes, Some(Format::Json5));
    understood(bytes, None);
}

/// A workflow file in KDL.
pub fn kdl(bytes: &[u8]) {
    understood(bytes, Some(Format::Kdl));
}

/// A table of parameters; the first byte says how its name ends.
pub fn table(bytes: &[u8]) {
    const ENDINGS: [&str; 5] = ["csv", "tsv", "json", "jsonl", "odd"];
    let (first, table) = bytes.split_first().unwrap_or((&0, &[]));
    let name = format!("table.{}", ENDINGS[usize::from(*first) % ENDINGS.len()]);
    let dir = specimen::scratch();
    fs::write(dir.path().join(&name), table).expect("there is room");
    let file = format!(
        "{{name: t, parameters_file: {name}, jobs: [{{name: 'a_{{i}}_{{x:.2f}}', command: '{{i}}',
           use_parameters_file: true}}, {{name: b, command: c, parameters_file: {name}}}]}}"
    );
    check(file.as_bytes(), Some(Format::Yaml), dir.path());
}

fn understood(bytes: &[u8], format: Option<Format>) {
    check(bytes, format, Path::new("/nonexistent"));
}

fn check(bytes: &[u8], format: Option<Format>, directory: &Path) {
    let understood = decode("a file", bytes.to_vec())
        .map_err(LoadError::from)
        .and_then(|source| Ok(understand_within(&source, format, directory, MAX_JOBS)?));
    match understood {
        Ok(workflow) => {
            assert!(!workflow.name.is_empty() && !workflow.jobs.is_empty());
            let count = workflow.jobs.len();
            let lists = [count, workflow.files.len(), workflow.user_data.len()];
            assert!(lists.iter().all(|list| *list as u64 <= MAX_JOBS), "{lists:?}");
            for job in &workflow.jobs {
                assert!(job.depends_on.is_sorted() && !job.name.is_empty());
                assert!(job.depends_on.iter().all(|other| (*other as usize) < count));
            }
            serde_json::to_writer(io::sink(), &Listing(&workflow)).expect("it can be shown");
        }
        Err(error) => {
            if let LoadError::Invalid(complaints)
            | LoadError::Read(ReadError::NotText(complaints)) = &error
            {
                assert!(!complaints.is_empty(), "refused without a reason");
            }
            let shown = CliError::from(error).to_string();
            let is_obeyed = |letter: char| letter.is_control() && letter != '\n';
            assert!(!shown.is_empty() && !shown.contains(is_obeyed), "{shown:?}");
        }
    }
}
