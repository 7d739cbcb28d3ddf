//! Parsers of what strangers send, for a fuzzer: each takes any bytes and does
//! not panic.

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

/// A message of a pxGrid node to publish-subscribe: a STOMP frame, and its body
/// as JSON.
pub fn stomp_frame(bytes: &[u8]) {
    crate::pxgrid::pubsub::fuzz_message(bytes);
}
