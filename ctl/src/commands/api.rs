//! `torcctl api`: requests as JSON, replies as lines of JSON, for programs in other languages.
//!
//! What is on stdout is replies and nothing else, and every request gets its own: one that is no
//! valid JSON an error, without torcd having been asked. What has no reply, because torcd is not
//! there or has gone, is said on stderr, and the exit code is 3; 5 where that leaves it open whether
//! the final snapshot is on disk. A request that was answered well may have had a bad end, too: that
//! of a snapshot which failed.

mod lines;
mod tally;
mod verbs;

use std::io::{self, IsTerminal, Write};

use torc_protocol::codec::CodecError;
use torc_protocol::connection::ConnectionError;
use torc_protocol::request::Request;
use torc_protocol::response::{ErrorCode, RequestError, Response};

use self::tally::Tally;
use crate::client::Client;
use crate::commands::watch::reader;
use crate::context::Context;
use crate::error::{CliError, ErrorKind};
use crate::output::page::check_format;

const EXAMPLES: &str = "\
Examples:
  torcctl api --list                        what can be asked, with an example of each
  torcctl api '{\"status\":{}}' | jq .status.jobs
  torcctl api '{\"list_results\":{\"workflow\":{\"id\":3},\"status\":[\"failed\"]}}'
  torcctl api '{\"list_jobs\":{}}' --db old/torc.db
  printf '%s\\n' '{\"ping\":{}}' '{\"get_workflow\":{}}' | torcctl api

A reply is a line of JSON. One of many parts, that of a list say, ends with the line \"end\". An error
is {\"error\":{\"code\":…,\"message\":…,\"hint\":…}}. A line {\"degraded\":…} is no reply: snapshots fail.

Exit codes: 0 every reply was good; 5 a snapshot that was asked for, or the final one after shutdown,
failed or may not be on disk, whatever else was said; else that of the last that was bad: 1 internal,
2 invalid_request, 3 unavailable, 4 a snapshot timed_out, 6 not_found, 7 wrong_state; 3 no torcd is
running, or it has gone";

/// What the output describes.
const NOUN: &str = "a request";
/// What to do about a request that is not understood.
const HINT: &str = "`torcctl api --list` shows what can be asked, with an example of each";

/// Send requests as JSON, and print the replies as lines of JSON
///
/// For scripts and programs in other languages. All requests go over one connection, each when the
/// one before is answered, so that a submission can be built up and lists can be read while others
/// wait.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The request; without it, or with `-`, those on stdin, one a line
    #[arg(value_name = "REQUEST")]
    request: Option<String>,
    /// Show what can be asked, with an example of each
    #[arg(long, conflicts_with = "request")]
    list: bool,
}

/// Runs it.
///
/// # Errors
///
/// When there is no request, no torcd answers, or it goes.
pub async fn run(ctx: &mut Context, args: Args) -> Result<u8, CliError> {
    if args.list {
        check_format(ctx.globals.format, NOUN)?;
        return verbs::print(ctx);
    }
    // Replies have one form, whatever somebody has set for all commands.
    let text = args.request.filter(|text| text != "-");
    if text.is_none() && io::stdin().is_terminal() {
        return Err(CliError::usage("there is no request, and stdin is a terminal").hint(HINT));
    }
    let mut tally = Tally::default();
    let answering = async {
        match text {
            Some(text) => once(ctx, &text, &mut tally).await,
            None => session(ctx, &mut tally).await,
        }
    };
    let outcome = tokio::select! {
        outcome = answering => outcome,
        // Between two replies, nothing else would tell.
        () = reader::gone() => Err(io::Error::from(io::ErrorKind::BrokenPipe).into()),
    };
    tally.end(outcome)
}

async fn once(ctx: &Context, text: &str, tally: &mut Tally) -> Result<(), CliError> {
    match parse(text.as_bytes(), 1) {
        Ok(request) => {
            let mut reader = ctx.named().await?;
            answer(&mut reader.client, request, tally).await
        }
        Err(error) => refuse(error, tally),
    }
}

