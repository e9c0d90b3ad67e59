//! Patients who are taken off the call list by somebody at the machine or at a page.

use super::shared::Shared;
use crate::engine::{Adviser, CallReason};
use crate::http::admin::{CallEnded, EndCallRequest};
use crate::store::{CallEnd, SeenTo};
use std::sync::Arc;

/// Takes a patient off the call list.
pub async fn end(shared: &Shared, request: EndCallRequest, by: Adviser) -> CallEnded {
    let reason = match request.reason.as_deref().map(CallReason::of) {
        None => None,
        Some(Some(reason)) => Some(reason),
        Some(None) => {
            let known = CallReason::ALL.map(|it| it.name().to_owned()).to_vec();
            return CallEnded::NoReason { known };
        }
    };
    let seen_to = SeenTo {
        patient: request.patient,
        reason,
        note: request.note,
        by,
    };
    let now = shared.now();
    let fits = Arc::clone(&shared.outlet().limits) as _;
    let day = shared.day(now);
    match shared.store.end_call(now, seen_to, fits, day).await {
        Ok(CallEnd::Done(reasons)) => CallEnded::Done {
            reasons: reasons.iter().map(|it| it.name().to_owned()).collect(),
        },
        Ok(CallEnd::NotListed) => CallEnded::NotListed,
        Ok(CallEnd::NoPatient) => CallEnded::NoPatient,
        Err(error) => CallEnded::Failed {
            why: error.to_string(),
        },
    }
}
