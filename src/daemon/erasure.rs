//! Patients who are erased by somebody at the machine.

use super::shared::Shared;
use crate::http::admin::{EraseEnded, EraseRequest};
use crate::store::{Erasure, JournalFate, Tally};

/// Erases a patient.
pub async fn erase(shared: &Shared, request: EraseRequest) -> EraseEnded {
    let fate = if request.all {
        JournalFate::Removed
    } else {
        JournalFate::Anonymous
    };
    match shared
        .store
        .erase(shared.now(), request.patient, fate)
        .await
    {
        Ok(Erasure::Erased(erased)) => {
            shared.vitals.closed(&Tally {
                unreachable: -i64::from(erased.was_unreachable),
                ..Tally::default()
            });
            tracing::info!(
                known_as = erased.known_as,
                journal = erased.journal,
                "a patient was erased"
            );
            EraseEnded::Done {
                known_as: erased.known_as,
                texts: erased.texts,
                journal: erased.journal,
                contacts: erased.contacts,
                contacts_kept: erased.contacts_kept,
                rows: erased.rows,
            }
        }
        Ok(Erasure::NoPatient) => EraseEnded::NoPatient,
        Ok(Erasure::InForce) => EraseEnded::InForce,
        Ok(Erasure::UnderWay(messages)) => EraseEnded::UnderWay { messages },
        Err(error) => EraseEnded::Failed {
            why: error.to_string(),
        },
    }
}
