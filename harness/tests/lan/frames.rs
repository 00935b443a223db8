//! What goes over a cable, as tshark reads it: a decoder that nobody here wrote.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::space::{Host, Process};
use crate::tool::tool;

/// A recording under way.
pub(crate) struct Frames {
    file: PathBuf,
    recorder: Option<Process>,
}

impl Frames {
    /// Records what an interface of a host sees.
    pub(crate) fn watch(host: &Host, interface: &str, directory: &Path) -> Self {
        let file = directory.join("frames.pcapng");
        let mut command = host.command("dumpcap");
        command
            .args(["-q", "-B", "64", "-i", interface, "-w"])
            .arg(&file);
        let mut recorder = host.start("dumpcap", &mut command);
        recorder.wait_text("File:");
        Self {
            file,
            recorder: Some(recorder),
        }
    }

    /// Ends the recording.
    pub(crate) fn end(mut self) -> Self {
        // What was sent last is still on its way to the file.
        std::thread::sleep(std::time::Duration::from_millis(1_500));
        drop(self.recorder.take());
        self
    }

    /// Fields of all frames that a filter lets through.
    pub(crate) fn rows(&self, filter: &str, fields: &[&str]) -> Vec<Vec<String>> {
        let mut command = Command::new(tool("tshark", "tshark").expect("asked for before"));
        command
            .arg("-r")
            .arg(&self.file)
            .args(["-Y", filter, "-T", "fields"]);
        // The client identifier repeats the hardware address.
        command.args(["-E", "occurrence=f"]);
        for field in fields {
            command.args(["-e", field]);
        }
        let output = command.stdin(Stdio::null()).output().expect("tshark runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{filter}: {said}");
        let rows = String::from_utf8_lossy(&output.stdout).into_owned();
        let fields = |row: &str| row.split('\t').map(str::to_owned).collect();
        rows.lines().map(fields).collect()
    }
}
