//! Cuts JSON and JSON5 into tokens.

use super::yaml_scalar::integer;
use crate::spec::complaint::Position;

/// Which of the two it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Json,
    Json5,
}

impl Dialect {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Json5 => "JSON5",
        }
    }
}

/// A token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// `[` or `{`.
    Open(char),
    /// `]` or `}`.
    Close(char),
    Colon,
    Comma,
    String(String),
    /// As JSON writes it.
    Number(String),
    Word(String),
    End,
}

impl Token {
    /// Returns what it is, for messages.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Open(bracket) | Self::Close(bracket) => format!("'{bracket}'"),
            Self::Colon => "':'".to_owned(),
            Self::Comma => "a comma".to_owned(),
            Self::String(_) => "text".to_owned(),
            Self::Number(_) => "a number".to_owned(),
            Self::Word(word) => format!("the word '{word}'"),
            Self::End => "the end of the file".to_owned(),
        }
    }
}

type Failure = (Position, String);

/// A text and how far it has been read.
#[derive(Debug)]
pub(super) struct Scanner<'t> {
    pub(super) dialect: Dialect,
    /// What JSON does not allow and was read all the same.
    pub(super) liberties: Vec<(Position, &'static str)>,
    rest: &'t str,
    at: Position,
}

impl<'t> Scanner<'t> {
    pub(super) fn new(text: &'t str, dialect: Dialect) -> Self {
        Self { dialect, liberties: Vec::new(), rest: text, at: Position::START }
    }

    /// Returns the next token and where it begins.
    pub(super) fn next(&mut self) -> Result<(Position, Token), Failure> {
        self.skip_blanks()?;
        let at = self.at;
        let Some(first) = self.peek() else { return Ok((at, Token::End)) };
        let token = match first {
            '[' | '{' => Token::Open(first),
            ']' | '}' => Token::Close(first),
            ':' => Token::Colon,
            ',' => Token::Comma,
            '"' => return self.string(at, first),
            '\'' => {
                self.take_liberty(at, "single quotes");
                return self.string(at, first);
            }
            '0'..='9' | '-' | '+' | '.' => return self.number(at),
            _ if is_word(first) => {
                let word = self.take_while(is_word);
                return Ok((at, Token::Word(word.to_owned())));
            }
            _ => return Err((at, format!("'{first}' has no meaning here"))),
        };
        self.bump();
        Ok((at, token))
    }

    fn skip_blanks(&mut self) -> Result<(), Failure> {
        loop {
            self.take_while(|c| c.is_whitespace() || c == '\u{feff}');
            let at = self.at;
            if self.rest.starts_with("//") {
                self.take_while(|c| c != '\n');
            } else if self.rest.starts_with("/*") {
                let Some(end) = self.rest[2..].find("*/") else {
                    return Err((at, "the comment has no end".to_owned()));
                };
                self.advance(end + 4);
            } else {
                return Ok(());
            }
            self.take_liberty(at, "comments");
        }
    }

    fn string(&mut self, at: Position, quote: char) -> Result<(Position, Token), Failure> {
        self.bump();
        let mut text = String::new();
        loop {
            let plain = self.take_while(|c| c != quote && c != '\\' && c != '\n');
            text.push_str(plain);
            match self.peek() {
                Some('\\') => self.escape(&mut text)?,
                Some(c) if c == quote => {
                    self.bump();
                    return Ok((at, Token::String(text)));
                }
                _ => return Err((at, "the quotes are not closed on this line".to_owned())),
            }
        }
    }

    fn escape(&mut self, text: &mut String) -> Result<(), Failure> {
        let at = self.at;
        self.bump();
        let Some(escaped) = self.bump() else { return Ok(()) };
        match escaped {
            'n' => text.push('\n'),
            't' => text.push('\t'),
            'r' => text.push('\r'),
            'b' => text.push('\u{8}'),
            'f' => text.push('\u{c}'),
            '"' | '\\' | '/' => text.push(escaped),
            'u' => text.push(self.unicode(at)?),
            _ if self.dialect == Dialect::Json => {
                return Err((at, format!("'\\{escaped}' has no meaning in text")));
            }
            'v' => text.push('\u{b}'),
            '0' => return Err((at, "a NUL character".to_owned())),
            'x' => text.push(self.hex(at, 2).and_then(|code| as_char(at, code))?),
            // The line goes on.
            '\n' => {}
            '\r' => {
                self.rest.starts_with('\n').then(|| self.bump());
            }
            _ => text.push(escaped),
        }
        Ok(())
    }

    fn unicode(&mut self, at: Position) -> Result<char, Failure> {
        let first = self.hex(at, 4)?;
        if !(0xd800..0xdc00).contains(&first) {
            return as_char(at, first);
        }
        if !self.rest.starts_with("\\u") {
            return as_char(at, first);
        }
        self.advance(2);
        let second = self.hex(at, 4)?;
        if !(0xdc00..0xe000).contains(&second) {
            return as_char(at, first);
        }
        as_char(at, 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))
    }

    fn hex(&mut self, at: Position, digits: usize) -> Result<u32, Failure> {
        let broken = || (at, format!("expected {digits} hexadecimal digits"));
        let text = self.rest.get(..digits).ok_or_else(broken)?;
        if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(broken());
        }
        self.advance(digits);
        u32::from_str_radix(text, 16).map_err(|_| broken())
    }

    fn number(&mut self, at: Position) -> Result<(Position, Token), Failure> {
        let text = self.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
        let number = if serde_json::from_str::<serde_json::Number>(text).is_ok() {
            Some(text.to_owned())
        } else {
            self.take_liberty(at, "numbers like this");
            json5_number(text)
        };
        let number = number.ok_or_else(|| (at, format!("'{text}' is no number")))?;
        Ok((at, Token::Number(number)))
    }

    fn take_liberty(&mut self, at: Position, what: &'static str) {
        if self.dialect == Dialect::Json {
            self.liberties.push((at, what));
        }
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.advance(next.len_utf8());
        Some(next)
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        let taken = &self.rest[..end];
        self.advance(end);
        taken
    }

    fn advance(&mut self, bytes: usize) {
        let (taken, rest) = self.rest.split_at(bytes);
        for character in taken.chars() {
            if character == '\n' {
                self.at = Position { line: self.at.line + 1, column: 1 };
            } else {
                self.at.column += 1;
            }
        }
        self.rest = rest;
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '$')
}

fn as_char(at: Position, code: u32) -> Result<char, Failure> {
    let character = char::from_u32(code).filter(|character| *character != '\0');
    character.ok_or_else(|| (at, format!("there is no character {code:04x}")))
}

/// Returns a number of JSON5 as JSON writes it: `+1`, `.5`, `5.`, `0x1F`.
fn json5_number(text: &str) -> Option<String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        return integer(hex, 16).map(|number| format!("{sign}{number}"));
    }
    let digits = digits.replacen('.', ".0", usize::from(digits.ends_with('.')));
    let digits = if digits.starts_with('.') { format!("0{digits}") } else { digits };
    let digits = digits.replace(".e", ".0e").replace(".E", ".0E");
    let json = format!("{sign}{digits}");
    serde_json::from_str::<serde_json::Number>(&json).is_ok().then_some(json)
}
