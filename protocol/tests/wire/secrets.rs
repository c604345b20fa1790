//! What may be secret is in no `Debug`: commands, scripts, environments, user data, output.

use std::fmt::Debug;

use bytes::Bytes;
use torc_protocol::spec::{ActionSpec, Environment, JobSettings, JobSpec, UserDataSpec};
use torc_protocol::view::{JobView, ResultView, UserDataView};
use torc_protocol::worker::StartJob;

use crate::message::{
    Command, Golden, LogPart, Output, Request, Response, WorkerEvent, WorkerRequest,
};

/// What must not be seen. It is no part of anything else.
const SECRET: &str = "xyzzy-7Q";

fn secret() -> String {
    SECRET.to_owned()
}

fn command() -> Command {
    Command::Argv(vec!["curl".to_owned(), secret()])
}

fn bytes() -> Bytes {
    Bytes::from(secret())
}

fn variables() -> Vec<(String, String)> {
    vec![("TOKEN".to_owned(), secret())]
}

fn environment() -> Environment {
    Environment(Bytes::from(format!("TOKEN={SECRET}\0")))
}

fn hide_in_settings(settings: &mut JobSettings) {
    settings.environment = variables();
    for rule in &mut settings.retry {
        rule.recovery_script = Some(secret());
    }
}

fn hide_in_job(job: &mut JobSpec) {
    job.command = Command::Line(secret());
    job.environment = variables();
    job.invocation_script = Some(secret());
}

fn hide_in_request(request: &mut Request) -> bool {
    match request {
        Request::Submit(submit) => {
            submit.spec.context.environment = environment();
            submit.spec.settings.iter_mut().for_each(hide_in_settings);
            for ActionSpec { commands, .. } in &mut submit.spec.actions {
                *commands = vec![secret()];
            }
        }
        Request::SubmitJobs(submit) => submit.jobs.iter_mut().for_each(hide_in_job),
        Request::SubmitFiles(submit) => {
            for UserDataSpec { data, .. } in &mut submit.user_data {
                *data = Some(secret());
            }
        }
        Request::Restart(restart) => {
            restart.environment = environment();
            restart.commands.iter_mut().for_each(|(_, it)| *it = command());
        }
        _ => return false,
    }
    true
}

fn hide_in_response(response: &mut Response) -> bool {
    let in_job = |job: &mut JobView| job.command = secret();
    let in_result = |result: &mut ResultView| result.command = secret();
    match response {
        Response::Jobs(jobs) => jobs.iter_mut().for_each(in_job),
        Response::Results(results) => results.iter_mut().for_each(in_result),
        Response::Job(detail) => {
            in_job(&mut detail.job);
            detail.attempts.iter_mut().for_each(in_result);
        }
        Response::Explanation(explanation) => in_job(&mut explanation.job),
        Response::UserData(values) => {
            for UserDataView { data, .. } in values {
                *data = Some(secret());
            }
        }
        Response::Logs(chunk) => {
            chunk.stdout = LogPart::Bytes(bytes());
            chunk.stderr = LogPart::Bytes(bytes());
        }
        _ => return false,
    }
    true
}

fn hide_in_worker_request(request: &mut WorkerRequest) -> bool {
    match request {
        WorkerRequest::Context { context, .. } => context.environment = environment(),
        WorkerRequest::Lane { settings, .. } => hide_in_settings(settings),
        WorkerRequest::Start { jobs, .. } => {
            for StartJob { command: it, extra, .. } in jobs {
                *it = command();
                let extra = extra.as_mut().unwrap();
                extra.environment = variables();
                extra.invocation_script = Some(secret());
                extra.recovery.as_mut().unwrap().script = secret();
            }
        }
        _ => return false,
    }
    true
}

fn hide_in_worker_event(event: &mut WorkerEvent) -> bool {
    match event {
        WorkerEvent::Finished { result, .. } => {
            result.stdout = Output::Inline(bytes());
            result.stderr = Output::Inline(bytes());
        }
        WorkerEvent::Tailed { parts, .. } => {
            *parts = Some((LogPart::Bytes(bytes()), LogPart::Bytes(bytes())));
        }
        _ => return false,
    }
    true
}

/// Hides the secret in every message that has room for one, and looks for it in its `Debug`.
fn check<T: Golden + Debug>(hide: impl Fn(&mut T) -> bool, expected: usize) {
    // Bytes are shown as numbers by a derived `Debug` of some types.
    let numbers = format!("{:?}", SECRET.as_bytes());
    let numbers = numbers.trim_matches(['[', ']']);
    let mut hidden = 0;
    for (name, mut message) in T::all() {
        hidden += usize::from(hide(&mut message));
        for shown in [format!("{message:?}"), format!("{message:#?}")] {
            let gives_away = shown.contains(SECRET) || shown.contains(numbers);
            assert!(!gives_away, "{}::{name} shows what it hides: {shown}", T::NAME);
        }
    }
    assert_eq!(hidden, expected, "{}", T::NAME);
}

#[test]
fn no_message_shows_what_may_be_secret() {
    check::<Request>(hide_in_request, 4);
    check::<Response>(hide_in_response, 6);
    check::<WorkerRequest>(hide_in_worker_request, 3);
    check::<WorkerEvent>(hide_in_worker_event, 2);
}

#[test]
fn how_much_is_hidden_is_shown() {
    assert_eq!(format!("{:?}", Command::Line("make -j 8".to_owned())), "Command(9 bytes)");
    assert_eq!(format!("{:?}", command()), "Command(2 words)");
    assert_eq!(format!("{:?}", environment()), "Environment(1 variables)");
    assert_eq!(format!("{:?}", Output::Inline(bytes())), "Inline(8 bytes)");
}
