//! Codes by whose scan a contact is bound to a patient.

use super::shared::Shared;
use crate::http::admin::{EnrolRequest, Enrolled};
use crate::messaging::{Channel, Secret};
use crate::store::{EnrolError, Enrolment};
use std::fmt::Write as _;
use std::time::Duration;

/// Random bytes of a code's secret: nobody guesses it.
const SECRET_BYTES: usize = 20;

/// Makes a code. Neither its secret nor its address is ever logged: whoever holds one of them can
/// bind themselves.
pub async fn enrol(shared: &Shared, request: EnrolRequest) -> Enrolled {
    let outlet = shared.outlet();
    let Channel::WeChat(wechat) = &outlet.channel else {
        let why = "messages go to the console: there is no account whose code could be scanned";
        return Enrolled::NoAnswers {
            why: why.to_owned(),
        };
    };
    if !outlet.manners.answers {
        let why = "nothing comes back from WeChat while `http.public` is not set: nobody would \
                   learn of a scan";
        return Enrolled::NoAnswers {
            why: why.to_owned(),
        };
    }
    let secret = match random() {
        Ok(secret) => secret,
        Err(error) => {
            let why = format!("the machine gives no random numbers: {error}");
            return Enrolled::Failed { why };
        }
    };
    let now = shared.now();
    let life = Duration::from_secs(request.valid_seconds.into());
    let expires = now.saturating_add(life).unwrap_or(now);
    let enrolment = Enrolment {
        patient: request.patient,
        caregiver: request.caregiver,
        expires,
    };
    // Kept first: a code that nobody knows of would be scanned in vain.
    let kept = shared.store.enrol(now, enrolment, secret.clone()).await;
    match kept {
        Ok(()) => {}
        Err(EnrolError::NoPatient) => return Enrolled::NoPatient,
        Err(EnrolError::NoCaregiver { known }) => return Enrolled::NoCaregiver { known },
        Err(EnrolError::Store(error)) => {
            return Enrolled::Failed {
                why: error.to_string(),
            };
        }
    }
    let code = wechat.create_code(&Secret::new(secret), life, now).await;
    match code {
        Ok(code) => Enrolled::Made {
            url: code.url.expose().to_owned(),
            expires: now
                .saturating_add(code.expires_in)
                .unwrap_or(expires)
                .min(expires),
        },
        Err(verdict) => Enrolled::Unavailable {
            why: verdict.to_string(),
        },
    }
}

/// Hexadecimal digits of random bytes.
fn random() -> Result<String, getrandom::Error> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    }))
}
