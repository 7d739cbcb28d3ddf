//! What ran it and when, for whoever compares figures later.

use std::fs;
use std::process::Command;

use anyhow::ensure;

/// The day, as in names of files.
pub(super) fn today() -> anyhow::Result<String> {
    output("date", &["+%F"])
}

/// E.g. `x86_64`.
pub(super) fn architecture() -> anyhow::Result<String> {
    output("uname", &["-m"])
}

/// Processor, cores, memory, system and compiler, as a line.
pub(super) fn machine() -> anyhow::Result<String> {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let cores = std::thread::available_parallelism()?;
    Ok(format!(
        "{}, {cores} cores (shared), {} GiB, Linux {}, {}\n",
        value(&cpus, "model name").unwrap_or("unknown processor"),
        gibibytes(&memory).unwrap_or_default(),
        output("uname", &["-r"])?,
        output("rustc", &["--version"])?
    ))
}

/// What stands after `name` and a colon.
fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.find_map(|(key, value)| (key.trim() == name).then_some(value.trim()))
}

/// The memory of the machine, from `/proc/meminfo`.
fn gibibytes(meminfo: &str) -> Option<u64> {
    let total = value(meminfo, "MemTotal")?.strip_suffix("kB")?;
    Some(total.trim().parse::<u64>().ok()?.div_ceil(1 << 20))
}

fn output(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program).args(arguments).output()?;
    ensure!(
        output.status.success(),
        "`{program}` ended with {}",
        output.status
    );
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_kernel_says() {
        let cpus = "processor\t: 0\nmodel name\t: AMD EPYC\nmodel name\t: other\n";
        assert_eq!(value(cpus, "model name"), Some("AMD EPYC"));
        assert_eq!(value(cpus, "model"), None);
        let memory = "MemTotal:       24576000 kB\nMemFree: 1 kB\n";
        assert_eq!(gibibytes(memory), Some(24));
        assert_eq!(gibibytes("MemFree: 1 kB\n"), None);
    }
}
