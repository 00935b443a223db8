//! The command line: what it takes, where it leads, how it exits.

mod afield;
mod boot;
mod capture;
mod cases;
mod certify;
mod check;
mod content;
mod dashboard;
mod deliver;
#[cfg(test)]
mod documented;
mod explain;
mod find;
mod judge;
mod lab;
mod list;
mod live;
mod load;
mod mutant;
mod notify;
mod report;
mod run;
mod serve;
mod subject;

use std::path::PathBuf;
use std::process::ExitCode;

use bootstorm_emulator::located::Faults;
use bootstorm_reports::redact::Redactor;
use check::CheckArguments;
use clap::{Parser, Subcommand, ValueEnum};

/// How the program ended; its exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything asked for was met.
    Met = 0,
    /// The subject failed.
    SubjectFailed = 1,
    /// Bad input or usage.
    Usage = 2,
    /// The generator, not the subject, was the limit; or nothing could be concluded.
    Void = 3,
    /// Our own fault, a missing privilege, no descriptors, a port in use.
    Own = 4,
    /// Ended by the user; what was known until then was reported.
    Interrupted = 5,
}

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The input is wrong: exit 2.
    #[error("{0}")]
    Usage(String),
    /// Faults in files that were given: exit 2.
    #[error("{0}")]
    Faults(Faults),
    /// Our own side: exit 4.
    #[error("{0}")]
    Own(String),
}

impl Trouble {
    fn usage(message: impl std::fmt::Display) -> Self {
        Self::Usage(message.to_string())
    }

    fn own(message: impl std::fmt::Display) -> Self {
        let mut message = message.to_string();
        // EMFILE, whoever met it.
        if message.contains("os error 24)") {
            message.push_str(" (raise the limit with ulimit -n, or use fewer --shards)");
        }
        Self::Own(message)
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Faults(_) => Exit::Usage,
            Self::Own(_) => Exit::Own,
        }
    }
}

