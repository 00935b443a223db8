//! The SIP accounts that a plan intends its phones to have, as a registrar needs them.

use std::borrow::Cow;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use bootstorm_emulator::profile::accounts::SipAccount;
use bootstorm_scenarios::plan::{PhonePlan, Plan};
use rustc_hash::{FxHashMap, FxHasher};

use crate::reference::registrar::{Accounts, Credentials};

/// Where an account is in the plan: the phone's index and the account's number. Nothing else is
/// kept, so that a million phones cost a few bytes each, and those only when one of them registers.
type Index = FxHashMap<u64, (u32, u8)>;

/// The accounts of a plan's phones, from the intended values, never from what is served.
pub(super) fn of(plan: &Arc<Plan>) -> Accounts {
    let plan = Arc::clone(plan);
    let index = OnceLock::new();
    Accounts(Arc::new(move |user, domain| {
        let index = index.get_or_init(|| index_of(&plan));
        let (phone, number) = *index.get(&key(user, domain))?;
        let now = plan.now();
        let account = account(now, &now.phone(phone)?, number)?;
        // The index holds hashes only, and those of later accounts too.
        let same = account.user == user && account.domain.eq_ignore_ascii_case(domain);
        same.then_some(Credentials {
            user: account.auth_user,
            password: account.password,
        })
    }))
}

/// The accounts of a plan and of what it becomes by its changes.
fn index_of(plan: &Plan) -> Index {
    let mut index = Index::default();
    add_to(&mut index, plan);
    let later = (1..=plan.changes()).filter_map(|change| plan.after(change));
    later.for_each(|plan| add_to(&mut index, plan));
    index
}

fn add_to(index: &mut Index, plan: &Plan) {
    for phone in (0..plan.phones()).filter_map(|at| plan.phone(at)) {
        let Some(profile) = plan.profile(&phone) else {
            continue;
        };
        let numbers = profile.accounts.iter().flat_map(|spec| spec.numbers());
        for number in numbers {
            if let Some(account) = account(plan, &phone, number) {
                let place = (phone.identity.index, number);
                // Of two phones with one address the first counts.
                index
                    .entry(key(&account.user, &account.domain))
                    .or_insert(place);
            }
        }
    }
}

/// The passwords of a phone's accounts.
pub(super) fn passwords(plan: &Plan, phone: &PhonePlan) -> Vec<String> {
    let Some(profile) = plan.profile(phone) else {
        return Vec::new();
    };
    let numbers = profile.accounts.iter().flat_map(|spec| spec.numbers());
    let accounts = numbers.filter_map(|number| account(plan, phone, number));
    accounts.map(|account| account.password).collect()
}

/// Account `number` as it is intended for a phone.
fn account(plan: &Plan, phone: &PhonePlan, number: u8) -> Option<SipAccount> {
    let spec = plan.profile(phone)?.accounts.as_ref()?;
    let fleet = plan.fleet(phone)?;
    let name = &plan.profile(phone)?.name;
    let special = fleet.common_for.iter().filter(|(model, _)| *model == name);
    let special = special.flat_map(|(_, settings)| settings);
    let vars = plan.vars(phone);
    spec.account(number, |wanted| {
        let all = fleet.common.iter().chain(special.clone()).chain(&fleet.own);
        // The later one wins.
        let (_, value) = all.rev().find(|(key, _)| key == wanted)?;
        Some(Cow::Owned(value.text(&vars)))
    })
}

fn key(user: &str, domain: &str) -> u64 {
    let mut hasher = FxHasher::default();
    user.hash(&mut hasher);
    domain.to_ascii_lowercase().hash(&mut hasher);
    hasher.finish()
}
