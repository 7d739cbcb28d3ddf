//! Reading the log, while it is written.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Seek as _, SeekFrom};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use portreeve_domain::{Identifier, Timestamp};

use super::entry::Ruling;
use super::files::{self, LogFile};
use super::line::{LONGEST, Line, parse_line};
use super::record::{Gap, Record};

/// Entries are written when they are answered and carry the time of the
/// question: a file may hold some from a little before it was begun.
const LATE: Duration = Duration::from_hours(1);

/// Which decisions are wanted. The default is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// At this time or later.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
    /// Of this ruling.
    pub verdict: Option<Ruling>,
    /// Asked by this client.
    pub client: Option<String>,
    /// About an endpoint with this identifier.
    pub identifier: Option<Identifier>,
    /// With a reason of this code.
    pub reason: Option<String>,
    /// Decided by this policy.
    pub policy: Option<String>,
    /// Of this request.
    pub request: Option<String>,
    /// Only those that differ from the last one about the endpoint.
    pub changed: bool,
}

/// What was found in the log.
#[derive(Debug)]
pub enum Found<'a> {
    /// A decision that passes the filter.
    Decision {
        /// What it says.
        record: &'a Record,
        /// As it stands in the file, without the end of the line.
        line: &'a str,
    },
    /// Denials are missing here. Shown unless the filter asks for other rulings
    /// or other times.
    Gap {
        /// How many, and from when to when.
        gap: Gap,
        /// As it stands in the file, without the end of the line.
        line: &'a str,
    },
    /// A line that says nothing. It is passed over.
    BadLine {
        /// The file.
        path: &'a Path,
        /// Where in the file it begins, in bytes.
        offset: u64,
        /// What is wrong with it.
        detail: String,
    },
}

/// Is told what is found; a break ends the reading.
type Each<'a> = dyn FnMut(Found<'_>) -> ControlFlow<()> + 'a;

/// Reads the log in one directory. Memory does not grow with the log.
#[derive(Clone, Debug)]
pub struct Reader {
    directory: PathBuf,
}

/// Goes on where reading stopped.
#[derive(Clone, Debug)]
pub struct Follower {
    directory: PathBuf,
    filter: Filter,
    /// The file that is read, if there was one.
    file: Option<LogFile>,
    offset: u64,
}

impl Filter {
    fn passes(&self, record: &Record) -> bool {
        let Self {
            since,
            until,
            verdict,
            client,
            identifier,
            reason,
            policy,
            request,
            changed,
        } = self;
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == found)
        };
        since.is_none_or(|since| record.at >= since)
            && until.is_none_or(|until| record.at < until)
            && verdict.is_none_or(|verdict| record.verdict == verdict)
            && is(client, &record.client)
            && (request.is_none() || *request == record.request)
            && (!changed || record.changed)
            && policy.as_ref().is_none_or(|wanted| {
                let policy = record.policy.as_ref();
                policy.is_some_and(|policy| *policy.name == **wanted)
            })
            && reason.as_ref().is_none_or(|wanted| {
                let mut reasons = record.reasons.iter();
                reasons.any(|reason| reason.code == *wanted)
            })
            && identifier.as_ref().is_none_or(|wanted| {
                let wanted = wanted.to_string();
                record.identifiers.contains(&wanted)
            })
    }

    fn passes_gap(&self, gap: &Gap) -> bool {
        self.since.is_none_or(|since| gap.to >= since)
            && self.until.is_none_or(|until| gap.from < until)
            && self.verdict.is_none_or(Ruling::is_denial)
    }

    /// Whether a file may hold what is wanted; `next` is the one after it.
    fn may_be_in(&self, file: &LogFile, next: Option<&LogFile>) -> bool {
        self.until.is_none_or(|until| file.begun < until.plus(LATE))
            && self
                .since
                .is_none_or(|since| next.is_none_or(|next| next.begun.plus(LATE) >= since))
    }
}

