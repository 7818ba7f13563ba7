//! An error in a suite, or in a plan edited by hand, as its author wants to see it: the line, a caret, and what was expected.

use std::fmt;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::locate::{Step, display, locate};
use super::validate::Mistake;

/// Why a suite, or a plan, was refused.
#[derive(Debug)]
pub struct SuiteError {
    file: String,
    text: String,
    line: usize,
    column: usize,
    message: String,
    help: Option<String>,
}

impl std::error::Error for SuiteError {}

impl SuiteError {
    /// The YAML or its types are wrong.
    pub(crate) fn syntax(file: &str, text: &str, error: &serde_yaml::Error) -> SuiteError {
        let (line, column) = error.location().map_or((1, 1), |at| (at.line(), at.column()));
        let message = error.to_string();
        // The position is drawn; there is no need to say it twice.
        let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(head, _)| head);
        SuiteError {
            file: file.to_owned(),
            text: text.to_owned(),
            line,
            column,
            message: in_plain_words(message),
            help: None,
        }
    }

    /// The YAML is well-formed, but asks for what cannot be.
    pub(crate) fn meaning(file: &str, text: &str, mistake: Mistake) -> SuiteError {
        let (line, column) = nearest(text, &mistake.path);
        SuiteError {
            file: file.to_owned(),
            text: text.to_owned(),
            line,
            column,
            message: format!("{}: {}", display(&mistake.path), mistake.message),
            help: mistake.help,
        }
    }

    /// Line of the mistake, from one.
    pub fn line(&self) -> usize {
        self.line
    }

    /// Column of the mistake, from one.
    pub fn column(&self) -> usize {
        self.column
    }
}

/// What the parser says in words of Rust, in words of YAML.
fn in_plain_words(message: &str) -> String {
    const WORDS: [(&str, &str); 6] = [
        ("expected usize", "expected a whole number"),
        ("expected u32", "expected a whole number"),
        ("expected u64", "expected a whole number"),
        ("expected f64", "expected a number"),
        ("invalid type: unit value", "invalid type: nothing"),
        ("expected struct", "expected a map, the"),
    ];
    WORDS.iter().fold(message.to_owned(), |text, (rust, plain)| text.replace(rust, plain))
}

/// The position of the longest part of `path` that is in the text.
fn nearest(text: &str, path: &[Step]) -> (usize, usize) {
    (0..=path.len()).rev().find_map(|length| locate(text, &path[..length])).unwrap_or((1, 1))
}

/// Byte offset of a line and column, clamped to the text.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let rest = text.get(start..).unwrap_or_default();
    let inside = rest.lines().next().unwrap_or_default();
    let ahead = inside.char_indices().nth(column - 1).map_or(inside.len(), |(at, _)| at);
    start + ahead
}

impl fmt::Display for SuiteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = offset(&self.text, self.line.max(1), self.column.max(1));
        let word = self.text[start..].find([' ', ',', '\n', '}', ']', ':']).unwrap_or(1).max(1);
        let end = (start + word).min(self.text.len());
        let snippet = Snippet::source(&self.text)
            .path(&self.file)
            .annotation(AnnotationKind::Primary.span(start..end));
        let mut group = Level::ERROR.primary_title(&self.message).element(snippet);
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help));
        }
        f.write_str(&Renderer::plain().render(&[group]))
    }
}
