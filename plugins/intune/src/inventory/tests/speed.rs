//! How fast a page becomes records.

use std::time::Instant;

use super::*;

/// A laptop as Graph writes it, with every property that is asked for; `#` is
/// eight digits that differ from device to device.
const LAPTOP: &str = include_str!("laptop.json");

/// Prints the figure. Unoptimised builds are slow, so what is checked is only
/// that it is not absurd:
/// `cargo test --release -p intune a_page_is_read_fast -- --nocapture`.
#[test]
#[expect(clippy::print_stderr, reason = "the figure is what it is for")]
fn a_page_is_read_fast() {
    let laptop: serde_json::Value = serde_json::from_str(LAPTOP).unwrap();
    let laptop = laptop.to_string();
    let laptops: Vec<String> = (0..1000)
        .map(|index| laptop.replace('#', &format!("{index:08x}")))
        .collect();
    let page = format!(r#"{{"value":[{}]}}"#, laptops.join(","));
    let rounds = 20;
    let started = Instant::now();
    for _ in 0..rounds {
        let read = read_next(&Fake::new([ok(&page)]), None).unwrap();
        assert_eq!(read.upserts.len(), 1000);
        assert_eq!(read.upserts[999].ids.len(), 6);
    }
    let each = started.elapsed().as_secs_f64() / f64::from(rounds);
    eprintln!(
        "a page of 1000 devices, {} KiB: {:.2} ms, {:.0} devices/s",
        page.len() >> 10,
        each * 1000.0,
        1000.0 / each
    );
    assert!(each < 2.0, "{each}");
}
