//! Removing what a rig made, and what dead rigs left behind.
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::netns::{Netns, ip_batch};
use crate::wait::wait_until;

/// Every rig's run directory and namespaces begin with this.
pub(crate) const PREFIX: &str = "wt-";
/// The file in a run directory that says which process owns the rig.
const OWNER: &str = "owner";
/// How long killed processes may take to disappear.
const DYING: Duration = Duration::from_secs(20);

/// Creates a rig's run directory; its owner is this process.
pub(crate) fn claim(run_dir: &Path) -> Result<()> {
    fs::create_dir(run_dir).with_context(|| format!("creating {}", run_dir.display()))?;
    let pid = std::process::id().cast_signed();
    let start = start_time(pid).context("this process is not in /proc")?;
    fs::write(run_dir.join(OWNER), format!("{pid} {start}\n"))?;
    Ok(())
}

/// Removes a rig: its processes, its namespaces with all links, its run directory. Goes on after failures.
pub(crate) fn remove(run_dir: &Path) -> Result<()> {
    let namespaces = namespaces_of(run_dir)?;
    end_processes_in(&namespaces)?;
    // The kernel clears a namespace some time after its name is gone; this end of the cable must go now.
    let outside = outside_interface(rig_of(run_dir)?);
    if Path::new("/sys/class/net").join(&outside).exists() {
        let _ = ip_batch(None, &format!("link del dev {outside}\n"));
    }
    let lines: String = namespaces.iter().map(|n| format!("netns del {}\n", n.name())).collect();
    if !lines.is_empty() {
        ip_batch(None, &lines)?;
    }
    fs::remove_dir_all(run_dir).with_context(|| format!("removing {}", run_dir.display()))
}

/// The rig's one interface in the root namespace. Interface names have 15 bytes: the id without its hint is enough.
pub(crate) fn outside_interface(id: &str) -> String {
    format!("{PREFIX}{}", id.rsplit('-').next().unwrap_or(id))
}

/// Removes every rig under `folder` whose owner has ended. Says on standard error what it could not remove.
pub(crate) fn remove_stale(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)?.flatten() {
        let path = entry.path();
        if is_stale(&path) == Some(true)
            && let Err(error) = remove(&path)
            && path.exists()
        {
            eprintln!("rig: leftovers of {} stay: {error:#}", path.display());
        }
    }
    Ok(())
}

/// A lock over the whole machine, for what two rigs must not do at once: choosing an address that is free.
pub(crate) fn machine_lock() -> Result<Flock<File>> {
    let lock = Flock::lock(lock_file("weft-rig.lock")?, FlockArg::LockExclusive);
    lock.map_err(|(_, errno)| errno).context("locking the machine for the rig")
}

/// A lock of another name over the whole machine; `None` while someone has it.
pub(crate) fn try_lock(name: &str) -> Result<Option<Flock<File>>> {
    match Flock::lock(lock_file(name)?, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(lock)),
        Err((_, Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, errno)) => Err(errno).with_context(|| format!("locking {name}")),
    }
}

fn lock_file(name: &str) -> Result<File> {
    let path = std::env::temp_dir().join(name);
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    file.with_context(|| format!("opening {}", path.display()))
}

/// Whether a folder is a rig's run directory with a dead owner; `None` if it is no rig's.
fn is_stale(path: &Path) -> Option<bool> {
    path.file_name()?.to_str()?.strip_prefix(PREFIX)?;
    let owner = fs::read_to_string(path.join(OWNER)).ok()?;
    let (pid, start) = owner.trim().split_once(' ')?;
    // The start time tells the owner from a later process that was given the same id.
    Some(start_time(pid.parse().ok()?).as_deref() != Some(start))
}

/// When a process started, in the kernel's ticks; `None` when there is no such process.
fn start_time(pid: i32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold spaces, so fields are counted after it: field 22 is the 20th from there.
    stat.rsplit_once(')')?.1.split_whitespace().nth(19).map(str::to_owned)
}

fn rig_of(run_dir: &Path) -> Result<&str> {
    run_dir.file_name().and_then(|n| n.to_str()).context("a run directory without a name")
}

/// The namespaces whose names begin with the rig's own.
fn namespaces_of(run_dir: &Path) -> Result<Vec<Netns>> {
    let prefix = format!("{}-", rig_of(run_dir)?);
    let Ok(entries) = fs::read_dir("/run/netns") else { return Ok(Vec::new()) };
    let names = entries.flatten().filter_map(|e| e.file_name().into_string().ok());
    Ok(names.filter(|n| n.starts_with(&prefix)).map(|n| Netns::named(&n)).collect())
}

/// Kills every process that lives in one of these namespaces, and waits until they are gone.
fn end_processes_in(namespaces: &[Netns]) -> Result<()> {
    let inodes: BTreeSet<u64> =
        namespaces.iter().filter_map(|n| fs::metadata(n.path()).ok()).map(|m| m.ino()).collect();
    if inodes.is_empty() {
        return Ok(());
    }
    wait_until("the rig's processes to end", DYING, || {
        let alive = processes_in(&inodes);
        for pid in &alive {
            let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
        }
        anyhow::ensure!(alive.is_empty(), "still running: {alive:?}");
        Ok(true)
    })
}

fn processes_in(inodes: &BTreeSet<u64>) -> Vec<i32> {
    let own = std::process::id().cast_signed();
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| *pid != own && lives_in(*pid, inodes)).collect()
}

/// Zombies have no namespaces any more, so they do not count as living anywhere.
fn lives_in(pid: i32, inodes: &BTreeSet<u64>) -> bool {
    let link = PathBuf::from(format!("/proc/{pid}/ns/net"));
    fs::metadata(link).is_ok_and(|m| inodes.contains(&m.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_stale_only_if_its_owner_is_gone() {
        let folder = tempfile::tempdir().expect("a folder");
        let run_dir = folder.path().join("wt-x");
        claim(&run_dir).expect("claimed");
        assert_eq!(is_stale(&run_dir), Some(false));
        let pid = std::process::id();
        fs::write(run_dir.join(OWNER), format!("{pid} 1\n")).expect("written");
        assert_eq!(is_stale(&run_dir), Some(true), "same id, other start: another process");
        fs::write(run_dir.join(OWNER), "").expect("written");
        assert_eq!(is_stale(&run_dir), None, "without an owner it is left alone");
        assert_eq!(is_stale(folder.path()), None);
    }
}
