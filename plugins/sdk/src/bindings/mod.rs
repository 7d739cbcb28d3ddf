//! Bindings generated from WIT, one world for each ability.
//!
//! The worlds of `wit/` are put together from these: the component of a plugin
//! describes the union of all that are linked into it. One ability each keeps
//! them from exporting the same interface twice, and lets a connector add just
//! the optional ones that it has.

#![allow(
    missing_docs,
    missing_debug_implementations,
    unsafe_code,
    unused_qualifications,
    rust_2018_idioms,
    clippy::all,
    clippy::pedantic,
    clippy::str_to_string,
    reason = "generated from WIT, which is documented and reviewed there"
)]

/// What every plugin has.
pub mod plugin {
    wit_bindgen::generate!({
        inline: "
            package portreeve:sdk-plugin;
            world every-plugin {
              import portreeve:host/logging@0.1.0;
              import portreeve:host/config@0.1.0;
              import portreeve:device/types@0.1.0;
              export portreeve:plugin/plugin@0.1.0;
            }
        ",
        path: "../../wit",
        generate_all,
        generate_unused_types: true,
        additional_derives: [PartialEq],
        pub_export_macro: true,
        default_bindings_module: "portreeve_plugin::bindings::plugin",
        runtime_path: "::portreeve_plugin::__wit_bindgen::rt",
    });
}

/// World `portreeve:connector/mdm-connector`, without `wasi:http`.
#[cfg(feature = "connector")]
pub mod connector {
    wit_bindgen::generate!({
        inline: "
            package portreeve:sdk-connector;
            world connector {
              import portreeve:host/state@0.1.0;
              import portreeve:host/credentials@0.1.0;
              import portreeve:host/signing@0.1.0;
              import portreeve:host/http@0.1.0;
              import wasi:clocks/wall-clock@0.2.12;
              export portreeve:connector/check@0.1.0;
              export portreeve:connector/lookup@0.1.0;
            }
        ",
        path: "../../wit",
        with: { "portreeve:device/types@0.1.0": crate::bindings::plugin::portreeve::device::types },
        generate_all,
        additional_derives: [PartialEq],
        pub_export_macro: true,
        default_bindings_module: "portreeve_plugin::bindings::connector",
        runtime_path: "::portreeve_plugin::__wit_bindgen::rt",
    });
}

/// Optional part of world `portreeve:connector/full-mdm-connector`.
#[cfg(feature = "inventory")]
pub mod inventory {
    wit_bindgen::generate!({
        inline: "
            package portreeve:sdk-inventory;
            world inventory { export portreeve:connector/inventory@0.1.0; }
        ",
        path: "../../wit",
        with: {
            "portreeve:device/types@0.1.0": crate::bindings::plugin::portreeve::device::types,
            "portreeve:connector/types@0.1.0": crate::bindings::connector::portreeve::connector::types,
        },
        generate_all,
        additional_derives: [PartialEq],
        pub_export_macro: true,
        default_bindings_module: "portreeve_plugin::bindings::inventory",
        runtime_path: "::portreeve_plugin::__wit_bindgen::rt",
    });
}

/// Optional part of world `portreeve:connector/full-mdm-connector`.
#[cfg(feature = "notifications")]
pub mod notifications {
    wit_bindgen::generate!({
        inline: "
            package portreeve:sdk-notifications;
            world notifications { export portreeve:connector/notifications@0.1.0; }
        ",
        path: "../../wit",
        with: {
            "portreeve:device/types@0.1.0": crate::bindings::plugin::portreeve::device::types,
            "portreeve:connector/types@0.1.0": crate::bindings::connector::portreeve::connector::types,
        },
        generate_all,
        additional_derives: [PartialEq],
        pub_export_macro: true,
        default_bindings_module: "portreeve_plugin::bindings::notifications",
        runtime_path: "::portreeve_plugin::__wit_bindgen::rt",
    });
}

/// Optional part of world `portreeve:connector/full-mdm-connector`.
#[cfg(feature = "actions")]
pub mod actions {
    wit_bindgen::generate!({
        inline: "
            package portreeve:sdk-actions;
            world actions { export portreeve:connector/actions@0.1.0; }
        ",
        path: "../../wit",
        with: {
            "portreeve:device/types@0.1.0": crate::bindings::plugin::portreeve::device::types,
            "portreeve:connector/types@0.1.0": crate::bindings::connector::portreeve::connector::types,
        },
        generate_all,
        additional_derives: [PartialEq],
        pub_export_macro: true,
        default_bindings_module: "portreeve_plugin::bindings::actions",
        runtime_path: "::portreeve_plugin::__wit_bindgen::rt",
    });
}

/// Optional part of a connector, and world `portreeve:scep/scep`.
#[cfg(feature = "scep")]
pub mod scep {
    wit_bindgen::generate!({
        inline: "
            package portreeve:sdk-scep;
            world scep { export portreeve:scep/requests@0.1.0; }
        ",
        path: "../../wit",
        with: {
            "portreeve:device/types@0.1.0": crate::bindings::plugin::portreeve::device::types,
            "portreeve:connector/types@0.1.0": crate::bindings::connector::portreeve::connector::types,
        },
        generate_all,
        additional_derives: [PartialEq],
        pub_export_macro: true,
        default_bindings_module: "portreeve_plugin::bindings::scep",
        runtime_path: "::portreeve_plugin::__wit_bindgen::rt",
    });
}

/// Optional part of world `portreeve:scep/scep-with-revocation`.
#[cfg(feature = "revocations")]
pub mod revocations {
    wit_bindgen::generate!({
        inline: "
            package portreeve:sdk-revocations;
            world revocations { export portreeve:scep/revocations@0.1.0; }
        ",
        path: "../../wit",
        with: {
            "portreeve:connector/types@0.1.0": crate::bindings::connector::portreeve::connector::types,
        },
        generate_all,
        additional_derives: [PartialEq],
        pub_export_macro: true,
        default_bindings_module: "portreeve_plugin::bindings::revocations",
        runtime_path: "::portreeve_plugin::__wit_bindgen::rt",
    });
}

/// World `portreeve:policy/policy`.
#[cfg(feature = "policy")]
pub mod policy {
    wit_bindgen::generate!({
        inline: "
            package portreeve:sdk-policy;
            world policy {
              import portreeve:facts/facts@0.1.0;
              export portreeve:policy/evaluator@0.1.0;
            }
        ",
        path: "../../wit",
        with: { "portreeve:device/types@0.1.0": crate::bindings::plugin::portreeve::device::types },
        generate_all,
        additional_derives: [PartialEq],
        pub_export_macro: true,
        default_bindings_module: "portreeve_plugin::bindings::policy",
        runtime_path: "::portreeve_plugin::__wit_bindgen::rt",
    });
}