/// Answers each line of stdin. An error ends its request and nothing else.
async fn session(ctx: &Context, tally: &mut Tally) -> Result<(), CliError> {
    let mut reader = ctx.named().await?;
    let mut lines = lines::of_stdin();
    let mut is_ending = false;
    loop {
        let line = tokio::select! {
            biased;
            line = lines.recv() => line.transpose()?,
            error = reader.client.gone(), if !is_ending => return Err(error),
        };
        let Some(line) = line else { return Ok(()) };
        let request = match line.text {
            Some(text) if text.trim_ascii().is_empty() => continue,
            Some(text) => parse(&text, line.number),
            None => Err(invalid(format!(
                "line {}: a request has at most {} bytes",
                line.number,
                lines::LONGEST
            ))),
        };
        match request {
            Ok(request) => {
                // It goes when it has answered this.
                is_ending = matches!(request, Request::Shutdown(_));
                answer(&mut reader.client, request, tally).await?;
            }
            Err(error) => refuse(error, tally)?,
        }
    }
}

/// Asks, and prints the whole reply.
async fn answer(client: &mut Client, request: Request, tally: &mut Tally) -> Result<(), CliError> {
    let has_many = request.has_many_replies();
    let mut is_open = matches!(request, Request::Shutdown(_));
    match client.ask(request).await {
        Ok(()) => {}
        Err(ConnectionError::Codec(CodecError::TooLarge(_))) => {
            let message = "the request is too large to be sent".to_owned();
            let error = invalid(message).hint("submit jobs in parts, with more than one request");
            return refuse(error, tally);
        }
        Err(error) => return Err(error.into()),
    }
    loop {
        let response = client.answer().await.map_err(|error| match is_open {
            true => unknown(&error.message),
            false => error,
        })?;
        print(&response)?;
        match response {
            Response::Degraded(_) => {}
            Response::Error(error) => {
                tally.add(&error.into());
                return Ok(());
            }
            Response::Snapshot(progress) => is_open &= !tally.add_snapshot(progress),
            Response::End if is_open => return Err(unknown("it ended without a word about it")),
            Response::End => return Ok(()),
            _ if !has_many => return Ok(()),
            _ => {}
        }
    }
}

/// Replies to a request that is not sent.
fn refuse(error: RequestError, tally: &mut Tally) -> Result<(), CliError> {
    tally.add(&error.clone().into());
    print(&Response::Error(error))
}

/// Returns the error for a torcd that has not said what became of its final snapshot.
fn unknown(why: &str) -> CliError {
    let message = format!("torcd's final snapshot may not be on disk: {why}");
    CliError::new(ErrorKind::NotDurable, message)
        .hint("`torcctl snapshot recover --dry-run` shows a record that it has left elsewhere")
}

fn print(response: &Response) -> Result<(), CliError> {
    let mut line = serde_json::to_vec(response).map_err(io::Error::from)?;
    line.push(b'\n');
    let mut stdout = io::stdout().lock();
    stdout.write_all(&line)?;
    Ok(stdout.flush()?)
}

/// Returns the request in `text`, which begins in line `first` of the input.
///
/// # Errors
///
/// When it is no valid JSON, or no request; the place in the input is told.
pub fn parse(text: &[u8], first: u64) -> Result<Request, RequestError> {
    serde_json::from_slice(text).map_err(|error| {
        let place = format!(" at line {} column {}", error.line(), error.column());
        let words = error.to_string();
        let words = words.strip_suffix(&place).unwrap_or(&words);
        let line = first + (error.line() as u64).saturating_sub(1);
        invalid(format!("line {line}, column {}: {words}", error.column()))
    })
}

fn invalid(message: String) -> RequestError {
    RequestError::new(ErrorCode::InvalidRequest, message).hint(HINT)
}

#[cfg(test)]
mod tests {
    use torc_protocol::request::Ping;

    use super::*;

    fn refusal(text: &str) -> String {
        parse(text.as_bytes(), 7).unwrap_err().message
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_in_the_input() {
        assert_eq!(parse(b" {\"ping\": {}} ", 1), Ok(Ping.into()));
        assert_eq!(refusal("{\"ping\":"), "line 7, column 8: EOF while parsing a value");
        assert_eq!(
            refusal("{\"ping\":\n{\"a\":1}}"),
            "line 8, column 4: unknown field `a`, there are no fields"
        );
        assert!(refusal("{\"pin\":{}}").starts_with("line 7, column 6: unknown variant `pin`"));
        assert!(refusal("\u{1}").starts_with("line 7, column 1: expected value"));
        assert!(refusal(&"[".repeat(1_000_000)).starts_with("line 7, column 1: "));
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        let error = parse(b"{\"get_workflow\":{\"workflow\":{\"name\":\"\xff\"}}}", 1).unwrap_err();
        assert!(error.message.contains("invalid unicode"), "{}", error.message);
    }
}
