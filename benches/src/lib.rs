//! What several benches share: a gateway whose source and policy are native
//! and scripted, so that only the gateway itself is measured.

pub mod scripted;

/// The memory in use of a process in bytes, from its `/proc/PID/smaps_rollup`
/// (`proc_pid_smaps(5)`).
pub fn resident_bytes(rollup: &str) -> Option<u64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_memory_in_use() {
        let text = "55d0-7ffc ---p 00000000 00:00 0    [rollup]\nRss:                1788 kB\nPss:  1000 kB\n";
        assert_eq!(resident_bytes(text), Some(1788 * 1024));
        assert_eq!(resident_bytes("Pss: 1 kB\n"), None);
        assert_eq!(resident_bytes("Rss: many kB\n"), None);
    }
}
