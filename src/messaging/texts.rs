//! The texts of replies and news, in each language: minijinja templates that a clinic may
//! override one by one in a directory of its own.

mod built_in;
mod samples;

use super::wording;
use crate::engine::{
    Addressee, Alert, Choice, ChoiceItem, Digest, DoseAnswer, DoseName, News, NextTaking,
    RefillLine, Reply, Value,
};
use crate::plan::{Language, Zone};
use built_in::BUILT_IN;
use jiff::Timestamp;
use minijinja::{Environment, UndefinedBehavior, Value as Jinja, context};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The texts, compiled. Cheap to clone.
#[derive(Clone)]
pub struct Texts {
    environment: Arc<Environment<'static>>,
}

/// What texts may name besides what they are about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clinic {
    /// The clinic's name.
    pub name: String,
    /// What to ring when it cannot wait.
    pub emergency_number: String,
    /// What the patient is asked to consent to.
    pub consent: String,
    /// What is said while the clinic is closed.
    pub out_of_hours: String,
}

/// Why texts cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {why}")]
pub struct TextsError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it, in a sentence.
    pub why: String,
}

impl Default for Texts {
    fn default() -> Self {
        let mut environment = environment();
        for (name, chinese, english) in BUILT_IN {
            for (language, text) in [(Language::ZhCn, chinese), (Language::En, english)] {
                environment
                    .add_template_owned(key(language, name), text.trim_end().to_owned())
                    .expect("a test compiles each built-in text");
            }
        }
        Self {
            environment: Arc::new(environment),
        }
    }
}

impl Texts {
    /// The built-in texts with those of a directory in their place: `zh-CN/taken.txt` and so on.
    /// Each is tried out with made-up replies, so that what cannot work is an error now.
    ///
    /// # Errors
    /// All files that cannot be read, are not known or cannot work.
    pub fn load(directory: &Path) -> Result<Self, Vec<TextsError>> {
        let mut texts = Self::default();
        let mut errors = Vec::new();
        let environment = Arc::make_mut(&mut texts.environment);
        for language in [Language::ZhCn, Language::En] {
            let directory = directory.join(language.tag());
            let entries = match std::fs::read_dir(&directory) {
                Ok(entries) => entries,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => {
                    errors.push(TextsError {
                        path: directory,
                        why: error.to_string(),
                    });
                    continue;
                }
            };
            for path in entries.flatten().map(|entry| entry.path()) {
                if let Err(why) = take_up(environment, language, &path) {
                    errors.push(TextsError { path, why });
                }
            }
        }
        if errors.is_empty() {
            Ok(texts)
        } else {
            Err(errors)
        }
    }

    /// What somebody who wrote is told, in their language and the patient's zone.
    #[must_use]
    pub fn reply(
        &self,
        reply: &Reply,
        language: Language,
        zone: &Zone,
        clinic: &Clinic,
        now: Timestamp,
    ) -> String {
        let about = About {
            language,
            zone,
            now,
        };
        let (name, context) = about.of_reply(reply);
        let common = context! {
            clinic => &clinic.name,
            emergency_number => &clinic.emergency_number,
            consent => &clinic.consent,
            out_of_hours => &clinic.out_of_hours,
            ..context
        };
        self.render(language, name, common)
    }

    /// News about a patient: the most telling words first, then shorter ones.
    #[must_use]
    pub fn alert(&self, alert: &Alert, addressee: &Addressee) -> Vec<String> {
        let about = About {
            language: addressee.language,
            zone: &addressee.zone,
            now: alert.at,
        };
        let (names, context) = about.of_news(&alert.news);
        names
            .iter()
            .map(|name| self.render(addressee.language, name, context.clone()))
            .collect()
    }

    /// What the patient is told of a medicine that runs out: the most telling words first.
    #[must_use]
    pub fn refill(&self, refill: &RefillLine, language: Language) -> Vec<String> {
        REFILL
            .iter()
            .map(|name| self.render(language, name, of_refill(refill)))
            .collect()
    }

