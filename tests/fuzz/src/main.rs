//! Runs one parser on whatever libFuzzer makes up. `TARGET` in the environment
//! names it; `cargo xtask fuzz` is how it is started.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use portreeve_faces::fuzz::{Parser, TARGETS};

static PARSER: LazyLock<Parser> = LazyLock::new(|| {
    let wanted = std::env::var("TARGET").unwrap_or_default();
    let found = TARGETS.iter().find(|(name, _)| *name == wanted);
    let Some((_, parser)) = found else {
        let names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
        panic!("`TARGET` is none of {}", names.join(", "));
    };
    *parser
});

fuzz_target!(|bytes: &[u8]| PARSER(bytes));
