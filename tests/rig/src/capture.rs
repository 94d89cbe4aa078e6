//! Capturing frames on an interface, with a way to know that nothing is still on its way.
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::frame;
use crate::netns::Netns;
use crate::process::Process;

/// How long the capture may take to begin, and a marker to be seen.
const PATIENCE: Duration = Duration::from_secs(10);
/// EtherType for local experiments (IEEE 802): no scenario sends it, so it can mark a moment in a capture.
const MARKER_TYPE: [u8; 2] = [0x88, 0xb5];
/// The capture's name in its folder.
const FILE: &str = "frames.pcap";
/// pcap: length of the file header and of the header before each frame.
const FILE_HEADER_LEN: usize = 24;
const RECORD_HEADER_LEN: usize = 16;

/// A running `tcpdump`. Dropping it ends the capture.
#[derive(Debug)]
pub struct Capture {
    // The process goes first, then the folder it writes to.
    process: Process,
    folder: TempDir,
    netns: Netns,
    interface: String,
    markers: u32,
}

impl Capture {
    /// Starts capturing on an interface (not `any`) and returns when frames are really being captured.
    /// `filter` is in the syntax of pcap-filter(7); empty captures everything.
    pub fn start(netns: &Netns, interface: &str, filter: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join(FILE);
        let file = file.to_str().context("a temporary folder whose name is no text")?;
        let marked = match filter {
            "" => String::new(),
            filter => format!("({filter}) or ether proto 0x88b5"),
        };
        // Root keeps its rights (-Z root), else tcpdump could not write into the folder.
        let options = ["-n", "-U", "--immediate-mode", "-s", "0", "-Z", "root"];
        let mut argv = vec!["tcpdump", "-i", interface, "-w", file];
        argv.extend(options);
        argv.push(&marked);
        let mut process = netns.spawn(&argv)?;
        process.wait_for("tcpdump to listen", PATIENCE, |p| Ok(p.log()?.contains("listening on")))?;
        Ok(Capture { process, folder, netns: netns.clone(), interface: interface.to_owned(), markers: 0 })
    }

    /// Waits until everything that passed the interface before this call has been written down.
    ///
    /// It sends a marker frame (EtherType 0x88b5, to a MAC that nobody has) out of the interface and waits for it.
    pub fn settle(&mut self) -> Result<()> {
        self.markers += 1;
        frame::send(&self.netns, &self.interface, &marker(self.markers))?;
        let expected = self.markers;
        let file = self.file();
        self.process.wait_for("the marker in the capture", PATIENCE, |_| {
            Ok(split(&fs::read(&file)?)
                .iter()
                .filter(|f| is_marker(f))
                .any(|f| f[18..22] == expected.to_be_bytes()))
        })
    }

    /// The frames so far, markers left out. Call [`Capture::settle`] first to know that none is missing.
    pub fn frames(&self) -> Result<Vec<Vec<u8>>> {
        Ok(self.records()?.into_iter().filter(|f| !is_marker(f)).collect())
    }

    /// How many frames have been captured, after settling.
    pub fn count(&mut self) -> Result<usize> {
        self.settle()?;
        Ok(self.frames()?.len())
    }

    fn records(&self) -> Result<Vec<Vec<u8>>> {
        Ok(split(&fs::read(self.file())?))
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join(FILE)
    }
}

/// What the first bytes after the EtherType say, so that a stranger's frame of the same type is no marker.
const MARKER_WORD: [u8; 4] = *b"weft";

fn marker(number: u32) -> Vec<u8> {
    let mut frame = vec![0x02, 0xfe, 0, 0, 0, 0xfe, 0x02, 0xfe, 0, 0, 0, 0xff];
    frame.extend(MARKER_TYPE);
    frame.extend(MARKER_WORD);
    frame.extend(number.to_be_bytes());
    frame.resize(60, 0);
    frame
}

fn is_marker(frame: &[u8]) -> bool {
    frame.len() >= 22 && frame[12..14] == MARKER_TYPE && frame[14..18] == MARKER_WORD
}

/// The complete frames of a pcap file that may still be growing (little-endian, as written on this machine).
fn split(file: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let mut rest = file.get(FILE_HEADER_LEN..).unwrap_or_default();
    while let Some((header, body)) = rest.split_at_checked(RECORD_HEADER_LEN) {
        let len = u32::from_ne_bytes([header[8], header[9], header[10], header[11]]) as usize;
        let Some((frame, next)) = body.split_at_checked(len) else { break };
        frames.push(frame.to_vec());
        rest = next;
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_growing_file_gives_its_complete_frames() {
        let mut file = vec![0; FILE_HEADER_LEN];
        for frame in [&[1u8, 2, 3][..], &[4u8][..]] {
            file.extend([0; 8]);
            file.extend((frame.len() as u32).to_ne_bytes());
            file.extend((frame.len() as u32).to_ne_bytes());
            file.extend(frame);
        }
        assert_eq!(split(&file), [vec![1, 2, 3], vec![4]]);
        assert_eq!(split(&file[..file.len() - 1]), [vec![1, 2, 3]]);
        assert!(split(&file[..10]).is_empty());
    }

    #[test]
    fn only_our_own_marker_is_one() {
        assert!(is_marker(&marker(7)));
        let mut other = marker(7);
        other[14] = b'x';
        assert!(!is_marker(&other));
    }
}
