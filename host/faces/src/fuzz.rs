//! Parsers of what strangers send, for a fuzzer: each takes any bytes and does
//! not panic.

/// All of them, by name.
pub const TARGETS: &[(&str, fn(&[u8]))] = &[
    ("identifier", identifier),
    ("radius", radius),
    ("rest", rest),
    ("authorization", authorization),
];

/// An identifier in a path, and a MAC address.
pub fn identifier(bytes: &[u8]) {
    crate::rest::fuzz_identifier(bytes);
}

/// The attributes that `rlm_rest` sends: of a question and of a report.
pub fn radius(bytes: &[u8]) {
    crate::radius::fuzz_body(bytes);
}

/// JSON of one question and of many.
pub fn rest(bytes: &[u8]) {
    crate::rest::fuzz_body(bytes);
}

/// The header `Authorization`.
pub fn authorization(bytes: &[u8]) {
    crate::clients::fuzz_authorization(bytes);
}
