//! What benchmarks measure with: packets, and the fleet that every whole-boot measurement boots
//! with the server that provisions it.
//!
//! One phone: DHCP with option 66, then TFTP. `<mac>` and `<mac>.boot` are missing, the common boot
//! file includes the parts of the common settings and the phone's own file: 150 common settings,
//! 25 own ones in about 900 bytes. PnP is off and policy timers are 0.

pub mod packets;

use std::fmt::Write as _;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use bootstorm::content;
use bootstorm::provision::{self, Pool};
use bootstorm::reference::ReferenceConfig;
use bootstorm::reference::content::{Source, Tree};
use bootstorm::run::Orders;
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_reports::report::Report;
use bootstorm_reports::{html, json, junit, prom, summary};
use bootstorm_scenarios::plan::Plan;
use bootstorm_scenarios::scenario;

/// The fleet as a scenario, without its size, rate and shared settings.
pub const FLEET: &str = include_str!("fleet.toml");
/// Settings that all phones share.
const SHARED_SETTINGS: usize = 150;
/// Where the profile's `boot` layout puts the boot file and the shared settings.
const BOOT_FILE: &str = "y000000000000.boot";
const SHARED_FILE: &str = "site files/common settings.cfg";

/// Writes a report in one format.
pub type Writer = fn(&Report, &mut dyn io::Write) -> io::Result<()>;

/// The files of a report.
pub const WRITERS: [(&str, Writer); 5] = [
    ("json", json::write),
    ("html", html::write),
    ("junit", junit::write),
    ("summary", summary::write),
    ("metrics", prom::write),
];

/// What to boot.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// How many phones.
    pub phones: u32,
    /// Phones switched on per second; all at once without it.
    pub per_s: Option<f64>,
    /// Files that the shared settings are spread over, at least 1. With the boot file and the own
    /// file a phone fetches two more than these, and asks for two that are missing.
    pub parts: usize,
    /// Bytes of comments in each of these files.
    pub comments: usize,
}

/// Why a load cannot be set up: a defect of the benchmark.
#[derive(Debug)]
pub struct Fault(String);

impl std::fmt::Display for Fault {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "failed to set the benchmark up: {}", self.0)
    }
}

impl std::error::Error for Fault {}

impl Load {
    /// Five files fetched, two missing, everybody at once.
    #[must_use]
    pub fn storm(phones: u32) -> Self {
        Self {
            phones,
            per_s: None,
            parts: 3,
            comments: 0,
        }
    }

    /// The plan for a server at `server`.
    ///
    /// # Errors
    /// `Fault`
    pub fn plan(&self, server: Ipv4Addr) -> Result<Arc<Plan>, Fault> {
        let failed = |fault: &dyn std::fmt::Display| Fault(fault.to_string());
        let scenario = scenario::read("storm.toml", &self.scenario());
        let scenario = scenario.map_err(|fault| failed(&fault))?;
        let plan = Plan::new(scenario, &ProfileSet::built_in(), server);
        let plan = plan.map_err(|faults| Fault(format!("{faults:?}")))?;
        Ok(Arc::new(plan))
    }

    /// The files for a plan: those of the profile's layout, with the shared settings in parts.
    ///
    /// # Errors
    /// `Fault`
    pub fn source(&self, plan: &Plan) -> Result<Source, Fault> {
        let mut files = content::generate(plan).map_err(|fault| Fault(fault.to_string()))?;
        let shared = files.remove(SHARED_FILE).unwrap_or_default();
        let lines: Vec<_> = shared.split_inclusive(|byte| *byte == b'\n').collect();
        let mut boot = String::new();
        let each = lines.len().div_ceil(self.parts.max(1)).max(1);
        for (number, part) in lines.chunks(each).enumerate() {
            let _ = writeln!(boot, "include:config <part-{number}.cfg>");
            let mut text = b"# nothing\n".repeat(self.comments / 10);
            text.extend(part.concat());
            files.insert(format!("part-{number}.cfg"), text);
        }
        boot.push_str("include:config <$(MA).cfg>\n");
        files.insert(BOOT_FILE.to_owned(), boot.into_bytes());
        let mut tree = Tree::default();
        for (path, bytes) in files {
            let planted = tree.insert(path, bytes);
            planted.map_err(|fault| Fault(fault.to_string()))?;
        }
        Ok(Source::tree(tree))
    }

    /// The reference server for a plan, leasing out of `pool`.
    ///
    /// # Errors
    /// `Fault`
    pub fn reference(&self, plan: &Arc<Plan>, pool: Pool) -> Result<ReferenceConfig, Fault> {
        Ok(provision::reference(plan, self.source(plan)?, pool))
    }

    fn scenario(&self) -> String {
        let mut text = String::from("name = \"storm\"\ntime_scale = 0\ndeadline_s = 120\n");
        if let Some(per_s) = self.per_s {
            let _ = write!(text, "[load]\nshape = \"rate\"\nper_s = {per_s:.3}\n");
        }
        text.push_str(&FLEET.replace("PHONES", &self.phones.to_string()));
        text.push_str("[fleet.common]\n");
        for number in 0..SHARED_SETTINGS {
            let _ = writeln!(text, "\"features.option_{number:03}.mode\" = \"{number}\"");
        }
        text.push_str("[fleet.own]\n");
        let fields = [
            ("enable", "1"),
            ("label", "Desk {index:05}"),
            ("display_name", "Person {index:05}"),
            ("user_name", "u{index:05}"),
            ("auth_name", "{mac}"),
            ("password", "s3cret-{mac:upper}"),
            ("sip_server_host", "sip.example.org"),
            ("sip_server_port", "5060"),
        ];
        for account in 1..=3 {
            for (field, value) in fields {
                let _ = writeln!(text, "\"account.{account}.{field}\" = \"{value}\"");
            }
        }
        text.push_str("\"linekey.1.label\" = \"Line of desk {index:05}\"\n");
        text
    }
}

/// Writes every file of a report into memory, one after the other; returns how many bytes.
///
/// # Errors
/// None but those of the writers.
pub fn write_report(report: &Report) -> io::Result<usize> {
    let mut out = Vec::with_capacity(1 << 21);
    let mut bytes = 0;
    for (_, write) in WRITERS {
        out.clear();
        write(report, &mut out)?;
        bytes += out.len();
    }
    Ok(bytes)
}

/// Orders for `shards` threads, without a log of events.
#[must_use]
pub fn orders(shards: u32) -> Orders {
    Orders {
        shards,
        ..Orders::default()
    }
}
