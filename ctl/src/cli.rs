//! The list of commands, and what happens before and after one runs.

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::commands::{
    api, cancel, complete, completions, config, daemon, exec, explain, files, help, jobs, logs,
    man, results, retry, run, service, snapshot, status, submit, user_data, wait, watch, workflows,
};
use crate::completion;
use crate::context::{Context, Globals};
use crate::error::{CliError, ErrorKind};
use crate::{exit_code, mistakes};

const EXAMPLES: &str = "\
Examples:
  torcctl exec --param i=1:100 -c 'simulate {i}'   a hundred jobs, and their record
  torcctl run flow.yaml                            jobs that wait for each other
  torcctl results list --failed                    what went wrong
  torcctl logs job7                                what a job wrote
  torcctl daemon start                             a torcd that stays, for `torcctl submit`
  torcctl help jobs list                           more of a command";

/// Run many commands on this node, and keep a durable record of every one
#[derive(Debug, Parser)]
#[command(name = "torcctl", version, propagate_version = true, max_term_width = 100)]
#[command(
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = EXAMPLES
)]
pub struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Exec(Box<exec::Args>),
    Run(Box<run::Args>),
    Submit(Box<submit::Args>),
    Retry(Box<retry::Args>),
    Results(results::Args),
    Jobs(jobs::Args),
    Workflows(workflows::Args),
    Files(files::Args),
    UserData(user_data::Args),
    Logs(logs::Args),
    Wait(wait::Args),
    Watch(watch::Args),
    Explain(explain::Args),
    Cancel(cancel::Args),
    Snapshot(snapshot::Args),
    Status(status::Args),
    Daemon(daemon::Args),
    Service(service::Args),
    Api(api::Args),
    Config(config::Args),
    Completions(completions::Args),
    Complete(complete::Args),
    Man(man::Args),
    Help(help::Args),
}

/// Parses the command line, runs the command, and returns its exit code.
#[must_use]
pub fn main() -> ExitCode {
    if let Some(code) = completion::requested(command) {
        return code;
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let message = format!("cannot set up the event loop: {error}");
            return CliError::new(ErrorKind::Failed, message).report();
        }
    };
    let code = match runtime.block_on(dispatch(cli)) {
        Ok(code) => ExitCode::from(code),
        Err(error) => error.report(),
    };
    // A read of stdin cannot be interrupted; it must not keep us from ending.
    runtime.shutdown_background();
    code
}

/// Says what is wrong with the command line, or gives the help that it asks for.
fn refuse(error: &clap::Error) -> ExitCode {
    use clap::error::ErrorKind::{
        DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion,
    };
    let is_help = [DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion];
    if is_help.contains(&error.kind()) {
        // Whoever closed our stdout does not want to read it.
        drop(error.print());
        return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(exit_code::USAGE));
    }
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    mistakes::explain(error, command(), &words).report()
}

/// Returns the description of the command line, for completions and `docs/cli.md`.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

async fn dispatch(cli: Cli) -> Result<u8, CliError> {
    let mut ctx = match &cli.command {
        // They explain things, also what is wrong with the settings.
        Command::Completions(_) | Command::Complete(_) | Command::Man(_) | Command::Help(_) => {
            Context::load_if_right(cli.globals)
        }
        Command::Config(args) if !args.needs_settings() => Context::load_if_right(cli.globals),
        _ => Context::load(cli.globals)?,
    };
    match cli.command {
        Command::Exec(args) => exec::run(&mut ctx, *args).await,
        Command::Run(args) => run::run(&mut ctx, *args).await,
        Command::Submit(args) => submit::run(&mut ctx, *args).await,
        Command::Retry(args) => retry::run(&mut ctx, *args).await,
        Command::Results(args) => results::run(&mut ctx, args).await,
        Command::Jobs(args) => jobs::run(&mut ctx, args).await,
        Command::Workflows(args) => workflows::run(&mut ctx, args).await,
        Command::Files(args) => files::run(&mut ctx, args).await,
        Command::UserData(args) => user_data::run(&mut ctx, args).await,
        Command::Logs(args) => logs::run(&mut ctx, args).await,
        Command::Wait(args) => wait::run(&mut ctx, args).await,
        Command::Watch(args) => watch::run(&mut ctx, args).await,
        Command::Explain(args) => explain::run(&mut ctx, args).await,
        Command::Cancel(args) => cancel::run(&mut ctx, args).await,
        Command::Snapshot(args) => snapshot::run(&mut ctx, args).await,
        Command::Status(args) => status::run(&mut ctx, args).await,
        Command::Daemon(args) => daemon::run(&mut ctx, args).await,
        Command::Service(args) => service::run(&ctx, args).await,
        Command::Api(args) => api::run(&mut ctx, args).await,
        Command::Config(args) => config::run(&ctx, args),
        Command::Completions(args) => completions::run(&args),
        Command::Complete(args) => complete::run(args),
        Command::Man(args) => man::run(&ctx, command(), &args).await,
        Command::Help(args) => help::run(command(), &args),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &[&str]) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once(&"torcctl").chain(line))
    }

    #[test]
    fn the_description_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn global_options_stand_before_or_after_the_command() {
        for line in
            [["--format", "json", "exec", "-c", "x"], ["exec", "-c", "x", "--format", "json"]]
        {
            let format = parse(&line).unwrap().globals.given_format;
            assert_eq!(format, Some(crate::format::Format::Json));
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_code_2() {
        for line in [
            vec![],
            vec!["exce"],
            vec!["exec", "--no-such-flag"],
            vec!["exec", "-c"],
            vec!["exec", "-c", "x", "-j", "0"],
            vec!["exec", "-c", "x", "--cpus", "0"],
            vec!["exec", "-c", "x", "--snapshot-interval-seconds", "31622401"],
            vec!["exec", "-c", "x", "--snapshot-keep", "0"],
            vec!["exec", "-c", "x", "--timeout", "soon"],
            vec!["exec", "-c", "x", "--in-memory", "--on-disk"],
            vec!["exec", "-c", "x", "--detach", "--standalone"],
            vec!["exec", "-c", "x", "--memory", "2x"],
            vec!["exec", "-c", "x", "--halt", "later"],
            vec!["exec", "-c", "x", "--resume", "--dry-run"],
            vec!["run"],
            vec!["run", "a.yaml", "b.yaml"],
            vec!["run", "a.yaml", "--end-time", "soon"],
            vec!["run", "a.yaml", "--time-limit", "1h", "--end-time", "none"],
            vec!["run", "a.yaml", "--num-cpus", "0"],
            vec!["submit"],
            vec!["submit", "a.yaml", "--print", "live"],
            vec!["submit", "a.yaml", "--key", ""],
            vec!["exec", "-c", "x", "--snapshot-timeout", "soon"],
            vec!["snapshot", "find"],
            vec!["snapshot", "list", "--wait"],
            vec!["results", "list", "--status", "blocked"],
            vec!["wait", "--timeout", "soon"],
            vec!["watch", "3", "4"],
            vec!["explain"],
            vec!["jobs", "disable"],
            vec!["workflows", "delete"],
            vec!["workflows", "graph", "--as", "svg"],
            vec!["workflows", "graph", "--status-colors", "failed=#12"],
        ] {
            assert_eq!(parse(&line).unwrap_err().exit_code(), 2, "{line:?}");
        }
    }

    #[test]
    fn everything_after_the_dashes_belongs_to_the_command() {
        assert!(parse(&["exec", "--", "prog", "--format", "x", "-c"]).is_ok());
        assert!(parse(&["exec", "-c", "x", "--priority", "-5"]).is_ok());
    }
}
