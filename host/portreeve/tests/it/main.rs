//! The built program, as people and scripts use it.

#[cfg(test)]
mod support;

#[cfg(test)]
mod check_config;
#[cfg(test)]
mod clients;
#[cfg(test)]
mod help;
#[cfg(test)]
mod lookup;
#[cfg(test)]
mod plugin;
#[cfg(test)]
mod policies;
#[cfg(test)]
mod serve;
#[cfg(test)]
mod source;
#[cfg(test)]
mod store;
