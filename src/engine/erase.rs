//! What is left of a journal when its patient is erased.

use super::{Entry, Recipient, Teller, Value};

/// What stands where words or a name of somebody stood.
const ERASED: &str = "erased";

impl Entry {
    /// The entry without words, and without anybody's name: which medicine, how much, when, what
    /// became of it, and measured values are left.
    #[must_use]
    pub fn anonymous(mut self) -> Self {
        match &mut self {
            Entry::DoseClosed(dose) => {
                if let Some(answer) = &mut dose.answer {
                    answer.by.forget();
                    if let Some(reason) = &mut answer.reason {
                        forget(reason);
                    }
                }
            }
            Entry::DoseReopened { by, .. }
            | Entry::Snoozed { by, .. }
            | Entry::SaidNotTaken { by, .. }
            | Entry::TakenAsNeeded { by, .. }
            | Entry::AsNeededTooSoon { by, .. }
            | Entry::ConsentGiven { by, .. } => by.forget(),
            Entry::CheckInAnswered { value, by, .. } => {
                by.forget();
                if let Value::Text(text) = value {
                    forget(text);
                }
            }
            Entry::Wrote { text, by, .. } => {
                by.forget();
                forget(text);
            }
            Entry::Advised { text: words, .. }
            | Entry::CallDone { note: words, .. }
            | Entry::AppointmentNotReminded { what: words, .. }
            | Entry::CaregiverReach {
                caregiver: words, ..
            }
            | Entry::Told {
                to: Recipient::Caregiver(words),
                ..
            } => forget(words),
            // What a reminder of an appointment was about is in words; doses name their messages.
            Entry::Accepted { about, .. }
            | Entry::NotAccepted { about, .. }
            | Entry::NotDelivered { about, .. } => about.clear(),
            Entry::PlanApplied { .. }
            | Entry::PlanTextChanged { .. }
            | Entry::PlanEnded
            | Entry::DosesExpired { .. }
            | Entry::CheckInClosed { .. }
            | Entry::ReachChanged { .. }
            | Entry::Delivered { .. }
            | Entry::Told { .. }
            | Entry::CallWanted { .. }
            | Entry::SentInWords { .. }
            | Entry::WordsRefused { .. }
            | Entry::CallOver { .. }
            | Entry::StockCounted { .. }
            | Entry::RefillDue { .. }
            | Entry::Restored { .. }
            | Entry::Erased => {}
        }
        self
    }
}

impl Teller {
    /// Ids of caregivers are the clinic's words, and often names.
    fn forget(&mut self) {
        if let Teller::Caregiver(id) = self {
            forget(id);
        }
    }
}

fn forget(words: &mut String) {
    if !words.is_empty() {
        ERASED.clone_into(words);
    }
}
