//! `${files.input.NAME}` and its like in a command: each becomes the path of the file or the JSON
//! text of the user data, and says that the job reads or writes it.

use super::names::Names;
use crate::spec::complaint::{Complaints, Position};
use crate::spec::resolved::{File, UserData};

/// What can be referred to.
#[derive(Debug)]
pub(super) struct Referable<'n> {
    pub(super) file_names: &'n Names<'n>,
    pub(super) files: &'n [File],
    pub(super) user_data_names: &'n Names<'n>,
    pub(super) user_data: &'n [UserData],
}

/// The relations of a job: numbers of what it reads and writes.
#[derive(Debug, Default)]
pub(super) struct Relations {
    pub(super) inputs: Vec<u32>,
    pub(super) outputs: Vec<u32>,
    pub(super) input_user_data: Vec<u32>,
    pub(super) output_user_data: Vec<u32>,
    /// The user data that a text wants and that has no data.
    pub(super) without_data: Vec<(Position, u32)>,
}

impl Relations {
    /// Returns how many there are.
    pub(super) fn len(&self) -> usize {
        let lists = [&self.inputs, &self.outputs, &self.input_user_data, &self.output_user_data];
        lists.iter().map(|list| list.len()).sum()
    }
}

const KINDS: [&str; 4] = ["files.input.", "files.output.", "user_data.input.", "user_data.output."];

impl Referable<'_> {
    /// Returns `text` with what its references stand for, and adds them to `relations`.
    pub(super) fn replace(
        &self,
        text: String,
        at: Position,
        relations: &mut Relations,
        complaints: &mut Complaints,
    ) -> String {
        if !text.contains("${files.") && !text.contains("${user_data.") {
            return text;
        }
        let mut replaced = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(begin) = rest.find("${") {
            let inner = &rest[begin + 2..];
            let is_ours = inner.starts_with("files.") || inner.starts_with("user_data.");
            if !is_ours {
                replaced.push_str(&rest[..begin + 2]);
                rest = inner;
                continue;
            }
            // Without a closing brace there is no reference in the rest either.
            let Some(end) = inner.find('}') else { break };
            replaced.push_str(&rest[..begin]);
            match self.value(&inner[..end], at, relations, complaints) {
                Some(value) => replaced.push_str(value),
                None => replaced.push_str(&rest[begin..begin + end + 3]),
            }
            rest = &inner[end + 1..];
        }
        replaced.push_str(rest);
        replaced
    }

    fn value(
        &self,
        reference: &str,
        at: Position,
        relations: &mut Relations,
        complaints: &mut Complaints,
    ) -> Option<&str> {
        let kind = KINDS.iter().position(|kind| reference.starts_with(kind));
        let Some(kind) = kind else {
            let message = format!("'${{{reference}}}' refers to nothing");
            let hint = "references are ${files.input.NAME}, ${files.output.NAME}, \
                        ${user_data.input.NAME} and ${user_data.output.NAME}";
            complaints.push_with_hint(at, message, hint);
            return None;
        };
        let name = &reference[KINDS[kind].len()..];
        let (names, list) = match kind {
            0 => (self.file_names, &mut relations.inputs),
            1 => (self.file_names, &mut relations.outputs),
            2 => (self.user_data_names, &mut relations.input_user_data),
            _ => (self.user_data_names, &mut relations.output_user_data),
        };
        let number = names.find(name, at, complaints)?;
        list.push(number);
        if kind < 2 {
            return Some(&self.files[number as usize].path);
        }
        let data = self.user_data[number as usize].data.as_deref();
        if data.is_none() {
            relations.without_data.push((at, number));
        }
        Some(data.unwrap_or("null"))
    }
}
