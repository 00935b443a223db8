//! Boots a fleet against the reference server in the same process and prints what it cost, one
//! line for each figure.

use std::error::Error;
use std::fs;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bootstorm::capture::{self, Which};
use bootstorm::drive::tls::Trust;
use bootstorm::provision::{LOOPBACK_POOL, SIMULATED_POOL, SIMULATED_SERVER};
use bootstorm::reference::Reference;
use bootstorm::reference::adapter::{Adapter, Bind};
use bootstorm::run::{self, Ended, Orders};
use bootstorm::subject::Subject;
use bootstorm_benches::{Load, orders, write_report};
use bootstorm_reports::run::Outcome;
use bootstorm_scenarios::plan::Plan;
use clap::{Parser, ValueEnum};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

/// Boots a fleet and prints what it cost.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many phones.
    #[arg(long, default_value_t = 10_000)]
    phones: u32,
    /// How packets travel.
    #[arg(long, value_enum, default_value = "loopback")]
    attach: Attachment,
    /// Threads that drive phones; the simulated network has one.
    #[arg(long, default_value_t = 1)]
    shards: u32,
    /// Phones switched on per second; all at once without it.
    #[arg(long)]
    rate: Option<f64>,
    /// Files that the shared settings are spread over; a phone fetches two more.
    #[arg(long, default_value_t = 3)]
    parts: usize,
    /// Whose packets are recorded, as for a capture.
    #[arg(long, value_enum, default_value = "none")]
    record: Recorded,
    /// How often the whole is done; each run gets its own lines.
    #[arg(long, default_value_t = 1)]
    repeat: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Attachment {
    /// A simulated network in virtual time.
    Memory,
    /// The kernel's loopback.
    Loopback,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Recorded {
    /// Everybody's.
    All,
    /// Those of phones that fail and of a sample, as `bootstorm run` does.
    Failed,
    /// Nobody's.
    None,
}

impl From<Recorded> for Which {
    fn from(recorded: Recorded) -> Self {
        match recorded {
            Recorded::All => Self::All,
            Recorded::Failed => Self::Failed,
            Recorded::None => Self::None,
        }
    }
}

/// What one run gave.
struct Measured {
    ended: Ended,
    /// From the first phone to the closed books.
    wall: Duration,
    /// Of the threads that drive phones, and of the server.
    processor: Duration,
    /// Of writing the report's files and, where packets were recorded, the capture.
    reporting: Duration,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let descriptors = Descriptors::watch();
    for _ in 0..arguments.repeat.max(1) {
        let measured = match arguments.attach {
            Attachment::Memory => simulate(&arguments)?,
            Attachment::Loopback => loopback(&arguments)?,
        };
        show(&arguments, &measured)?;
    }
    let mut out = std::io::stdout();
    writeln!(out, "descriptors_max       {}", descriptors.end())?;
    writeln!(out, "resident_max_kib      {}", resident_max_kib()?)?;
    Ok(())
}

fn load(arguments: &Arguments) -> Load {
    Load {
        phones: arguments.phones,
        per_s: arguments.rate,
        parts: arguments.parts,
        comments: 0,
    }
}

fn simulate(arguments: &Arguments) -> Result<Measured, Box<dyn Error>> {
    let load = load(arguments);
    let plan = load.plan(SIMULATED_SERVER)?;
    let reference = Reference::new(load.reference(&plan, SIMULATED_POOL)?);
    let mut orders = orders(1);
    capture::order(&mut orders, arguments.record.into(), &plan);
    let (began, processor) = (Instant::now(), processor_time()?);
    let ended = run::simulate(&plan, reference, &orders)?;
    let (wall, processor) = (began.elapsed(), processor_time()?.saturating_sub(processor));
    reported(&plan, &orders, ended, (wall, processor))
}

fn loopback(arguments: &Arguments) -> Result<Measured, Box<dyn Error>> {
    let load = load(arguments);
    let plan = load.plan(Ipv4Addr::LOCALHOST)?;
    let reference = Reference::new(load.reference(&plan, LOOPBACK_POOL)?);
    let bind = Bind {
        dhcp_port: Some(0),
        tftp_port: Some(0),
        ..Bind::loopback()
    };
    let running = Adapter::start(reference, &bind)?;
    let subject = Subject {
        dhcp: running.endpoints().dhcp,
        tftp: running.endpoints().tftp,
        ..Subject::at(plan.server)
    };
    let mut orders = orders(arguments.shards);
    capture::order(&mut orders, arguments.record.into(), &plan);
    let (began, processor) = (Instant::now(), processor_time()?);
    let trust = Trust::nobody()?;
    let ended = run::loopback(&plan, &subject, &trust, &orders)?;
    let (wall, processor) = (began.elapsed(), processor_time()?.saturating_sub(processor));
    let stopped = running.stop();
    stopped.map_err(|_| "the reference server's thread died")?;
    reported(&plan, &orders, ended, (wall, processor))
}

/// Writes what `bootstorm run` leaves behind, into memory and into a file that is taken away.
fn reported(
    plan: &Plan,
    orders: &Orders,
    mut ended: Ended,
    (wall, processor): (Duration, Duration),
) -> Result<Measured, Box<dyn Error>> {
    let began = processor_time()?;
    write_report(&ended.report)?;
    let path = std::env::temp_dir().join(format!("storm-{}.pcapng", std::process::id()));
    if capture::write(&path, plan, orders, &mut ended)?.is_some() {
        fs::remove_file(&path)?;
    }
    Ok(Measured {
        ended,
        wall,
        processor,
        reporting: processor_time()?.saturating_sub(began),
    })
}

fn show(arguments: &Arguments, measured: &Measured) -> Result<(), Box<dyn Error>> {
    let report = &measured.ended.report;
    let provisioned = report.counts().of(Outcome::Provisioned);
    let phones = f64::from(provisioned);
    let retried: u64 = report.ladder().rows.values().map(|row| row.retried).sum();
    let health = &report.facts().generator;
    let cores = thread::available_parallelism()?;
    let mut out = std::io::stdout();
    writeln!(
        out,
        "attachment            {:?}, {cores} cores",
        arguments.attach
    )?;
    writeln!(out, "phones                {}", arguments.phones)?;
    writeln!(out, "provisioned           {provisioned}")?;
    writeln!(
        out,
        "wall_s                {:.3}",
        measured.wall.as_secs_f64()
    )?;
    writeln!(
        out,
        "boots_per_s           {:.0}",
        phones / measured.wall.as_secs_f64()
    )?;
    writeln!(
        out,
        "boots_per_core_s      {:.0}",
        phones / measured.processor.as_secs_f64()
    )?;
    writeln!(
        out,
        "boot_us               {:.1}",
        measured.processor.as_secs_f64() * 1e6 / phones
    )?;
    writeln!(
        out,
        "reporting_us          {:.1}",
        measured.reporting.as_secs_f64() * 1e6 / f64::from(arguments.phones)
    )?;
    writeln!(out, "requests_retried      {retried}")?;
    writeln!(out, "datagrams_dropped     {}", health.dropped_datagrams)?;
    writeln!(out, "lag_max_ms            {}", health.lag_max.as_millis())?;
    let bytes = measured.ended.bytes_per_phone;
    writeln!(out, "bytes_per_phone       {bytes}")?;
    Ok(())
}

/// The most descriptors that were open at one time, sampled every few milliseconds.
struct Descriptors {
    most: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    watcher: thread::JoinHandle<()>,
}

impl Descriptors {
    fn watch() -> Self {
        let (most, stop) = <(Arc<AtomicUsize>, Arc<AtomicBool>)>::default();
        let (seen, ended) = (Arc::clone(&most), Arc::clone(&stop));
        let watcher = thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                let open = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
                seen.fetch_max(open, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(20));
            }
        });
        Self {
            most,
            stop,
            watcher,
        }
    }

    fn end(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        // Nothing in the thread can fail.
        let _ = self.watcher.join();
        self.most.load(Ordering::Relaxed)
    }
}

/// The most memory that the process ever had, in KiB.
fn resident_max_kib() -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or("the kernel does not tell VmHWM")?.parse()?)
}

/// Processor time of all threads so far, user and system.
fn processor_time() -> Result<Duration, Box<dyn Error>> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let micros = |time: TimeVal| time.tv_sec() * 1_000_000 + time.tv_usec();
    let micros = micros(usage.user_time()) + micros(usage.system_time());
    Ok(Duration::from_micros(micros.try_into()?))
}