/// Boots virtual desk phones against a provisioning server and shows what happened to each.
#[derive(Debug, Parser)]
#[command(
    name = "bootstorm",
    version,
    after_help = "Exit codes: 0 all met; 1 the subject failed; 2 bad input or usage; 3 void (the \
                  generator was the limit) or inconclusive; 4 our own fault or a missing \
                  privilege; 5 interrupted."
)]
struct Cli {
    #[command(flatten)]
    shared: Shared,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Options of every command")]
struct Shared {
    /// Directory of further profiles (vendor.toml and one file a model)
    #[arg(long, global = true, value_name = "DIR")]
    profiles: Option<PathBuf>,
    /// Seed of every random choice, in place of the scenario's
    #[arg(long, global = true, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Say only what went wrong, and of a run its verdict
    #[arg(long, short, global = true)]
    quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Boot a fleet; without a scenario every vendor, 2,000 phones, against the built-in server
    Run(RunArguments),
    /// Judge a server, or phones (--phones): one verdict for each conformance case
    Certify(certify::CertifyArguments),
    /// Judge phones by captures of what they did: which profile each fits, which cases it kept
    Judge(judge::JudgeArguments),
    /// Serve the files that a scenario's phones need: the reference server
    Serve(ServeArguments),
    /// Send check-sync, with or without reboot, to phones or handsets
    Notify(NotifyArguments),
    /// Write the files that a scenario's phones need, for any other server
    Content(ContentArguments),
    /// Show how a model looks for its server, and a first boot step by step, with clauses
    Explain(ExplainArguments),
    /// Real handsets on a table: power them, listen, judge them like virtual phones
    #[command(subcommand)]
    Lab(lab::LabCommand),
    /// Show, merge or compare reports
    #[command(subcommand)]
    Report(report::ReportCommand),
    /// List what there is
    List {
        /// What to list
        what: Listed,
    },
    /// Check scenario, profile, suite, mutant and lab files, or a server's files (--content): every
    /// fault at once, with its place
    Check(CheckArguments),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Listed {
    Profiles,
    Scenarios,
    Cases,
    Clauses,
    Mutants,
    Attachments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Attachment {
    /// The kernel's loopback: each phone its own 127.x.y.z
    Loopback,
    /// A simulated network in virtual time, repeatable from its seed
    Memory,
    /// A real segment (--interface): each phone with its own MAC and a lease of its own
    Lan,
    /// A DHCP server some hops away, in relay form; leases must be routed to this machine
    Relay,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TftpServer {
    /// The reference server's own
    Own,
    /// async-tftp, an independent one
    AsyncTftp,
}

#[derive(Debug, Clone, clap::Args)]
struct RunArguments {
    /// A scenario file, or the name of one that `bootstorm list scenarios` prints
    #[arg(default_value = "first-run")]
    scenario: String,
    /// An endpoint of the server to judge, as dhcp://, tftp://, ftp://, http://, https://, ntp://,
    /// sip:// (UDP, PnP multicast included) or mdns:// with address and port on loopback, acs=URL
    /// for an auto-configuration server or redirect=URL for the vendors' redirect service; what is
    /// not given comes from the built-in server, and with --attach lan or relay from the well-known
    /// ports of the first address given (repeatable)
    #[arg(long, value_name = "URL")]
    subject: Vec<String>,
    /// How phones are attached [default: as the scenario says, else loopback]
    #[arg(long, value_enum, value_name = "HOW")]
    attach: Option<Attachment>,
    #[command(flatten)]
    afield: afield::AfieldArguments,
    /// How many phones, shared among the fleets as in the scenario
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1 << 24))]
    phones: Option<u32>,
    /// Boot only this phone of the plan
    #[arg(long, value_name = "INDEX")]
    phone: Option<u32>,
    /// Multiplies vendor policy times, in place of the scenario's; 1 is faithful
    #[arg(long, value_name = "FACTOR")]
    time_scale: Option<f64>,
    /// Seconds after which the run ends at the latest
    #[arg(long, value_name = "SECONDS")]
    deadline: Option<f64>,
    /// Threads that drive phones
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=250))]
    shards: Option<u32>,
    /// Directory for the report; made if missing
    #[arg(long, value_name = "DIR", default_value = "bootstorm-report")]
    out: PathBuf,
    /// Write the report as JSON to standard output instead of the table
    #[arg(long)]
    json: bool,
    /// Show the run as a web page while it goes on, and its figures for Prometheus at /metrics; to
    /// other machines only where their side's address is given
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "127.0.0.1:0"
    )]
    live: Option<std::net::SocketAddr>,
    /// Whose packets capture.pcapng in the report's directory holds
    #[arg(long, value_enum, value_name = "WHICH", default_value = "failed")]
    capture: capture::Packets,
    /// Also write every event as a line of text to this file (- is standard output)
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
    /// Serve this directory instead of generated files
    #[arg(long, value_name = "DIR")]
    content: Option<PathBuf>,
    /// Which TFTP server the built-in server uses
    #[arg(long, value_enum, value_name = "WHICH", default_value = "own")]
    tftp_server: TftpServer,
    /// PEM file of authorities that phones trust, for an https subject
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Directory of the authority that signs the phones' factory certificates (factory-ca.pem,
    /// factory-ca.key); made if missing; without it each run has a new one
    #[arg(long, value_name = "DIR")]
    factory_ca: Option<PathBuf>,
    /// Show passwords in reports instead of stand-ins
    #[arg(long)]
    keep_secrets: bool,
    #[command(flatten)]
    find: find::FindArguments,
    #[command(flatten)]
    server_mutants: mutant::OfServer,
    #[command(flatten)]
    phone_mutants: mutant::OfPhones,
}

#[derive(Debug, Clone, clap::Args)]
struct ServeArguments {
    /// A scenario file, or the name of one that `bootstorm list scenarios` prints
    #[arg(default_value = "first-run")]
    scenario: String,
    /// Serve this directory instead of generated files
    #[arg(long, value_name = "DIR")]
    content: Option<PathBuf>,
    /// Address to bind; one that is not loopback needs --beyond-loopback
    #[arg(long, default_value = "127.0.0.1")]
    address: std::net::Ipv4Addr,
    /// Serve other machines too
    #[arg(long)]
    beyond_loopback: bool,
    /// How many phones, as with `run --phones`; must be the same there
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1 << 24))]
    phones: Option<u32>,
    /// Addresses to lease beyond loopback, as FIRST-LAST/MASK: 10.0.0.50-10.0.0.99/24
    #[arg(long, value_name = "RANGE")]
    dhcp_pool: Option<String>,
    /// Answer DHCP on this interface (never done without it beyond loopback)
    #[arg(long, value_name = "NAME")]
    dhcp_interface: Option<String>,
    /// DHCP port; 0 takes any free one
    #[arg(long, value_name = "PORT", default_value_t = 6767)]
    dhcp_port: u16,
    /// TFTP port
    #[arg(long, value_name = "PORT", default_value_t = 6969)]
    tftp_port: u16,
    /// FTP port
    #[arg(long, value_name = "PORT", default_value_t = 2121)]
    ftp_port: u16,
    /// HTTP port
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    http_port: u16,
    /// HTTPS port
    #[arg(long, value_name = "PORT", default_value_t = 8443)]
    https_port: u16,
    /// SIP port of the PnP responder and, by UDP and TCP, of the registrar
    #[arg(long, value_name = "PORT", default_value_t = 5060)]
    sip_port: u16,
    /// SNTP port
    #[arg(long, value_name = "PORT", default_value_t = 12345)]
    ntp_port: u16,
    /// Multicast DNS port; opened for scenarios whose phones ask by multicast DNS
    #[arg(long, value_name = "PORT", default_value_t = 5353)]
    mdns_port: u16,
    /// Which TFTP server to use
    #[arg(long, value_enum, value_name = "WHICH", default_value = "own")]
    tftp_server: TftpServer,
    /// Write the test authority's certificate to this file
    #[arg(long, value_name = "FILE")]
    ca_out: Option<PathBuf>,
    /// Directory of the authority that signs the phones' factory certificates (factory-ca.pem,
    /// factory-ca.key); made if missing; without it each run has a new one
    #[arg(long, value_name = "DIR")]
    factory_ca: Option<PathBuf>,
    #[command(flatten)]
    mutants: mutant::OfServer,
}

