//! Words for people: data to stdout, errors to stderr, colour on a terminal.

use std::fmt::Display;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::config::{Problem, Problems};

/// Emphasis. It never carries a meaning that the words do not.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(crate) const FAIR: Style = AnsiColor::Yellow.on_default().bold();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const HEADING: Style = Style::new().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();

/// A text in a style.
pub(crate) fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// One line of data.
pub(crate) fn line(text: impl Display) -> io::Result<()> {
    writeln!(anstream::stdout().lock(), "{text}")
}

/// One line beside the data.
pub(crate) fn note(text: &str) -> io::Result<()> {
    writeln!(anstream::stderr().lock(), "{text}")
}

/// One JSON document of data.
pub(crate) fn json(document: &impl Serialize) -> anyhow::Result<()> {
    line(serde_json::to_string_pretty(document)?)?;
    Ok(())
}

/// Tells what made the command fail.
pub(crate) fn failure(error: &anyhow::Error) {
    let mut stderr = anstream::stderr().lock();
    // Nobody is left to tell when stderr is gone.
    let _ = if let Some(Problems(problems)) = error.downcast_ref() {
        problems
            .iter()
            .try_for_each(|problem| write_problem(&mut stderr, problem))
    } else {
        write_chain(&mut stderr, error)
    };
}

/// Tells what the operator should know, though it is no error.
pub(crate) fn warnings(problems: &[Problem]) -> io::Result<()> {
    let mut stderr = anstream::stderr().lock();
    for problem in problems {
        writeln!(stderr, "{} {problem}", styled(FAIR, "warning:"))?;
        write_hint(&mut stderr, problem)?;
    }
    Ok(())
}

fn write_problem(stderr: &mut impl Write, problem: &Problem) -> io::Result<()> {
    writeln!(stderr, "{} {problem}", styled(BAD, "error:"))?;
    write_hint(stderr, problem)
}

fn write_hint(stderr: &mut impl Write, problem: &Problem) -> io::Result<()> {
    match problem.advice() {
        Some(hint) => writeln!(stderr, "{} {hint}", styled(HINT, "hint:")),
        None => Ok(()),
    }
}

fn write_chain(stderr: &mut impl Write, error: &anyhow::Error) -> io::Result<()> {
    writeln!(stderr, "{} {error}", styled(BAD, "error:"))?;
    for cause in error.chain().skip(1) {
        writeln!(stderr, "  caused by: {cause}")?;
    }
    Ok(())
}
