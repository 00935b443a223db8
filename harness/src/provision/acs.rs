//! What the auto-configuration server of a plan knows of its phones.

use std::sync::Arc;

use bootstorm_emulator::profile::Param;
use bootstorm_scenarios::plan::{ACS_PATH, Login, PhonePlan, Plan};
use bootstorm_scenarios::scenario::{Acs, AcsAuth};

use crate::reference::acs::{self, AcsConfig, Managed};
use crate::reference::content::Source;
use crate::reference::http::Scheme;

/// The auto-configuration server of a plan; `None` where no fleet has dealings with one.
pub(super) fn of(plan: &Arc<Plan>, source: &Source) -> Option<AcsConfig> {
    if !plan.has_acs() {
        return None;
    }
    let (known, source) = (Arc::clone(plan), source.clone());
    let phones = Arc::new(move |serial: &str| {
        let plan = known.now();
        let phone = plan.phone_of_serial(serial)?;
        let dealings = plan.acs(&phone)?;
        Some(managed(plan, &phone, dealings, &source))
    });
    let mut config = AcsConfig::new(ACS_PATH, phones);
    config.seed = plan.scenario.seed;
    Some(config)
}

fn managed(plan: &Plan, phone: &PhonePlan, dealings: &Acs, source: &Source) -> Managed {
    let scheme = match dealings.auth {
        AcsAuth::Basic => Scheme::Basic,
        AcsAuth::Digest | AcsAuth::None => Scheme::DigestMd5,
    };
    let bytes_of = |path: &str| Some(source.find(path.as_bytes()).ok()?.bytes.len());
    let steps = dealings.steps.iter();
    Managed {
        mac: phone.identity.mac,
        login: plan.acs_login(phone).map(|login| (scheme, login)),
        connection: Login {
            user: plan.web_text(phone, Param::AcsConnectionUser),
            password: plan.web_text(phone, Param::AcsConnectionPassword),
        },
        calls: steps
            .filter_map(|step| acs::call(plan, phone, step, &bytes_of))
            .collect(),
        fault: dealings.fault,
        fault_times: dealings.fault_times,
    }
}
