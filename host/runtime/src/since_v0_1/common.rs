//! What every plugin may use: its settings and its log.

use std::sync::Arc;

use tracing::Level;

use super::bindings::connector::portreeve::host::{config, logging};
use super::bindings::connector::portreeve::{connector, device};
use super::bindings::policy::portreeve::policy;
use crate::plugin_log::PluginLog;
use crate::settings::Settings;

/// What every instance of a configured plugin shares.
#[derive(Clone, Debug)]
pub(crate) struct Common {
    pub(crate) settings: Arc<Settings>,
    pub(crate) log: Arc<PluginLog>,
}

impl logging::Host for Common {
    fn log(&mut self, level: logging::Level, message: String, fields: Vec<logging::Field>) {
        let fields = fields
            .iter()
            .map(|field| (field.key.as_str(), field.value.as_str()));
        self.log.write(severity(level), &message, fields);
    }

    fn enabled(&mut self, level: logging::Level) -> bool {
        PluginLog::enabled(severity(level))
    }
}

impl config::Host for Common {
    fn document(&mut self) -> String {
        self.settings.document().to_owned()
    }

    fn get(&mut self, key: String) -> Option<String> {
        self.settings.get(&key)
    }
}

// Interfaces that hold nothing but types.
impl device::types::Host for Common {}
impl connector::types::Host for Common {}
impl policy::types::Host for Common {}

fn severity(level: logging::Level) -> Level {
    match level {
        logging::Level::Trace => Level::TRACE,
        logging::Level::Debug => Level::DEBUG,
        logging::Level::Info => Level::INFO,
        logging::Level::Warn => Level::WARN,
        logging::Level::Error => Level::ERROR,
    }
}