impl Reader {
    /// Reads the log in `directory`, which need not be there yet.
    pub fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
        }
    }

    /// Tells `each` what passes `filter`, oldest first. Returns a follower for
    /// what is written from now on.
    pub fn read_all(&self, filter: &Filter, each: &mut Each<'_>) -> io::Result<Follower> {
        let files = list(&self.directory)?;
        let mut follower = self.follower(filter, files.last());
        for (position, file) in files.iter().enumerate() {
            let next = files.get(position + 1);
            if !filter.may_be_in(file, next) {
                continue;
            }
            let read = read_until(file, 0, None, next.is_none(), filter, each);
            let Some((offset, flow)) = unless_deleted(read)? else {
                continue;
            };
            if next.is_none() {
                follower.offset = offset;
            }
            if flow.is_break() {
                break;
            }
        }
        if follower.offset == 0 {
            follower.skip_to_end()?;
        }
        Ok(follower)
    }

    /// Tells `each` the newest `count` decisions that pass `filter`, and gaps
    /// among them, oldest first. Returns a follower for what is written from now
    /// on. Only that many lines are held in memory.
    pub fn read_newest(
        &self,
        count: usize,
        filter: &Filter,
        each: &mut Each<'_>,
    ) -> io::Result<Follower> {
        let files = list(&self.directory)?;
        let mut follower = self.follower(filter, files.last());
        follower.skip_to_end()?;
        let mut newest = VecDeque::<String>::new();
        // From the newest file back, until there are enough.
        for (position, file) in files.iter().enumerate().rev() {
            let missing = count - newest.len();
            if missing == 0 {
                break;
            }
            let next = files.get(position + 1);
            if !filter.may_be_in(file, next) {
                continue;
            }
            let end = next.is_none().then_some(follower.offset);
            let mut here = VecDeque::new();
            let mut keep = |found: Found<'_>| {
                let line = match found {
                    Found::Decision { line, .. } | Found::Gap { line, .. } => line,
                    bad @ Found::BadLine { .. } => return each(bad),
                };
                if here.len() == missing {
                    here.pop_front();
                }
                here.push_back(line.to_owned());
                ControlFlow::Continue(())
            };
            let read = read_until(file, 0, end, next.is_none(), filter, &mut keep);
            let Some((_, flow)) = unless_deleted(read)? else {
                continue;
            };
            if flow.is_break() {
                return Ok(follower);
            }
            here.append(&mut newest);
            newest = here;
        }
        for line in newest {
            // They were parsed once and passed; the copy is told.
            if tell(&line, filter, each).is_ok_and(|flow| flow.is_break()) {
                break;
            }
        }
        Ok(follower)
    }

    /// A follower for what is written from now on.
    pub fn follow(&self, filter: &Filter) -> io::Result<Follower> {
        let mut follower = self.follower(filter, list(&self.directory)?.last());
        follower.skip_to_end()?;
        Ok(follower)
    }

    fn follower(&self, filter: &Filter, file: Option<&LogFile>) -> Follower {
        Follower {
            directory: self.directory.clone(),
            filter: filter.clone(),
            file: file.cloned(),
            offset: 0,
        }
    }
}

impl Follower {
    /// Tells `each` what was written since the last call, and returns at once.
    /// Call it a few times a second; files that were begun meanwhile are noticed.
    pub fn poll(&mut self, each: &mut Each<'_>) -> io::Result<ControlFlow<()>> {
        loop {
            // Listed before the file is read: once a newer one is there, nothing
            // is added to this one.
            let files = list(&self.directory)?;
            let next = match &self.file {
                None => files.into_iter().next(),
                Some(file) => files.into_iter().find(|next| next > file),
            };
            if let Some(file) = &self.file {
                let newest = next.is_none();
                let read = read_until(file, self.offset, None, newest, &self.filter, each);
                if let Some((offset, flow)) = unless_deleted(read)? {
                    self.offset = offset;
                    if flow.is_break() {
                        return Ok(flow);
                    }
                }
            }
            let Some(next) = next else {
                return Ok(ControlFlow::Continue(()));
            };
            self.file = Some(next);
            self.offset = 0;
        }
    }

