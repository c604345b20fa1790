//! JSON, and JSON5 with its comments, trailing commas, bare names and other liberties.
//!
//! No crate gives the places of values in JSON5, and a workflow file is refused with places or not
//! at all; hence a reader of our own. It does not recurse.

use super::json_scanner::{Dialect, Scanner, Token};
use super::tree::Tree;
use crate::spec::complaint::{Complaints, Position};
use crate::spec::file::node::{Key, Node, Value};

/// Returns the tree that `text` writes; none when it writes none, and then there is a complaint.
pub(super) fn parse(text: &str, dialect: Dialect, complaints: &mut Complaints) -> Option<Node> {
    let mut reader = Reader { scanner: Scanner::new(text, dialect), tree: Tree::new(), complaints };
    reader.document()?;
    reader.tree.finish()
}

struct Reader<'t, 'c> {
    scanner: Scanner<'t>,
    tree: Tree,
    complaints: &'c mut Complaints,
}

/// The brackets that are open.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    List,
    Map,
}

impl Reader<'_, '_> {
    fn document(&mut self) -> Option<()> {
        let mut open = Vec::new();
        let mut token = self.next()?;
        loop {
            // A value begins here, or a list or map ends before its first or after its last comma.
            let (at, first) = token;
            match (first, open.last()) {
                (Token::Close(']'), Some(Open::List)) | (Token::Close('}'), Some(Open::Map)) => {
                    self.end(&mut open);
                }
                (first, Some(Open::Map)) => {
                    self.name(first, at)?;
                    let (at, value) = self.next()?;
                    if self.value(value, at, &mut open)? {
                        token = self.next()?;
                        continue;
                    }
                }
                (value, _) => {
                    if self.value(value, at, &mut open)? {
                        token = self.next()?;
                        continue;
                    }
                }
            }
            match self.after_value(&mut open)? {
                Some(next) => token = next,
                None => return Some(()),
            }
        }
    }

    /// Reads what may follow a value: ends of lists and maps, then a comma. Returns the token after
    /// the comma; none at the end of the document.
    #[expect(clippy::option_option, reason = "the outer one is failure, the inner one the end")]
    fn after_value(&mut self, open: &mut Vec<Open>) -> Option<Option<(Position, Token)>> {
        loop {
            let (at, token) = self.next()?;
            match (token, open.last()) {
                (Token::End, None) => return Some(None),
                (Token::Comma, Some(kind)) => {
                    let close = if *kind == Open::List { ']' } else { '}' };
                    let next = self.next()?;
                    if next.1 == Token::Close(close) && self.scanner.dialect == Dialect::Json {
                        self.liberty(at, "a comma before the closing bracket");
                    }
                    return Some(Some(next));
                }
                (Token::Close(']'), Some(Open::List)) | (Token::Close('}'), Some(Open::Map)) => {
                    self.end(open);
                }
                (token, None) => {
                    return self
                        .fail(at, format!("{} after the end of the document", token.name()));
                }
                (token, Some(Open::List)) => {
                    return self
                        .fail(at, format!("expected a comma or ']', and found {}", token.name()));
                }
                (token, Some(Open::Map)) => {
                    return self
                        .fail(at, format!("expected a comma or '}}', and found {}", token.name()));
                }
            }
        }
    }

    fn end(&mut self, open: &mut Vec<Open>) {
        open.pop();
        if let Some(node) = self.tree.end() {
            self.tree.add(node);
        }
    }

    fn name(&mut self, token: Token, at: Position) -> Option<()> {
        let name = match token {
            Token::String(name) => name,
            Token::Word(name) => {
                if self.scanner.dialect == Dialect::Json {
                    self.liberty(at, "a name without quotes");
                }
                name
            }
            token => {
                let message = format!("expected a name or '}}', and found {}", token.name());
                return self.fail(at, message);
            }
        };
        self.tree.key(Key { at, name }, self.complaints);
        let (at, token) = self.next()?;
        match token {
            Token::Colon => Some(()),
            token => self.fail(at, format!("expected ':', and found {}", token.name())),
        }
    }

    /// Takes a value; true when it is the beginning of a list or map.
    fn value(&mut self, token: Token, at: Position, open: &mut Vec<Open>) -> Option<bool> {
        let value = match token {
            Token::Open('[') => {
                open.push(Open::List);
                return self.tree.begin_list(at, self.complaints).then_some(true);
            }
            Token::Open(_) => {
                open.push(Open::Map);
                return self.tree.begin_map(at, self.complaints).then_some(true);
            }
            Token::String(text) => Value::String(text),
            Token::Number(number) => Value::Number(number.into()),
            Token::Word(word) => match word.as_str() {
                "null" => Value::Null,
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                "NaN" | "Infinity" => return self.fail(at, format!("{word} has no meaning here")),
                _ => {
                    let message = format!("expected a value, and found the word '{word}'");
                    self.complaints.push_with_hint(at, message, "quote text");
                    return None;
                }
            },
            token => return self.fail(at, format!("expected a value, and found {}", token.name())),
        };
        self.tree.add(Node::new(at, value));
        Some(false)
    }

    fn next(&mut self) -> Option<(Position, Token)> {
        match self.scanner.next() {
            Ok(token) => {
                while let Some((at, what)) = self.scanner.liberties.pop() {
                    self.liberty(at, what);
                }
                Some(token)
            }
            Err((at, message)) => self.fail(at, message),
        }
    }

    fn liberty(&mut self, at: Position, what: &str) {
        let message = format!("JSON does not allow {what}");
        self.complaints.push_with_hint(at, message, "name the file .json5");
    }

    fn fail<T>(&mut self, at: Position, message: String) -> Option<T> {
        let message = format!("not valid {}: {message}", self.scanner.dialect.name());
        let hint = "look at the commas, quotes and brackets here and before";
        self.complaints.push_with_hint(at, message, hint);
        None
    }
}
