//! What a contact's words come to: conversations as tables, over patients that are really stepped.

mod lists;
mod manners;
mod properties;
mod questions;
mod several;

use crate::engine::step::tests::shell::*;
use crate::engine::*;
use crate::plan::ResolvedPlan;
use jiff::{SignedDuration, Timestamp};

const RED_FLAGS: [&str; 2] = ["胸痛", "chest pain"];

/// A contact, its patients, and the talk with it.
pub(super) struct World {
    pub conversation: Conversation,
    pub patients: Vec<Patient>,
    pub red_flags: Vec<String>,
    pub is_open: bool,
    pub strangers: Vec<String>,
    pub now: Timestamp,
}

pub(super) struct Patient {
    pub shell: Shell,
    pub plan: ResolvedPlan,
    pub role: Teller,
    pub answers: bool,
    pub own: bool,
}

impl World {
    /// A contact who answers for patients with these plans, each with a name; all has begun at the
    /// midnight before.
    pub fn of(plans: &[(&str, &str)]) -> Self {
        let start = at("02 00:00");
        let mut conversation = Conversation::new(crate::plan::Language::En);
        conversation.consent = Consent::Attested;
        let patients = plans.iter().map(|(name, text)| {
            let mut plan = plan(text);
            (*name).clone_into(&mut plan.name);
            let mut shell = Shell::new(start);
            shell.answers = true;
            shell.apply(&plan, start);
            Patient {
                shell,
                plan,
                role: Teller::Patient,
                answers: true,
                own: true,
            }
        });
        Self {
            conversation,
            patients: patients.collect(),
            red_flags: RED_FLAGS.map(str::to_owned).to_vec(),
            is_open: true,
            strangers: Vec::new(),
            now: start,
        }
    }

    /// One patient with medications by their ids at the times given.
    pub fn taking(medications: &[(&str, &str)]) -> Self {
        let text: String = medications.iter().map(|(id, at)| med(id, at)).collect();
        Self::of(&[("W", &text)])
    }

    /// Time passes; what may leave is accepted at once.
    pub fn run(&mut self, until: &str) -> &mut Self {
        self.run_to(at(until))
    }

    pub fn run_to(&mut self, until: Timestamp) -> &mut Self {
        for patient in &mut self.patients {
            patient.shell.run_accepting(until);
        }
        self.now = until;
        self
    }

    /// Something is heard now; what follows happens, and is told in short words.
    pub fn hear(&mut self, heard: Heard<'_>) -> Vec<String> {
        let people: Vec<Person<'_>> = (1..)
            .zip(&self.patients)
            .map(|(number, patient)| Person {
                number,
                role: &patient.role,
                answers: patient.answers,
                own: patient.own,
                plan: &patient.plan,
                state: &patient.shell.state,
                under_way: &patient.shell.claimed,
            })
            .collect();
        let terms = TalkTerms {
            red_flags: &self.red_flags,
            consent_version: "c0ffee",
            is_open: self.is_open,
        };
        let once = || converse(self.conversation.clone(), &people, heard, &terms, self.now);
        let conversed = once();
        assert_eq!(conversed, once(), "the same words mean the same");
        let bytes = postcard::to_stdvec(&conversed.conversation).unwrap();
        self.conversation = postcard::from_bytes(&bytes).unwrap();
        let stranger = conversed.stranger;
        self.strangers.extend(stranger.map(|it| {
            if it.red_flag {
                format!("! {}", it.text)
            } else {
                it.text
            }
        }));
        let mut told: Vec<String> = conversed.replies.iter().map(short).collect();
        for (number, said) in conversed.said {
            let index = usize::try_from(number).unwrap() - 1;
            let patient = &mut self.patients[index];
            patient.shell.catch_up(self.now);
            let input = said.as_input(&patient.role);
            let decision = patient.shell.step(&patient.plan, input, self.now);
            told.extend(decision.replies.iter().map(short));
        }
        told
    }

    /// Words are heard now.
    pub fn says(&mut self, text: &str) -> Vec<String> {
        self.hear(Heard::Words(text))
    }

    /// How the doses of a patient were closed.
    pub fn closed(&self, patient: usize) -> Vec<String> {
        self.patients[patient].shell.closed()
    }