    /// The clinic's day in numbers: the most telling words first.
    #[must_use]
    pub fn digest(&self, digest: &Digest, addressee: &Addressee) -> Vec<String> {
        let language = addressee.language;
        DIGEST
            .iter()
            .map(|name| self.render(language, name, of_digest(digest, language)))
            .collect()
    }

    fn render(&self, language: Language, name: &str, context: Jinja) -> String {
        let rendered = self
            .environment
            .get_template(&key(language, name))
            .and_then(|template| template.render(context));
        // Each text is tried out when it is loaded; were one to fail all the same, its name says
        // more than silence.
        rendered.unwrap_or_else(|_| name.to_owned())
    }
}

/// The texts of a refill, the most telling one first.
const REFILL: [&str; 3] = ["refill", "refill_short", "refill_shortest"];

fn of_refill(refill: &RefillLine) -> Jinja {
    let left = Value::Number(refill.left).to_string();
    context! {
        name => &refill.label,
        days => refill.days,
        left => format!("{left} {}", refill.unit).trim(),
    }
}

/// The texts of the clinic's day, the most telling one first.
const DIGEST: [&str; 4] = [
    "digest",
    "digest_short",
    "digest_shorter",
    "digest_shortest",
];

fn of_digest(digest: &Digest, language: Language) -> Jinja {
    let day = match language {
        Language::ZhCn => format!("{}月{}日", digest.day.month(), digest.day.day()),
        Language::En => digest.day.strftime("%b %-d").to_string(),
    };
    let reasons = digest.expired.iter();
    let reasons: Vec<String> = reasons
        .map(|(reason, count)| format!("{} {count}", wording::expired_reason(*reason, language)))
        .collect();
    let reasons = reasons.join(match language {
        Language::ZhCn => "、",
        Language::En => ", ",
    });
    context! {
        day,
        reasons,
        due => digest.due,
        taken => digest.taken,
        missed => digest.missed,
        skipped => digest.skipped,
        expired => digest.expired_in_all(),
        open => digest.open,
        calls => digest.calls,
        red_flags => digest.red_flags,
        words => digest.words,
        unreachable => digest.unreachable,
        rejected => digest.rejected,
        backup_late => digest.backup_late,
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment
}

fn key(language: Language, name: &str) -> String {
    format!("{}/{name}", language.tag())
}

/// Takes up one file of the clinic's own.
fn take_up(
    environment: &mut Environment<'static>,
    language: Language,
    path: &Path,
) -> Result<(), String> {
    let file = path.file_name().and_then(|name| name.to_str());
    let name = file.and_then(|name| name.strip_suffix(".txt"));
    let known = BUILT_IN.iter().map(|(known, _, _)| *known);
    let Some(name) = name.and_then(|name| known.clone().find(|known| *known == name)) else {
        let known: Vec<String> = known.map(|name| format!("{name}.txt")).collect();
        return Err(format!(
            "there is no text of this name; there are {}",
            known.join(", ")
        ));
    };
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let words = |error: minijinja::Error| {
        let what = error
            .detail()
            .map_or_else(|| error.kind().to_string(), str::to_owned);
        match error.line() {
            Some(line) => format!("line {line}: {what}"),
            None => what,
        }
    };
    environment
        .add_template_owned(key(language, name), text.trim_end().to_owned())
        .map_err(words)?;
    let Ok(zone) = Zone::get("UTC") else {
        return Ok(());
    };
    let about = About {
        language,
        zone: &zone,
        now: Timestamp::UNIX_EPOCH,
    };
    for (sample, context) in about.samples() {
        if sample == name {
            let template = environment
                .get_template(&key(language, name))
                .map_err(words)?;
            let said = template.render(context).map_err(words)?;
            if said.trim().is_empty() {
                return Err("it says nothing".to_owned());
            }
        }
    }
    Ok(())
}

/// In whose words and time something is said.
struct About<'a> {
    language: Language,
    zone: &'a Zone,
    now: Timestamp,
}

