//! Small files: lists of commands, the journal of a worker, leases.

use std::path::Path;

use torc_protocol::codec;
use torc_protocol::journal::{self, ENTRY};
use torc_protocol::request::Request;
use torcctl::commands::api;
use torcctl::spec::commands_file::CommandsFile;
use torcctl::spec::parameter;
use torcctl::spec::template::Template;
use torcd::snapshot::lease::Holder;

/// What `torcctl exec -f` reads, and what becomes of its placeholders.
pub fn commands_file(bytes: &[u8]) {
    let file = match CommandsFile::parse(Path::new("a file"), bytes.to_vec()) {
        Ok(file) => file,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let parameters = ["i=1:12:2", "x=0.5:1.5:0.25", "name=a b,ü,"].map(str::to_owned);
    let parameters = parameter::parse_all(&parameters).expect("these are parameters");
    assert!(file.commands().next().is_some(), "a file without commands");
    for command in file.commands() {
        assert!(!command.contains(['\0', '\n']) && !command.is_empty());
        let template = Template::parse(command, &parameters, |name| assert!(!name.is_empty()));
        match template.check(&parameters) {
            Ok(()) => {
                for at in 0..3 {
                    let values: Vec<_> =
                        parameters.iter().map(|one| one.get(at % one.len())).collect();
                    assert!(template.fill(&values).len() <= 1000 * command.len());
                }
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

/// What a program in another language asks `torcctl api`.
pub fn api_request(bytes: &[u8]) {
    let request = match api::parse(bytes, 1) {
        Ok(request) => request,
        Err(error) => return assert!(error.message.starts_with("line ") && error.hint.is_some()),
    };
    let text = serde_json::to_vec(&request).expect("what was JSON can be JSON");
    let again = api::parse(&text, 1);
    assert!(again.is_ok(), "{again:?}");
    // Settings that are two bytes of JSON are more in a frame.
    if let Ok(payload) = codec::encode(&request) {
        assert_eq!(codec::decode::<Request>(&payload).ok(), Some(request));
    }
}

/// What a worker has noted of the attempts that it began.
pub fn journal(bytes: &[u8]) {
    let attempts = journal::attempts(bytes);
    assert!(attempts.len() <= bytes.len() / ENTRY);
    let noted: Vec<u8> = attempts.iter().flat_map(|attempt| journal::entry(*attempt)).collect();
    assert_eq!(journal::attempts(&noted), attempts);
}

/// A file that says who has a database.
pub fn lease(bytes: &[u8]) {
    if let Some(holder) = Holder::parse(bytes) {
        assert_eq!(Holder::parse(holder.text().as_bytes()), Some(holder));
    }
}
