//! Whether a text is a script. A script is the body of a function in strict mode.

use boa_engine::ast::function::FunctionBody;
use boa_engine::ast::{Position, Spanned};
use boa_engine::interner::Interner;
use boa_engine::parser::Parser;
use boa_engine::parser::error::Error;
use boa_engine::parser::lexer::error::Error as LexError;
use boa_engine::{JsError, Source};

use crate::engine::{self, Engine};
use crate::thrown::PREFIX;

/// What is wrong with a text, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SyntaxError {
    /// From 1.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
    /// In English, on one line.
    pub message: String,
}

/// Reads a text without running it.
///
/// # Errors
/// The first mistake in it.
pub fn check(source: &str) -> Result<(), SyntaxError> {
    let body = body(source).map_err(|error| told(error, source))?;
    // A brace too many ends the body, and whatever stands behind it would be no part of the function: then the parser
    // does not come to what is a mistake behind every other body.
    if self::body(&format!("{source}\n)")).is_ok() {
        let behind = body.span().end();
        return Err(SyntaxError {
            line: behind.line_number(),
            column: behind.column_number().saturating_sub(1).max(1),
            message: "unexpected `}`: it closes nothing".to_owned(),
        });
    }
    // What is a mistake in the whole function only, such as a second `payment`.
    Engine::ready()
        .and_then(|mut engine| engine::function_of(&mut engine.context, source, "script"))
        .map(drop)
        .map_err(|error| in_function(&error, source))
}

fn body(source: &str) -> Result<FunctionBody, Error> {
    let mut parser = Parser::new(Source::from_bytes(source));
    parser.set_strict();
    parser.parse_function_body(&mut Interner::default(), false, false)
}

fn told(error: Error, source: &str) -> SyntaxError {
    let (message, position) = match error {
        Error::Expected {
            expected,
            found,
            span,
            context,
        } => {
            let expected: Vec<_> = expected.iter().map(|token| format!("`{token}`")).collect();
            let message = format!(
                "expected {}, got `{found}` in {context}",
                expected.join(" or ")
            );
            (message, span.start())
        }
        Error::Unexpected {
            message,
            found,
            span,
        } => (format!("unexpected `{found}`: {message}"), span.start()),
        Error::AbruptEnd => ("the text ends too early".to_owned(), end(source)),
        Error::General { message, position } => (message.into(), position),
        Error::Lex {
            err: LexError::Syntax(message, position),
        } => (message.into(), position),
        Error::Lex {
            err: LexError::IO(error),
        } => (error.to_string(), end(source)),
    };
    SyntaxError {
        line: position.line_number(),
        column: position.column_number(),
        message: one_line(&message),
    }
}

/// A mistake in the whole function, which says where it is at the end of its words.
fn in_function(error: &JsError, source: &str) -> SyntaxError {
    let text = error.to_string();
    let text = one_line(text.trim_start_matches("SyntaxError: "));
    let place = text.split_once(" at line ").and_then(|(words, place)| {
        let (line, column) = place.split_once(", col ")?;
        let column = column.split_whitespace().next()?;
        Some((
            words,
            line.parse::<u32>().ok()?,
            column.parse::<u32>().ok()?,
        ))
    });
    let Some((words, line, column)) = place else {
        return SyntaxError {
            line: 1,
            column: 1,
            message: text,
        };
    };
    let before = u32::try_from(PREFIX.len()).unwrap_or_default();
    let column = match line {
        1 => column.saturating_sub(before).max(1),
        _ => column,
    };
    // The function ends behind its body.
    let end = end(source);
    let place = Position::new(line.max(1), column).min(end);
    SyntaxError {
        line: place.line_number(),
        column: place.column_number(),
        message: words.to_owned(),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Behind the last character.
fn end(source: &str) -> Position {
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX).saturating_add(1);
    let last = source.rsplit('\n').next().unwrap_or_default();
    Position::new(
        count(source.matches('\n').count()),
        count(last.chars().count()),
    )
}