impl About<'_> {
    /// `08:00`; with its date where that is not today's.
    fn time(&self, at: Timestamp) -> String {
        let local = self.zone.local(at);
        let mut text = String::new();
        if local.date() != self.zone.local(self.now).date() {
            text = match self.language {
                Language::ZhCn => format!("{}月{}日", local.month(), local.day()),
                Language::En => local.strftime("%b %-d ").to_string(),
            };
        }
        wording::push_time(&mut text, local);
        text
    }

    /// `08:00 二甲双胍、氨氯地平，12:00 钙片`
    fn doses(&self, doses: &[DoseName]) -> String {
        let (and, then) = match self.language {
            Language::ZhCn => ("、", "，"),
            Language::En => (" and ", ", "),
        };
        let mut text = String::new();
        let mut last = None;
        for dose in doses {
            let time = self.time(dose.due);
            if last.as_ref() == Some(&time) {
                text.push_str(and);
            } else {
                if last.is_some() {
                    text.push_str(then);
                }
                text.push_str(&time);
                text.push(' ');
            }
            text.push_str(&dose.label);
            last = Some(time);
        }
        text
    }

    fn value(&self, value: &Value) -> String {
        match (value, self.language) {
            (Value::Bool(true), Language::ZhCn) => "是".to_owned(),
            (Value::Bool(false), Language::ZhCn) => "否".to_owned(),
            (Value::Bool(true), Language::En) => "yes".to_owned(),
            (Value::Bool(false), Language::En) => "no".to_owned(),
            _ => value.to_string(),
        }
    }

    fn choice(&self, choice: &Choice) -> Jinja {
        let text = match &choice.item {
            ChoiceItem::Doses(doses) => self.doses(doses),
            ChoiceItem::CheckIn { ask, due } => format!("{} {ask}", self.time(*due)),
        };
        context! { number => choice.number, patient => &choice.patient, text => text }
    }

    fn of_reply(&self, reply: &Reply) -> (&'static str, Jinja) {
        match reply {
            Reply::Taken { doses, taken_at } => (
                "taken",
                context! { doses => self.doses(doses), taken_at => taken_at.map(|at| self.time(at)) },
            ),
            Reply::Later {
                doses,
                until,
                clamped,
                window_ends,
            } => (
                "later",
                context! {
                    doses => self.doses(doses),
                    until => until.map(|at| self.time(at)),
                    clamped => clamped,
                    window_ends => self.time(*window_ends),
                },
            ),
            Reply::Skipped { doses } => ("skipped", context! { doses => self.doses(doses) }),
            Reply::NotTaken {
                doses,
                advice,
                open_until,
            } => {
                let advice: Vec<Jinja> = advice
                    .iter()
                    .map(|(name, words)| context! { name, words })
                    .collect();
                (
                    "not_taken",
                    context! {
                        doses => self.doses(doses),
                        advice,
                        open_until => open_until.map(|at| self.time(at)),
                    },
                )
            }
            Reply::TooLate { doses } => ("too_late", context! { doses => self.doses(doses) }),
            Reply::Which { asked, choices } => {
                let asked = asked.map_or("value", DoseAnswer::name);
                let choices: Vec<Jinja> = choices.iter().map(|it| self.choice(it)).collect();
                ("which", context! { asked, choices })
            }
            Reply::Noted { ask, value, alert } => {
                ("noted", context! { ask, value => self.value(value), alert })
            }
            Reply::Unreadable { ask, answer } => (
                "unreadable",
                context! { ask, how => wording::how_to_answer(answer, self.language) },
            ),
            Reply::AsNeeded { label, at, next } => {
                // Not where it is when it was noted.
                let said = self.time(*at) != self.time(self.now);
                let next_from = match next {
                    NextTaking::From(from) => Some(self.time(*from)),
                    NextTaking::Whenever | NextTaking::NoMore => None,
                };
                (
                    "as_needed",
                    context! {
                        name => label,
                        time => self.time(self.now),
                        taken_at => said.then(|| self.time(*at)),
                        next_from,
                        no_more => *next == NextTaking::NoMore,
                    },
                )
            }
            Reply::AsNeededTooSoon {
                label,
                allowed_from,
                after_this,
            } => (
                "as_needed_too_soon",
                context! {
                    name => label,
                    allowed_from => allowed_from.map(|at| self.time(at)),
                    after_this => after_this.map(|at| self.time(at)),
                },
            ),
            Reply::Page { url } => ("page", context! { url }),
            Reply::Stopped => ("stopped", context! {}),
            Reply::Started => ("started", context! {}),
            Reply::RedFlag => ("red_flag", context! {}),
            Reply::PassedOn => ("passed_on", context! {}),
            Reply::OutOfHours => ("out_of_hours", context! {}),
            Reply::Welcome => ("welcome", context! {}),
            Reply::CodeExpired => ("code_expired", context! {}),
            Reply::Bound { patient, caregiver } => ("bound", context! { patient, caregiver }),
            Reply::ConsentAsked => ("consent_asked", context! {}),
            Reply::ConsentGiven => ("consent_given", context! {}),
            Reply::ConsentDeclined => ("consent_declined", context! {}),
            Reply::Advised { patient, to_call } => ("advised", context! { patient, to_call }),
            Reply::AdviseWhom { choices } => ("advise_whom", context! { choices }),
            Reply::NobodyToAdvise => ("nobody_to_advise", context! {}),
        }
    }

    fn of_news(&self, news: &News) -> (&'static [&'static str], Jinja) {
        match news {
            News::Missed { doses, .. } => (
                &["alert_missed", "alert_missed_short"],
                context! { doses => self.doses(doses), count => doses.len() },
            ),
            News::MissedInARow { count } => (&["alert_missed_in_a_row"], context! { count }),
            News::Due { doses } => (
                &["alert_due", "alert_due_short"],
                context! { doses => self.doses(doses), count => doses.len() },
            ),
            News::CheckIn { ask, value } => (
                &["alert_check_in", "alert_check_in_short"],
                context! { ask, value => self.value(value) },
            ),
            News::NoAnswer { ask } => (
                &["alert_no_answer", "alert_no_answer_short"],
                context! { ask },
            ),
            News::RedFlag { text } => (&["alert_red_flag"], context! { text }),
            News::Message { text } => (&["alert_message"], context! { text }),
            News::TooSoon { label } => (
                &["alert_too_soon", "alert_too_soon_short"],
                context! { name => label },
            ),
            News::Unreachable => (&["alert_unreachable"], context! {}),
            News::InDoubt { doses } => (
                &["alert_in_doubt", "alert_in_doubt_short"],
                context! { doses => self.doses(doses), count => doses.len() },
            ),
            News::Stopped => (&["alert_stopped"], context! {}),
            News::Started => (&["alert_started"], context! {}),
            News::TooMany => (&["alert_too_many"], context! {}),
            News::Refill(refill) => (&["alert_refill", "alert_refill_short"], of_refill(refill)),
            News::CaregiverUnreachable { name } => (
                &[
                    "alert_caregiver_unreachable",
                    "alert_caregiver_unreachable_short",
                ],
                context! { name },
            ),
        }
    }

    /// One context of each text and more of those with branches, for trying them out.
    fn samples(&self) -> Vec<(&'static str, Jinja)> {
        let clinic = context! {
            clinic => "Dr Hao",
            emergency_number => "120",
            consent => "May we?",
            out_of_hours => "Closed.",
        };
        let replies = samples::replies();
        let replies = replies.iter().map(|reply| {
            let (name, context) = self.of_reply(reply);
            (name, context! { ..context, ..clinic.clone() })
        });
        let news = samples::news();
        let news = news.iter().flat_map(|news| {
            let (names, context) = self.of_news(news);
            let one = move |name: &&'static str| (*name, context.clone());
            names.iter().map(one).collect::<Vec<_>>()
        });
        let refills = [0, 1, 7].into_iter().flat_map(|days| {
            let line = samples::refill(days);
            REFILL.map(|name| (name, of_refill(&line)))
        });
        let digests = samples::digests().into_iter().flat_map(|digest| {
            let context = of_digest(&digest, self.language);
            DIGEST.map(|name| (name, context.clone()))
        });
        replies.chain(news).chain(refills).chain(digests).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(language: Language, reply: &Reply) -> String {
        let clinic = Clinic {
            name: "郝医生诊所".to_owned(),
            emergency_number: "120".to_owned(),
            consent: "我们可以用微信提醒您吗？".to_owned(),
            out_of_hours: "现在休息。".to_owned(),
        };
        let zone = Zone::get("UTC").unwrap();
        let now = Timestamp::from_second(9 * 3600).unwrap();
        Texts::default().reply(reply, language, &zone, &clinic, now)
    }

    #[test]
    fn every_text_of_every_language_says_something_and_nothing_is_left_out_of_the_table() {
        let zone = Zone::get("UTC").unwrap();
        for language in [Language::ZhCn, Language::En] {
            let about = About {
                language,
                zone: &zone,
                now: Timestamp::UNIX_EPOCH,
            };
            let samples = about.samples();
            for (name, _, _) in BUILT_IN {
                let mut tried = samples
                    .iter()
                    .filter(|(sample, _)| sample == name)
                    .peekable();
                assert!(tried.peek().is_some(), "{name} is never said");
                for (_, context) in tried {
                    let text = Texts::default().render(language, name, context.clone());
                    assert!(
                        !text.trim().is_empty() && text != *name,
                        "{language:?} {name}"
                    );
                    assert!(!text.contains("{{"), "{text}");
                }
            }
            for (sample, _) in samples {
                assert!(
                    BUILT_IN.iter().any(|(name, _, _)| *name == sample),
                    "{sample}"
                );
            }
        }
    }

    #[test]
    fn an_answer_is_confirmed_with_medicine_and_time() {
        let at = |hours: i64| Timestamp::from_second(hours * 3600).unwrap();
        let taken = Reply::Taken {
            doses: samples::doses(),
            taken_at: None,
        };
        assert_eq!(
            said(Language::ZhCn, &taken),
            "好的，记下了：08:00 二甲双胍、氨氯地平，12:00 钙片，已服用。"
        );
        assert_eq!(
            said(Language::En, &taken),
            "Thank you. Noted as taken: 08:00 二甲双胍 and 氨氯地平, 12:00 钙片."
        );
        let later = Reply::Later {
            doses: samples::doses()[..1].to_vec(),
            until: Some(at(10)),
            clamped: false,
            window_ends: at(12),
        };
        assert_eq!(
            said(Language::ZhCn, &later),
            "好的，10:00 再提醒您：08:00 二甲双胍。"
        );
    }

    #[test]
    fn a_clinics_own_text_takes_the_place_of_the_built_in_one_and_a_wrong_one_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let own = directory.path().join("zh-CN");
        std::fs::create_dir(&own).unwrap();
        std::fs::write(own.join("passed_on.txt"), "知道了，{{ clinic }}。\n").unwrap();
        let texts = Texts::load(directory.path()).unwrap_or_else(|errors| panic!("{errors:?}"));
        let zone = Zone::get("UTC").unwrap();
        let clinic = Clinic {
            name: "诊所".to_owned(),
            ..Clinic::default()
        };
        let now = Timestamp::UNIX_EPOCH;
        let said = texts.reply(&Reply::PassedOn, Language::ZhCn, &zone, &clinic, now);
        assert_eq!(said, "知道了，诊所。");
        for (file, text) in [
            ("taken.txt", "{{ dose }}"),
            ("taken.txt", "{{ doses"),
            ("taken.txt", " "),
            ("nothing.txt", "x"),
        ] {
            let path = own.join(file);
            std::fs::write(&path, text).unwrap();
            let Err(errors) = Texts::load(directory.path()) else {
                panic!("{file}: {text}")
            };
            assert_eq!(errors.len(), 1, "{errors:?}");
            assert_eq!(errors[0].path, path);
            std::fs::remove_file(path).unwrap();
        }
    }
}
