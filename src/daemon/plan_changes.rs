//! What the files say, compared with what is in force: pure, so that the planner and a report of
//! what it would do cannot differ.

use super::config::{Channel, Config};
use super::plan_files::{LoadedPlan, LoadedPlans, Origin, ScanError};
use crate::plan::{PatientId, ResolvedPlan};
use crate::store::{Address, PlanChange, PlanHead};
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, HashMap};
use std::hash::BuildHasher;

/// Those whose plan is not gone.
#[derive(Debug, Default)]
pub struct Present<'a> {
    /// The patients with a text, good or rejected, and those of whom it cannot be known.
    pub patients: BTreeSet<&'a str>,
    /// How many of them it cannot be known of.
    pub unknown: usize,
}

/// Those without a text, of plans in force that are looked at one by one.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Absent {
    /// The patients whose plan is gone.
    pub missing: BTreeSet<String>,
    /// How many patients there are of whom it cannot be known.
    pub unknown: usize,
}

impl Absent {
    /// Looks for the text of one more plan in force.
    pub fn look(
        &mut self,
        loaded: &LoadedPlans,
        accept_removals: bool,
        patient: String,
        inline: bool,
    ) {
        if loaded.has_text(&patient) {
            return;
        }
        if inline || is_listed(loaded, accept_removals) {
            self.missing.insert(patient);
        } else {
            self.unknown += 1;
        }
    }
}

/// Whether it can be known which files are gone.
fn is_listed(loaded: &LoadedPlans, accept_removals: bool) -> bool {
    match &loaded.directory {
        Ok(()) => true,
        // A person says that it is meant to be gone.
        Err(ScanError::Missing(_)) => accept_removals,
        Err(ScanError::Unreadable { .. }) => false,
    }
}

/// Who is there, of those with a plan in force and those with a text.
#[must_use]
pub fn present<'a, S: BuildHasher>(
    loaded: &'a LoadedPlans,
    heads: &'a HashMap<String, PlanHead, S>,
    accept_removals: bool,
) -> Present<'a> {
    let texts = loaded.plans.keys().chain(&loaded.unchanged);
    let mut present = Present {
        patients: texts.map(PatientId::as_str).collect(),
        unknown: 0,
    };
    if !is_listed(loaded, accept_removals) {
        for (patient, head) in heads {
            // Whether a file of theirs is gone is not known.
            if !head.inline && present.patients.insert(patient) {
                present.unknown += 1;
            }
        }
    }
    present
}

/// The texts that are to be applied, in the order of the patients' ids. Equal bytes under an
/// equal meaning change nothing.
#[must_use]
pub fn changes<S: BuildHasher>(
    config: &Config,
    loaded: &LoadedPlans,
    heads: &HashMap<String, PlanHead, S>,
) -> Vec<PlanChange> {
    let changes = loaded
        .plans
        .iter()
        .filter_map(|(id, plan)| change(config, id, plan, heads.get(id.as_str())));
    changes.collect()
}

/// What is to be applied of one text; `None` where nothing would change, or it is refused.
#[must_use]
pub fn change(
    config: &Config,
    id: &PatientId,
    loaded: &LoadedPlan,
    head: Option<&PlanHead>,
) -> Option<PlanChange> {
    let read = loaded.plan.as_ref().ok()?;
    let address = address(config, id, read.plan.wechat.as_deref());
    let mut meaning = Sha256::new();
    meaning.update(read.plan.meaning_hash());
    if let Some(address) = &address {
        meaning.update(address.channel.as_bytes());
        meaning.update([0]);
        meaning.update(address.address.as_bytes());
    }
    let meaning: [u8; 32] = meaning.finalize().into();
    if head.is_some_and(|head| head.meaning == meaning && head.source == loaded.source_hash) {
        return None;
    }
    let file = match &loaded.origin {
        Origin::File(path) => path,
        Origin::Inline => &config.path,
    };
    Some(PlanChange {
        patient: id.to_string(),
        plan: read.plan.clone(),
        meaning,
        source: loaded.source_hash,
        inline: loaded.origin == Origin::Inline,
        text: loaded.text.clone(),
        file: file.display().to_string(),
        address,
        caregivers: caregivers(config, &read.plan),
    })
}

/// Where messages for the plan's caregivers go, as far as it names it.
fn caregivers(config: &Config, plan: &ResolvedPlan) -> Vec<(String, Address)> {
    match &config.messaging.channel {
        Channel::Console(_) => Vec::new(),
        Channel::WeChat(_) => plan
            .caregivers
            .iter()
            .filter_map(|it| {
                let address = Address {
                    channel: "wechat".to_owned(),
                    address: it.wechat.clone()?,
                };
                Some((it.id.clone(), address))
            })
            .collect(),
    }
}

/// Where messages for a patient go. The console reaches everybody; WeChat those whose contact
/// is known.
fn address(config: &Config, id: &PatientId, wechat: Option<&str>) -> Option<Address> {
    match &config.messaging.channel {
        Channel::Console(_) => Some(Address {
            channel: "console".to_owned(),
            address: id.to_string(),
        }),
        Channel::WeChat(_) => wechat.map(|openid| Address {
            channel: "wechat".to_owned(),
            address: openid.to_owned(),
        }),
    }
}
