//! What a run's world offers besides files: every way of naming the server, the time, credentials,
//! check-sync. On the simulated network where nothing needs a socket.

#[path = "services/auth.rs"]
mod auth;
#[path = "services/finding.rs"]
mod finding;
#[path = "services/steps.rs"]
mod steps;

use std::sync::Arc;

use bootstorm::provision::{self, SIMULATED_POOL, SIMULATED_SERVER};
use bootstorm::reference::{Reference, ReferenceConfig};
use bootstorm::run::{self, Ended, Orders};
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_reports::run::Outcome;
use bootstorm_scenarios::plan::{Plan, PlanFault};
use bootstorm_scenarios::scenario;

/// A phone that has every source there is, and asks for the time first.
const EVERYTHING: &str = r#"
inherits = "flyingvoice"
model = "EVERYTHING"
summary = "a model that looks everywhere"

[index_limits]
accounts = 4
line_keys = 9

[params]
redirect_enable = { default = true, clauses = ["GIG-03"] }
redirect_url = { default = "https://redirect.test/ask", clauses = ["AUE-41"] }
redirect_user = { default = "{mac:upper}", clauses = ["GIG-03"] }
redirect_password = { default = "id-{mac}", clauses = ["GIG-03"] }

[clock]
required = true
retry_ms = 1_000
clauses = ["AUE-05"]

[dhcp]
parameters = [1, 3, 6, 12, 15, 28, 42, 43, 66, 67, 114]

[discovery]
order = ["option-114", "joined", "redirect", "pnp", "profile-rule"]

[sources.option-114]
kind = "dhcp"
option = 114
clauses = ["GIG-03"]

[sources.joined]
kind = "dhcp-joined"
clauses = ["AUE-25"]

[sources.redirect]
kind = "redirect"
timeout_ms = 5_000
attempts = 1
auth = "digest"
enabled_by = ["redirect_enable"]
clauses = ["GIG-03"]
"#;

fn profiles() -> ProfileSet {
    let file = (
        "flyingvoice/everything.toml".to_owned(),
        EVERYTHING.to_owned(),
    );
    ProfileSet::with_directory([file]).unwrap_or_else(|faults| panic!("{faults}"))
}

fn planned(text: &str) -> Result<Arc<Plan>, Vec<PlanFault>> {
    let scenario = scenario::read("test.toml", text).unwrap_or_else(|faults| panic!("{faults}"));
    Plan::new(scenario, &profiles(), SIMULATED_SERVER).map(Arc::new)
}

fn orders() -> Orders {
    Orders {
        shards: 1,
        transcript: true,
        ..Orders::default()
    }
}

/// Boots a scenario on the simulated network, with a server that `change` may make different.
fn boot(text: &str, change: impl FnOnce(&mut ReferenceConfig)) -> Ended {
    boot_by(&orders(), text, change)
}

fn boot_by(orders: &Orders, text: &str, change: impl FnOnce(&mut ReferenceConfig)) -> Ended {
    let plan = planned(text).unwrap_or_else(|faults| panic!("{faults:?}"));
    let source = provision::tree(&plan).expect("content");
    let mut config = provision::reference(&plan, source, SIMULATED_POOL);
    change(&mut config);
    run::simulate(&plan, Reference::new(config), orders).expect("a report")
}

/// A fleet of `EVERYTHING` phones, its lines beginning with `lines`.
fn fleet(phones: u32, lines: &str) -> String {
    format!(
        "name = \"test\"\ntime_scale = 0.01\ndeadline_s = 200\n\
         [[fleet]]\nname = \"one\"\nphones = {phones}\nroot = \"site\"\n{lines}\n\
         [fleet.profiles]\n\"flyingvoice/everything\" = 1\n\
         [fleet.own]\n\"account.1.user_name\" = \"u{{index}}\"\n"
    )
}

fn transcript(ended: &Ended) -> String {
    String::from_utf8_lossy(&ended.transcript).into_owned()
}

#[track_caller]
fn all_provisioned(ended: &Ended) {
    for phone in ended.report.phones() {
        let log = transcript(ended);
        assert_eq!(phone.outcome, Outcome::Provisioned, "{phone:?}\n{log}");
    }
}
