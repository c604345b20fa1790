//! Where and as what jobs run: the directories and the environment, checked.

use std::env;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{self, Path, PathBuf};

use bytes::Bytes;
use torc_protocol::paths;
use torc_protocol::spec::{Environment, JobContext};

use crate::error::{CliError, ErrorKind};

/// Returns the context of jobs that run where we do, with `output_dir` for files of output.
pub(crate) fn job_context(output_dir: Option<&Path>) -> Result<JobContext, CliError> {
    let working_dir = env::current_dir().map_err(|error| {
        CliError::usage(format!("the working directory cannot be used: {error}"))
            .hint("go to one that exists")
    })?;
    let output_dir = output_dir.unwrap_or(Path::new(paths::OUTPUT_DIR));
    Ok(JobContext {
        environment: environment(),
        working_dir: utf8(&working_dir)?,
        output_dir: utf8(&absolute(output_dir)?)?,
    })
}

/// Returns our environment.
pub(crate) fn environment() -> Environment {
    let mut block = Vec::with_capacity(4096);
    for (name, value) in env::vars_os() {
        block.extend_from_slice(name.as_bytes());
        block.push(b'=');
        block.extend_from_slice(value.as_bytes());
        block.push(0);
    }
    Environment(Bytes::from(block))
}

/// Returns `path` as it is from the root, without looking at the disk.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf, CliError> {
    path::absolute(path).map_err(|error| {
        CliError::new(ErrorKind::Usage, format!("cannot use {}: {error}", path.display()))
            .hint("name a path that is not empty")
    })
}

/// Returns the directory that `--chdir` names, when jobs can run in it.
pub(crate) fn directory(dir: &Path) -> Result<String, CliError> {
    match fs::metadata(dir) {
        Ok(metadata) if metadata.is_dir() => utf8(dir),
        Ok(_) => Err(CliError::usage(format!("{} is not a directory", dir.display()))
            .hint("name one with `--chdir DIR`")),
        Err(error) => Err(CliError::usage(format!("cannot run in {}: {error}", dir.display()))
            .hint("name another directory with `--chdir DIR`")),
    }
}

/// Returns the variables that `--env` gives.
pub(crate) fn variables(texts: &[String]) -> Result<Vec<(String, String)>, CliError> {
    texts.iter().map(|text| variable(text)).collect()
}

fn variable(text: &str) -> Result<(String, String), CliError> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(CliError::usage(format!("'{text}' is no environment variable"))
            .hint("write `--env NAME=VALUE`")),
    }
}

fn utf8(path: &Path) -> Result<String, CliError> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        CliError::usage(format!("the path {} is not valid UTF-8", path.display()))
            .hint("rename it, or use another directory")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_and_directories_are_checked() {
        assert_eq!(variable("A=b=c").unwrap(), ("A".to_owned(), "b=c".to_owned()));
        assert!(variable("A").is_err() && variable("=b").is_err());
        let refusal = |dir: &str| directory(Path::new(dir)).unwrap_err().to_string();
        assert!(refusal("/nonexistent").contains("/nonexistent"));
        assert!(refusal("/dev/null").contains("not a directory"));
    }

    #[test]
    fn the_context_has_the_environment_and_absolute_directories() {
        let context = job_context(None).unwrap();
        assert!(context.environment.entries().any(|entry| entry.starts_with(b"PATH=")));
        assert!(Path::new(&context.working_dir).is_absolute());
        assert_eq!(context.output_dir, format!("{}/torc_output", context.working_dir));
    }
}
