//! Rust types generated from `wit/`. They stay inside this track.

#![allow(
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::pedantic,
    clippy::indexing_slicing,
    clippy::str_to_string,
    clippy::redundant_clone,
    reason = "generated from WIT, which is documented and reviewed there"
)]

/// What every plugin exports, whatever its kind.
pub(crate) mod plugin {
    wasmtime::component::bindgen!({
        inline: "
            package portreeve:described;
            world described {
              export portreeve:plugin/plugin@0.1.0;
            }
        ",
        path: "../../wit",
        exports: { default: async },
    });
}

/// World `portreeve:connector/mdm-connector`.
pub(crate) mod connector {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "portreeve:worlds/mdm-connector",
        imports: {
            "portreeve:host/state": async,
            "portreeve:host/credentials": async,
            "portreeve:host/http": async,
        },
        exports: { default: async },
        with: {
            "wasi:http": wasmtime_wasi_http::p2::bindings::http,
            "wasi:io": wasmtime_wasi::p2::bindings::io,
            "wasi:clocks": wasmtime_wasi::p2::bindings::clocks,
        },
    });
}

/// What a connector exports that can read the whole fleet.
pub(crate) mod inventory {
    wasmtime::component::bindgen!({
        inline: "
            package portreeve:counted;
            world counted {
              export portreeve:connector/inventory@0.1.0;
            }
        ",
        path: "../../wit",
        exports: { default: async },
        with: {
            "portreeve:device/types": super::connector::portreeve::device::types,
            "portreeve:connector/types": super::connector::portreeve::connector::types,
        },
    });
}

/// What a connector exports that can act on devices.
pub(crate) mod actions {
    wasmtime::component::bindgen!({
        inline: "
            package portreeve:acting;
            world acting {
              export portreeve:connector/actions@0.1.0;
            }
        ",
        path: "../../wit",
        exports: { default: async },
        with: {
            "portreeve:device/types": super::connector::portreeve::device::types,
            "portreeve:connector/types": super::connector::portreeve::connector::types,
        },
    });
}

/// What a connector exports that answers for certificate requests.
pub(crate) mod scep {
    wasmtime::component::bindgen!({
        inline: "
            package portreeve:vouching;
            world vouching {
              export portreeve:scep/requests@0.1.0;
              export portreeve:scep/revocations@0.1.0;
            }
        ",
        path: "../../wit",
        exports: { default: async },
        with: {
            "portreeve:device/types": super::connector::portreeve::device::types,
            "portreeve:connector/types": super::connector::portreeve::connector::types,
        },
    });
}

/// World `portreeve:policy/policy`.
pub(crate) mod policy {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "portreeve:worlds/policy",
        imports: { "portreeve:facts/facts": trappable },
        exports: { default: async },
        with: {
            "portreeve:host/logging": super::connector::portreeve::host::logging,
            "portreeve:host/config": super::connector::portreeve::host::config,
            "portreeve:device/types": super::connector::portreeve::device::types,
            "portreeve:facts/facts.subject": crate::since_v0_1::subject::SubjectHandle,
        },
    });
}
