//! What a process has used, as the kernel knows it.

use std::time::Duration;

use anyhow::{Context, Result};

/// Processor time that a process has used so far, all threads. From `schedstat` (nanoseconds) of the threads that live,
/// because the ticks of `/proc/PID/stat` are 10 ms; what threads used that have ended is not in it.
pub fn cpu(pid: i32) -> Result<Duration> {
    let mut nanoseconds = 0;
    for thread in std::fs::read_dir(format!("/proc/{pid}/task")).context("the process does not run")? {
        // A thread may end between being listed and being read.
        let Ok(text) = std::fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        nanoseconds += text.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0);
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// Processor time that a process has used so far, with that of threads that have ended, to 10 ms: for what takes seconds.
pub fn cpu_of_all(pid: i32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("the process does not run")?;
    // The name of the program may have blanks; the 14th and 15th fields are ticks in user and kernel mode.
    let (_, fields) = stat.rsplit_once(')').context("a program has a name")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    let ticks: u64 = ticks.sum::<Result<_, _>>().context("ticks are numbers")?;
    Ok(Duration::from_millis(ticks * 10))
}

/// Resident memory of a process in KiB.
pub fn resident_kib(pid: i32) -> Result<u64> {
    status_kib(pid, "VmRSS:")
}

/// The most resident memory that a process ever had, in KiB.
pub fn peak_kib(pid: i32) -> Result<u64> {
    status_kib(pid, "VmHWM:")
}

fn status_kib(pid: i32, field: &str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).context("no such field in status")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_used_something() {
        let pid = std::process::id().cast_signed();
        assert!(cpu(pid).unwrap() > Duration::ZERO);
        assert!(resident_kib(pid).unwrap() > 0 && peak_kib(pid).unwrap() > 0);
    }
}