    /// Words that were kept of a patient, `!` before those that cannot wait.
    pub fn kept(&self, patient: usize) -> Vec<String> {
        let journal = self.patients[patient].shell.journal.iter();
        let words = journal.filter_map(|entry| match entry {
            Entry::Wrote { text, red_flag, .. } => {
                Some(format!("{}{text}", if *red_flag { "!" } else { "" }))
            }
            _ => None,
        });
        words.collect()
    }

    /// Answers to check-ins that were kept of a patient.
    pub fn answered(&self, patient: usize) -> Vec<String> {
        let journal = self.patients[patient].shell.journal.iter();
        let answers = journal.filter_map(|entry| match entry {
            Entry::CheckInAnswered {
                check_in,
                value,
                late,
                ..
            } => Some(format!(
                "{check_in} {value}{}",
                if *late { " late" } else { "" }
            )),
            _ => None,
        });
        answers.collect()
    }
}

/// `08:00 A+B 12:00 C`
fn doses(doses: &[DoseName]) -> String {
    let mut text = String::new();
    let mut last = None;
    for dose in doses {
        let time = clock(dose.due)[3..].to_owned();
        if last.as_ref() == Some(&time) {
            text.push('+');
        } else {
            if last.is_some() {
                text.push(' ');
            }
            text.push_str(&time);
            text.push(' ');
        }
        text.push_str(&dose.label);
        last = Some(time);
    }
    text
}

/// A reply in a few words.
fn short(reply: &Reply) -> String {
    let time = |at: &Timestamp| clock(*at)[3..].to_owned();
    match reply {
        Reply::Taken {
            doses: taken,
            taken_at,
        } => {
            let at = taken_at.as_ref().map(|at| format!(" at {}", time(at)));
            format!("taken {}{}", doses(taken), at.unwrap_or_default())
        }
        Reply::Later {
            doses: later,
            until,
            ..
        } => {
            let until = until.as_ref().map_or("never".to_owned(), time);
            format!("later {} until {until}", doses(later))
        }
        Reply::Skipped { doses: skipped } => format!("skipped {}", doses(skipped)),
        Reply::NotTaken { doses: not, .. } => format!("not taken {}", doses(not)),
        Reply::TooLate { doses: late } => format!("too late {}", doses(late)),
        Reply::Which { choices, .. } => {
            let lines = choices.iter().map(|choice| {
                let patient = choice.patient.as_ref().map(|it| format!("{it} "));
                let item = match &choice.item {
                    ChoiceItem::Doses(names) => doses(names),
                    ChoiceItem::CheckIn { ask, .. } => ask.clone(),
                };
                format!("{}) {}{item}", choice.number, patient.unwrap_or_default())
            });
            format!("which? {}", lines.collect::<Vec<_>>().join(", "))
        }
        Reply::Noted { ask, value, alert } => {
            format!("noted {ask} {value}{}", if *alert { " !" } else { "" })
        }
        Reply::Unreadable { ask, .. } => format!("unreadable {ask}"),
        Reply::AsNeeded { label, at, next } => {
            let next = match next {
                NextTaking::Whenever => String::new(),
                NextTaking::From(from) => format!(", next {}", time(from)),
                NextTaking::NoMore => ", no more".to_owned(),
            };
            format!("as needed {label} {}{next}", time(at))
        }
        Reply::AsNeededTooSoon { label, .. } => format!("too soon {label}"),
        Reply::Stopped => "stopped".to_owned(),
        Reply::Started => "started".to_owned(),
        Reply::RedFlag => "red flag".to_owned(),
        Reply::PassedOn => "passed on".to_owned(),
        Reply::OutOfHours => "out of hours".to_owned(),
        Reply::Welcome => "welcome".to_owned(),
        Reply::CodeExpired => "code expired".to_owned(),
        Reply::Bound { patient, .. } => format!("bound {patient}"),
        Reply::ConsentAsked => "consent?".to_owned(),
        Reply::ConsentGiven => "consent".to_owned(),
        Reply::ConsentDeclined => "consent declined".to_owned(),
        Reply::Advised { patient, .. } => format!("advised {patient}"),
        Reply::AdviseWhom { choices } => format!("advise whom? {}", choices.join(", ")),
        Reply::Page { url } => format!("page {url}"),
        Reply::NobodyToAdvise => "nobody to advise".to_owned(),
    }
}

const NOTHING: [&str; 0] = [];

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}
