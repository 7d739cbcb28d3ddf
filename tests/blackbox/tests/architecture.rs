//! Dependencies point inward: domain ← cache, store, egress ← runtime ← gateway ←
//! faces ← portreeve (ARCHITECTURE.md, "Invariant").

#![expect(clippy::expect_used, reason = "functions of a test fail loudly")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Each room and the rooms it may use.
const ALLOWED: [(&str, &[&str]); 8] = [
    ("portreeve-domain", &[]),
    ("portreeve-cache", &["portreeve-domain"]),
    ("portreeve-egress", &["portreeve-domain"]),
    ("portreeve-store", &["portreeve-domain"]),
    (
        "portreeve-runtime",
        &["portreeve-domain", "portreeve-egress"],
    ),
    (
        "portreeve-gateway",
        &[
            "portreeve-domain",
            "portreeve-cache",
            "portreeve-store",
            "portreeve-egress",
            "portreeve-runtime",
        ],
    ),
    (
        "portreeve-faces",
        &["portreeve-domain", "portreeve-store", "portreeve-gateway"],
    ),
    (
        "portreeve",
        &[
            "portreeve-domain",
            "portreeve-cache",
            "portreeve-store",
            "portreeve-egress",
            "portreeve-runtime",
            "portreeve-gateway",
            "portreeve-faces",
        ],
    ),
];

/// Libraries that a room must not use itself.
const FORBIDDEN: [(&str, &[&str]); 5] = [
    (
        "portreeve-domain",
        &[
            "tokio",
            "wasmtime",
            "hyper",
            "http",
            "axum",
            "serde_json",
            "reqwest",
        ],
    ),
    (
        "portreeve-cache",
        &["wasmtime", "hyper", "http", "axum", "serde_json", "reqwest"],
    ),
    (
        "portreeve-store",
        &[
            "tokio-rustls",
            "wasmtime",
            "hyper",
            "http",
            "axum",
            "reqwest",
        ],
    ),
    ("portreeve-egress", &["wasmtime", "axum"]),
    ("portreeve-faces", &["wasmtime", "wasmtime-wasi", "reqwest"]),
];

fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
    let metadata = MetadataCommand::new()
        .manifest_path(manifest)
        .no_deps()
        .other_options(["--offline".to_owned()])
        .exec()
        .expect("cargo metadata");
    let packages = metadata.packages.iter().map(|package| {
        let used = package.dependencies.iter();
        let used = used.filter(|dependency| dependency.kind == DependencyKind::Normal);
        (
            package.name.to_string(),
            used.map(|dependency| dependency.name.clone()).collect(),
        )
    });
    packages.collect()
}

#[test]
fn rooms_use_only_rooms_further_in() {
    let dependencies = dependencies();
    for (room, allowed) in ALLOWED {
        let used = dependencies
            .get(room)
            .unwrap_or_else(|| panic!("no room `{room}`"));
        let ours = used.iter().filter(|name| name.starts_with("portreeve"));
        let wrong: Vec<_> = ours
            .filter(|name| !allowed.contains(&name.as_str()))
            .collect();
        assert!(wrong.is_empty(), "`{room}` must not use {wrong:?}");
    }
}

#[test]
fn inner_rooms_know_neither_protocol_nor_webassembly() {
    let dependencies = dependencies();
    for (room, forbidden) in FORBIDDEN {
        let used = &dependencies[room];
        let wrong: Vec<_> = forbidden
            .iter()
            .filter(|name| used.contains(**name))
            .collect();
        assert!(wrong.is_empty(), "`{room}` must not use {wrong:?}");
    }
}

#[test]
fn every_room_is_listed() {
    let listed: BTreeSet<_> = ALLOWED.iter().map(|(room, _)| *room).collect();
    let outside = [
        "portreeve-benches",
        "portreeve-tenant",
        "portreeve-harness",
        "portreeve-blackbox",
        "xtask",
    ];
    for room in dependencies().keys() {
        assert!(
            listed.contains(room.as_str()) || outside.contains(&room.as_str()),
            "`{room}` has no place in ARCHITECTURE.md's order"
        );
    }
}
