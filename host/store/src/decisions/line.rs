//! Lines of the log.

use std::fmt::Display;

use portreeve_domain::Reason;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::decision::decision_digest;
use super::entry::{Entry, Grounds, PolicyDigest, SourceKey};
use super::fact::absence_word;
use super::record::{Gap, Record};
use super::time::format_time;

/// The longest line, in bytes. What rests on more facts is logged without them.
pub(super) const LONGEST: usize = 1 << 20;

/// The part of [`LONGEST`] that facts may take.
const LONGEST_FACTS: usize = LONGEST / 2;

/// What one line says.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every line is a decision, and one is held at a time"
)]
pub enum Line {
    /// A decision.
    Decision(Record),
    /// Denials are missing.
    Gap(Gap),
}

/// Reads one line of the log.
pub fn parse_line(text: &str) -> Result<Line, serde_json::Error> {
    // A gap is rare and short; nothing else begins like it.
    if text.starts_with("{\"gap\":") {
        return serde_json::from_str(text).map(Line::Gap);
    }
    serde_json::from_str(text).map(Line::Decision)
}

/// The part of a line that each entry has of its own.
#[derive(Serialize)]
struct Head<'a> {
    at: &'a str,
    client: &'a str,
    face: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<&'a str>,
    identifiers: Texts<'a, portreeve_domain::Identifier>,
    origin: &'a str,
    stale: bool,
    latency_us: u64,
    changed: bool,
}

/// The part that all entries about one verdict share.
#[derive(Serialize)]
struct Shared<'a> {
    verdict: &'a str,
    reasons: Vec<SharedReason<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'a PolicyDigest>,
    chain: &'a [PolicyDigest],
    chain_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    quarantined: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    whole: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    facts: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    facts_omitted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a SourceKey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    absence: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

#[derive(Serialize)]
struct SharedReason<'a> {
    code: &'a str,
    message: &'a str,
    facts: &'a [String],
}

#[derive(Serialize)]
struct WrittenGap {
    gap: u64,
    from: String,
    to: String,
}

/// Things as the texts they print.
struct Texts<'a, T>(&'a [T]);

impl<T: Display> Serialize for Texts<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(ToString::to_string))
    }
}

/// The shared part, without its braces.
pub(super) fn render_grounds(grounds: &Grounds<'_>) -> String {
    let render = |facts: Option<Map<String, Value>>, facts_omitted: bool| {
        let reasons = grounds.reasons.iter().map(|reason| {
            let Reason {
                code,
                message,
                facts,
            } = reason;
            SharedReason {
                code,
                message,
                facts,
            }
        });
        let shared = Shared {
            verdict: grounds.ruling.as_str(),
            reasons: reasons.collect(),
            policy: grounds.policy.as_ref(),
            chain: grounds.chain,
            chain_name: grounds.chain_name,
            decision: grounds.decision.map(decision_digest),
            quarantined: grounds.quarantined,
            whole: grounds.whole && !facts_omitted,
            facts,
            facts_omitted,
            source: grounds.source.as_ref(),
            absence: grounds.absence.map(absence_word),
            detail: grounds.detail,
        };
        // Cannot fail: texts, numbers and maps with texts as keys.
        let json = serde_json::to_string(&shared).unwrap_or_default();
        let members = json
            .strip_prefix('{')
            .and_then(|json| json.strip_suffix('}'));
        members.unwrap_or_default().to_owned()
    };
    let facts: Map<String, Value> = grounds.facts.iter().cloned().collect();
    let whole = render((!facts.is_empty()).then_some(facts), false);
    if whole.len() <= LONGEST_FACTS {
        return whole;
    }
    render(None, true)
}

/// Adds the line of an entry to `buffer`.
pub(super) fn render_entry(entry: &Entry, buffer: &mut Vec<u8>) {
    let at = format_time(entry.at);
    let head = Head {
        at: &at,
        client: &entry.client,
        face: entry.face,
        request: entry.request.as_deref(),
        identifiers: Texts(&entry.identifiers),
        origin: entry.origin.as_str(),
        stale: entry.stale,
        latency_us: u64::try_from(entry.latency.as_micros()).unwrap_or(u64::MAX),
        changed: entry.changed,
    };
    render(&head, buffer);
    // The shared part continues the object.
    buffer.pop();
    buffer.push(b',');
    buffer.extend_from_slice(entry.judged.members().as_bytes());
    buffer.extend_from_slice(b"}\n");
}

/// Adds the line of a gap to `buffer`.
pub(super) fn render_gap(gap: &Gap, buffer: &mut Vec<u8>) {
    let written = WrittenGap {
        gap: gap.gap,
        from: format_time(gap.from),
        to: format_time(gap.to),
    };
    render(&written, buffer);
    buffer.push(b'\n');
}

fn render(value: &impl Serialize, buffer: &mut Vec<u8>) {
    // Cannot fail: memory takes every byte, and the values are plain.
    let _ = serde_json::to_writer(buffer, value);
}
