//! Parsers of what strangers send, for a fuzzer: each takes any bytes and does
//! not panic.

/// What a fuzzer feeds.
pub type Parser = fn(&[u8]);

/// All of them, by name. Each has inputs to begin with in `tests/fuzz/corpus`.
pub const TARGETS: &[(&str, Parser)] = &[
    ("assertion", assertion),
    ("authorization", authorization),
    ("identifier", identifier),
    ("intune-form", intune_form),
    ("intune-query", intune_query),
    ("inventory", inventory),
    ("ise-form", ise_form),
    ("ise-query", ise_query),
    ("ise-xml", ise_xml),
    ("jamf", jamf),
    ("kandji", kandji),
    ("pxgrid", pxgrid),
    ("radius", radius),
    ("rest", rest),
    ("scep", scep),
    ("stomp", stomp),
];

/// The assertion with which a client of the Intune shape proves who it is.
pub fn assertion(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        crate::intune::fuzz_assertion(text);
    }
}

/// The header `Authorization`.
pub fn authorization(bytes: &[u8]) {
    crate::clients::fuzz_authorization(bytes);
}

/// An identifier in a path, and a MAC address.
pub fn identifier(bytes: &[u8]) {
    crate::rest::fuzz_identifier(bytes);
}

/// The form that asks for a token.
pub fn intune_form(bytes: &[u8]) {
    crate::intune::fuzz_form(bytes);
}

/// The query that asks about a device of the Intune shape.
pub fn intune_query(bytes: &[u8]) {
    crate::intune::fuzz_query(bytes);
}

/// The query of a list of devices, and a condition by itself.
pub fn inventory(bytes: &[u8]) {
    crate::inventory::fuzz_query(bytes);
}

/// XML that Cisco ISE sends.
pub fn ise_xml(bytes: &[u8]) {
    crate::ise::fuzz_body(bytes);
}

/// A form that holds XML; the first line is its `Content-Type`.
pub fn ise_form(bytes: &[u8]) {
    crate::ise::fuzz_form(bytes);
}

/// The path or the query of a device query of Cisco ISE.
pub fn ise_query(bytes: &[u8]) {
    crate::ise::fuzz_query(bytes);
}

/// A criterion of the Jamf shape, and on the next line its value.
pub fn jamf(bytes: &[u8]) {
    if let Some((criterion, value)) = two_lines(bytes) {
        let _ = crate::jamf::asked(criterion, value);
    }
}

/// The query of the Kandji shape.
pub fn kandji(bytes: &[u8]) {
    let _ = crate::kandji::asked(bytes);
}

/// JSON that nodes of pxGrid send.
pub fn pxgrid(bytes: &[u8]) {
    crate::pxgrid::fuzz_bodies(bytes);
}

/// The attributes that `rlm_rest` sends: of a question and of a report.
pub fn radius(bytes: &[u8]) {
    crate::radius::fuzz_body(bytes);
}

/// JSON of one question and of many.
pub fn rest(bytes: &[u8]) {
    crate::rest::fuzz_body(bytes);
}

/// JSON that SCEP servers send, and a certificate request as text.
pub fn scep(bytes: &[u8]) {
    crate::scep::fuzz(bytes);
}

/// A message of a pxGrid node to publish-subscribe: a STOMP frame, and its body
/// as JSON.
pub fn stomp(bytes: &[u8]) {
    crate::pxgrid::pubsub::fuzz_message(bytes);
    let _ = crate::pxgrid::pubsub::stomp::one_line(bytes);
}

fn two_lines(bytes: &[u8]) -> Option<(&str, &str)> {
    std::str::from_utf8(bytes).ok()?.split_once('\n')
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// What fuzzers begin with, and what they have found before.
    #[test]
    fn nothing_in_the_corpus_panics() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus");
        for (name, parser) in TARGETS {
            let inputs = std::fs::read_dir(corpus.join(name)).expect("a folder for each target");
            let mut fed = 0;
            for input in inputs {
                parser(&std::fs::read(input.unwrap().path()).unwrap());
                fed += 1;
            }
            assert!(fed > 0, "{name}");
        }
    }
}