#[derive(Debug, Clone, clap::Args)]
struct NotifyArguments {
    /// A phone, as [USER@]ADDRESS[:PORT]; USER, a MAC address or an account, goes into the request
    /// URI (repeatable)
    #[arg(long, value_name = "TARGET")]
    to: Vec<String>,
    /// A file with one target a line; # begins a comment
    #[arg(long, value_name = "FILE")]
    from_file: Option<PathBuf>,
    /// Send the event with reboot=true or reboot=false; without it the event stands alone
    #[arg(long, value_name = "true|false")]
    reboot: Option<bool>,
    /// Address, and port, that everything is sent from, where phones believe certain senders only
    #[arg(long, value_name = "ADDRESS[:PORT]")]
    source: Option<String>,
    /// Seconds after which a phone that does not answer is given up
    #[arg(long, value_name = "SECONDS", default_value_t = 32.0)]
    timeout: f64,
}

#[derive(Debug, Clone, clap::Args)]
struct ContentArguments {
    /// A scenario file, or the name of one that `bootstorm list scenarios` prints
    #[arg(default_value = "first-run")]
    scenario: String,
    /// In place of a scenario's: the files that a suite about servers needs, a directory for each
    /// case (repeatable)
    #[arg(long, value_name = "NAME", conflicts_with_all = ["scenario", "phones"])]
    suite: Vec<String>,
    /// Where to write; made if missing
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The server's address as phones will know it
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    server: std::net::Ipv4Addr,
    /// Also make there, if missing, the authority that signs the phones' factory certificates:
    /// factory-ca.pem is for the server, the whole directory for `run --factory-ca`
    #[arg(long, value_name = "DIR")]
    factory_ca: Option<PathBuf>,
    /// How many phones, shared among the fleets as in the scenario
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1 << 24))]
    phones: Option<u32>,
}

#[derive(Debug, Clone, clap::Args)]
struct ExplainArguments {
    /// A profile, as `bootstorm list profiles` prints it
    profile: String,
    /// As a Mermaid sequence diagram
    #[arg(long)]
    mermaid: bool,
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // A closed standard output is not worth another message.
            let _ = error.print();
            let code = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Met
            };
            return ExitCode::from(code as u8);
        }
    };
    let result = match &cli.command {
        Command::Run(arguments) => run::run(&cli.shared, arguments),
        Command::Certify(arguments) => certify::certify(&cli.shared, arguments),
        Command::Judge(arguments) => judge::judge(&cli.shared, arguments),
        Command::Serve(arguments) => serve::serve(&cli.shared, arguments),
        Command::Notify(arguments) => notify::notify(&cli.shared, arguments),
        Command::Content(arguments) => content::content(&cli.shared, arguments),
        Command::Explain(arguments) => explain::explain(&cli.shared, arguments),
        Command::Lab(command) => lab::lab(&cli.shared, command),
        Command::Report(command) => report::report(&cli.shared, command),
        Command::List { what } => list::list(&cli.shared, *what),
        Command::Check(arguments) => check::check(&cli.shared, arguments),
    };
    let exit = result.unwrap_or_else(|trouble| {
        eprintln!("bootstorm: {}", harmless(&trouble.to_string()));
        trouble.exit()
    });
    ExitCode::from(exit as u8)
}

/// A message about what was given, which may have held a password: a URL is shown without one.
fn harmless(message: &str) -> String {
    Redactor::new(0).text(message).into_owned()
}

/// Writes to standard output; a reader that has gone away is not an error.
fn print(text: &str) {
    use std::io::Write as _;
    let _ = std::io::stdout().write_all(text.as_bytes());
}