    /// To the end of the last whole line of the file.
    fn skip_to_end(&mut self) -> io::Result<()> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let mut lines = Lines::open(file, self.offset)?;
        while let Some(ended) = lines.next()? {
            if !ended {
                break;
            }
            self.offset = lines.offset;
        }
        Ok(())
    }
}

fn list(directory: &Path) -> io::Result<Vec<LogFile>> {
    match files::list(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        listed => listed,
    }
}

/// Files go by their age, also while they are read.
fn unless_deleted<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    }
}

/// Reads lines from `start` on, up to `end` if there is one. A last line without
/// an end is still being written in the `newest` file; elsewhere it is all there
/// will ever be. Returns where reading stopped.
fn read_until(
    file: &LogFile,
    start: u64,
    end: Option<u64>,
    newest: bool,
    filter: &Filter,
    each: &mut Each<'_>,
) -> io::Result<(u64, ControlFlow<()>)> {
    let mut lines = Lines::open(file, start)?;
    let mut offset = start;
    while end.is_none_or(|end| offset < end) {
        let Some(ended) = lines.next()? else {
            break;
        };
        if !ended && newest {
            break;
        }
        let line = lines.text();
        let flow = match line.and_then(|line| tell(line, filter, each)) {
            Ok(flow) => flow,
            Err(detail) => each(Found::BadLine {
                path: &file.path,
                offset,
                detail,
            }),
        };
        offset = lines.offset;
        if flow.is_break() {
            return Ok((offset, flow));
        }
    }
    Ok((offset, ControlFlow::Continue(())))
}

/// Tells what a line says if it passes. The error says why it says nothing.
fn tell(line: &str, filter: &Filter, each: &mut Each<'_>) -> Result<ControlFlow<()>, String> {
    let flow = match parse_line(line).map_err(|error| error.to_string())? {
        Line::Decision(record) if filter.passes(&record) => each(Found::Decision {
            record: &record,
            line,
        }),
        Line::Gap(gap) if filter.passes_gap(&gap) => each(Found::Gap { gap, line }),
        Line::Decision(_) | Line::Gap(_) => ControlFlow::Continue(()),
    };
    Ok(flow)
}

/// Lines of a file, none longer in memory than the log ever writes.
struct Lines {
    file: BufReader<File>,
    /// Where the next line begins.
    offset: u64,
    line: Vec<u8>,
    too_long: bool,
}

impl Lines {
    fn open(file: &LogFile, offset: u64) -> io::Result<Self> {
        let mut file = File::open(&file.path)?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(Self {
            file: BufReader::with_capacity(64 << 10, file),
            offset,
            line: Vec::new(),
            too_long: false,
        })
    }

    /// Reads a line; whether it has an end. `None` when there is none.
    fn next(&mut self) -> io::Result<Option<bool>> {
        self.line.clear();
        self.too_long = false;
        let begun = self.offset;
        loop {
            let bytes = match self.file.fill_buf() {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if bytes.is_empty() {
                return Ok((self.offset > begun).then_some(false));
            }
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let part = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
            if self.line.len() + part.len() > LONGEST {
                self.too_long = true;
            } else {
                self.line.extend_from_slice(part);
            }
            let read = end.map_or(bytes.len(), |end| end + 1);
            self.file.consume(read);
            self.offset += read as u64;
            if end.is_some() {
                return Ok(Some(true));
            }
        }
    }

    fn text(&self) -> Result<&str, String> {
        if self.too_long {
            return Err(format!("it is longer than {LONGEST} bytes"));
        }
        str::from_utf8(&self.line).map_err(|error| error.to_string())
    }
}
