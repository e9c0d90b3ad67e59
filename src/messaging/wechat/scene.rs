//! The variables of one message, as its template sees them.

use crate::engine::{Addressee, Body, DoseLine};
use crate::messaging::MessageKind;
use crate::messaging::wording::{self, Amounts, Stamp};
use jiff::Timestamp;
use minijinja::Value;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeMap;

/// A variable of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Variable {
    Patient,
    Medications,
    Names,
    At,
    Note,
    Late,
    Count,
    Clinic,
    Question,
    Answer,
    What,
    Text,
}

impl Variable {
    pub(super) const ALL: [Variable; 12] = [
        Variable::Patient,
        Variable::Medications,
        Variable::Names,
        Variable::At,
        Variable::Note,
        Variable::Late,
        Variable::Count,
        Variable::Clinic,
        Variable::Question,
        Variable::Answer,
        Variable::What,
        Variable::Text,
    ];

    pub(super) fn of(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|variable| variable.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Variable::Patient => "patient",
            Variable::Medications => "medications",
            Variable::Names => "names",
            Variable::At => "at",
            Variable::Note => "note",
            Variable::Late => "late",
            Variable::Count => "count",
            Variable::Clinic => "clinic",
            Variable::Question => "question",
            Variable::Answer => "answer",
            Variable::What => "what",
            Variable::Text => "text",
        }
    }

    /// False for truth values and numbers, whose writing and truth are the template engine's.
    pub(super) fn is_text(self) -> bool {
        !matches!(self, Variable::Late | Variable::Count)
    }
}

/// The variables of a kind of message.
pub(super) fn variables(kind: MessageKind) -> &'static [Variable] {
    use Variable as V;
    match kind {
        MessageKind::Dose => &[
            V::Patient,
            V::Medications,
            V::Names,
            V::At,
            V::Note,
            V::Late,
            V::Count,
            V::Clinic,
        ],
        MessageKind::CheckIn => &[
            V::Patient,
            V::Question,
            V::Answer,
            V::At,
            V::Late,
            V::Clinic,
        ],
        MessageKind::Appointment => &[V::Patient, V::What, V::At, V::Note, V::Clinic],
        MessageKind::Notice | MessageKind::Alert => &[V::Patient, V::Text, V::At, V::Clinic],
    }
}

/// Whether a message says that it is late.
#[derive(Clone, Copy)]
pub(super) enum Lateness {
    /// As the instant of sending has it.
    At(Timestamp),
    /// As asked for, to try both.
    Is(bool),
}

impl Lateness {
    fn holds(self, on_time_until: Timestamp) -> bool {
        match self {
            Lateness::At(now) => now > on_time_until,
            Lateness::Is(late) => late,
        }
    }
}

/// How much a message says, where it can be said in more and in fewer words.
#[derive(Clone, Copy)]
pub(super) enum Wording<'a> {
    /// What stands in front of each dose, and what is said of amounts.
    Doses(Stamp, Amounts),
    /// The words of news.
    Text(&'a str),
}

impl Wording<'_> {
    fn amounts(self) -> Amounts {
        match self {
            Wording::Doses(_, amounts) => amounts,
            Wording::Text(_) => Amounts::Now,
        }
    }
}

/// What one message says. Texts that cost something to put together are made when first asked for.
pub(super) struct Scene<'a> {
    body: &'a Body,
    addressee: &'a Addressee,
    clinic: &'a str,
    wording: Wording<'a>,
    late: bool,
    at: Timestamp,
    at_text: OnceCell<String>,
    medications: OnceCell<String>,
    names: OnceCell<String>,
    notes: OnceCell<Cow<'a, str>>,
    answer: OnceCell<String>,
    context: OnceCell<Value>,
}

impl<'a> Scene<'a> {
    pub(super) fn new(
        body: &'a Body,
        addressee: &'a Addressee,
        clinic: &'a str,
        wording: Wording<'a>,
        lateness: Lateness,
    ) -> Self {
        let (at, late) = match body {
            Body::Dose(doses) => (
                doses.iter().map(|dose| dose.due).min().unwrap_or_default(),
                doses.iter().any(|dose| lateness.holds(dose.on_time_until)),
            ),
            Body::CheckIn(question) => (question.due, lateness.holds(question.on_time_until)),
            Body::Appointment(appointment) => (appointment.at, false),
            Body::Notice(text) => (text.at, false),
            Body::Alert(alert) => (alert.at, false),
            Body::Refill(refill) => (refill.at, false),
            Body::Digest(digest) => (digest.at, false),
        };
        Self {
            body,
            addressee,
            clinic,
            wording,
            late,
            at,
            at_text: OnceCell::new(),
            medications: OnceCell::new(),
            names: OnceCell::new(),
            notes: OnceCell::new(),
            answer: OnceCell::new(),
            context: OnceCell::new(),
        }
    }

    /// A variable's text; empty for one that this kind of message does not have, which no compiled
    /// template asks for, and for one that is no text.
    pub(super) fn text(&self, variable: Variable) -> &str {
        match (variable, self.body) {
            (Variable::Patient, _) => &self.addressee.name,
            (Variable::Clinic, _) => self.clinic,
            (Variable::At, _) => self
                .at_text
                .get_or_init(|| wording::date_time(self.at, self.addressee)),
            (Variable::Medications, Body::Dose(doses)) => self
                .medications
                .get_or_init(|| self.list(doses, self.wording.amounts())),
            (Variable::Names, Body::Dose(doses)) => {
                self.names.get_or_init(|| self.list(doses, Amounts::No))
            }
            (Variable::Note, Body::Dose(doses)) => self
                .notes
                .get_or_init(|| wording::notes(doses, self.addressee)),
            (Variable::Note, Body::Appointment(appointment)) => {
                appointment.note.as_deref().unwrap_or_default()
            }
            (Variable::Question, Body::CheckIn(question)) => &question.ask,
            (Variable::Answer, Body::CheckIn(question)) => self
                .answer
                .get_or_init(|| wording::how_to_answer(&question.answer, self.addressee.language)),
            (Variable::What, Body::Appointment(appointment)) => &appointment.what,
            (Variable::Text, Body::Notice(text)) => &text.text,
            (Variable::Text, Body::Alert(_) | Body::Refill(_) | Body::Digest(_)) => {
                match self.wording {
                    Wording::Text(text) => text,
                    Wording::Doses(..) => "",
                }
            }
            _ => "",
        }
    }

    /// The variables for the template engine.
    pub(super) fn context(&self) -> Value {
        let value = |variable: &Variable| match variable {
            Variable::Late => Value::from(self.late),
            Variable::Count => Value::from(match self.body {
                Body::Dose(doses) => doses.len(),
                _ => 1,
            }),
            _ => Value::from(self.text(*variable)),
        };
        self.context
            .get_or_init(|| {
                let variables = variables(MessageKind::of(self.body));
                let map: BTreeMap<&'static str, Value> = variables
                    .iter()
                    .map(|variable| (variable.name(), value(variable)))
                    .collect();
                Value::from(map)
            })
            .clone()
    }

    fn list(&self, doses: &[DoseLine], amounts: Amounts) -> String {
        let stamp = match self.wording {
            Wording::Doses(stamp, _) => stamp,
            Wording::Text(_) => Stamp::None,
        };
        wording::doses(doses, self.addressee, stamp, amounts)
    }
}
