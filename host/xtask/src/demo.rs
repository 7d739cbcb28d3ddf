//! `cargo xtask demo`: the main job, seen running.

use std::path::Path;
use std::process::Command;

use clap::Args;

use crate::guests;
use crate::step::{build_host, run_command, step, target_directory};

/// What the demo can be told.
#[derive(Args)]
pub(crate) struct Demo {
    /// End by itself; exit code 0 only if every answer was the expected one.
    #[arg(long)]
    once: bool,
    /// Port of the gateway, a free one by default.
    #[arg(long, default_value_t = 0)]
    gateway_port: u16,
    /// Port of the simulated tenant, a free one by default.
    #[arg(long, default_value_t = 0)]
    tenant_port: u16,
}

/// Builds what the demo needs and runs it.
pub(crate) fn demo(root: &Path, demo: &Demo) -> anyhow::Result<()> {
    step("build plugins and policies", || {
        let names = ["intune".to_owned(), "baseline".to_owned()];
        guests::print_summary(&guests::build(root, &names)?)
    })?;
    step("build gateway and simulated tenant", || build_host(root))?;
    let mut program = Command::new(target_directory(root).join("release/portreeve-demo"));
    program
        .arg("--gateway-port")
        .arg(demo.gateway_port.to_string())
        .arg("--tenant-port")
        .arg(demo.tenant_port.to_string())
        .current_dir(root);
    if demo.once {
        program.arg("--once");
    }
    run_command(&mut program)
}
