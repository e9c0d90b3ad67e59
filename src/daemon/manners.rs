//! How the clinic talks: its texts, its red flags, its hours. Taken from the configuration, and
//! replaced whole by a reload.

use super::config::{Config, ConfigError, ConfigErrorKind};
use crate::messaging::{Clinic, Texts, TextsError};
use crate::plan::diagnostic::{Diagnostic, Severity};
use crate::plan::{Language, QuietHours};
use jiff::civil::Time;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// How the clinic talks.
#[derive(Default)]
pub struct Manners {
    /// The texts, the clinic's own in the place of the built-in ones.
    pub texts: Texts,
    /// What texts name.
    pub clinic: Clinic,
    /// Phrases that cannot wait.
    pub red_flags: Arc<[String]>,
    /// A short hash of the text to which patients consent.
    pub consent_version: Arc<str>,
    /// When somebody is at the clinic; `None`: always.
    pub opening_hours: Option<QuietHours>,
    /// Whether patients can answer over the channel.
    pub answers: bool,
    /// Language of those whom nobody knows.
    pub language: Language,
    /// When staff are told of the day before.
    pub digest_at: Time,
}

impl Manners {
    /// Those of a configuration.
    ///
    /// # Errors
    /// Texts of the clinic's own that cannot be used.
    pub fn of(config: &Config) -> Result<Self, ConfigError> {
        let talk = &config.talk;
        let texts = match &talk.texts {
            None => Texts::default(),
            Some(directory) => Texts::load(directory).map_err(|errors| refused(&errors))?,
        };
        let language = config.clinic.defaults.language;
        let consent = if talk.consent.is_empty() {
            default_consent(language, &config.clinic.name)
        } else {
            talk.consent.clone()
        };
        let hash = Sha256::digest(&consent);
        let version = hash.iter().take(4).map(|byte| format!("{byte:02x}"));
        Ok(Self {
            texts,
            consent_version: version.collect::<String>().into(),
            clinic: Clinic {
                name: config.clinic.name.clone(),
                emergency_number: talk.emergency_number.clone(),
                consent,
                out_of_hours: talk.out_of_hours.clone().unwrap_or_default(),
            },
            red_flags: talk.red_flags.clone().into(),
            opening_hours: talk.opening_hours,
            answers: config.takes_answers(),
            language,
            digest_at: talk.digest_at,
        })
    }
}

fn refused(errors: &[TextsError]) -> ConfigError {
    let about = |error: &TextsError| {
        Diagnostic::about_file(Severity::Error, &error.path, error.why.clone())
    };
    ConfigError::new(ConfigErrorKind::Invalid, errors.iter().map(about).collect())
}

/// What is asked where the clinic has not written it.
fn default_consent(language: Language, clinic: &str) -> String {
    match language {
        Language::ZhCn => format!(
            "{clinic}想用微信提醒您用药、询问您的情况，内容会涉及您的健康信息，只有诊所的医护人员看得到。您随时可以回复“停止”。"
        ),
        Language::En => format!(
            "{clinic} would like to remind you of your medicines and ask how you are over WeChat. \
             The messages are about your health; only the clinic's staff read your answers. You \
             can reply STOP at any time."
        ),
    }
}
