//! The resources of one patient.

use crate::engine::{
    About, ClosedDose, DoseState, Entry, ExpiredReason, MessageId, Millis, Teller, Value,
};
use crate::plan::{AnswerType, Zone};
use crate::store::Chart;
use jiff::Timestamp;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::Range;

const LOINC: &str = "http://loinc.org";
const UCUM: &str = "http://unitsofmeasure.org";
const CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/observation-category";
const INTERPRETATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation";
const COMMUNICATION: &str = "http://terminology.hl7.org/CodeSystem/communication-category";

/// The system of identifiers of doses: patient, medication and instant.
const DOSE: &str = "urn:dosed:dose";
/// The system of identifiers of questions: patient, check-in and instant.
const CHECK_IN: &str = "urn:dosed:check-in";
/// The system of identifiers of messages.
const MESSAGE: &str = "urn:dosed:message";

/// What is known of one message.
#[derive(Default)]
struct Told {
    text: Option<String>,
    about: Vec<About>,
    sent: Option<Timestamp>,
    status: Option<&'static str>,
    reason: Option<ExpiredReason>,
    arrived: Option<Timestamp>,
    to: Option<String>,
}

/// One patient's resources: the patient first, then doses, answers, messages, each in the order
/// of time.
pub(super) fn resources(chart: &Chart, zone: &Zone, range: &Range<Timestamp>) -> Vec<Json> {
    let writer = Writer {
        chart,
        zone,
        check_ins: check_ins(chart),
    };
    let mut doses: BTreeMap<(Timestamp, String), ClosedDose> = BTreeMap::new();
    let mut answers: BTreeMap<(Timestamp, String), (Timestamp, &Value, bool, &Teller)> =
        BTreeMap::new();
    let mut told: BTreeMap<MessageId, (Timestamp, Told)> = BTreeMap::new();
    let mut as_needed = Vec::new();
    let mut wrote: Vec<(Timestamp, usize, &str, &Teller)> = Vec::new();
    let key = |due: &Millis, id: &str| (due.0, id.to_owned());
    for (at, entry) in &chart.entries {
        match entry {
            Entry::DoseClosed(dose) => {
                doses.insert(key(&dose.due, &dose.medication), dose.clone());
            }
            Entry::DosesExpired {
                medication,
                amount,
                due,
                reason,
            } => {
                for due in due {
                    let dose = expired(medication, amount, *due, *reason);
                    doses.insert(key(due, medication), dose);
                }
            }
            Entry::DoseReopened { about, .. } => {
                doses.remove(&key(&about.due, &about.id));
            }
            Entry::CheckInAnswered {
                check_in,
                due,
                value,
                alert,
                by,
                ..
            } => {
                answers.insert(key(due, check_in), (*at, value, *alert, by));
            }
            Entry::TakenAsNeeded { medication, at, by } => as_needed.push((medication, at.0, by)),
            Entry::Wrote { text, by, .. } => {
                // One step may have several.
                let before = wrote.iter().rev().take_while(|it| it.0 == *at).count();
                wrote.push((*at, before, text, by));
            }
            _ => note_message(&mut told, *at, entry),
        }
    }
    let mut all = vec![writer.patient()];
    let doses = doses.values().filter(|dose| range.contains(&dose.due.0));
    all.extend(doses.filter_map(|dose| writer.administration(dose)));
    let taken = as_needed.iter().filter(|(_, at, _)| range.contains(at));
    all.extend(taken.map(|(medication, at, by)| writer.as_needed(medication, *at, by)));
    for ((due, id), (at, value, alert, by)) in &answers {
        if range.contains(due) {
            all.push(writer.observation(id, *due, *at, value, *alert, by));
        }
    }
    for (id, (at, told)) in &told {
        if range.contains(at) && told.status.is_some() {
            all.push(writer.sent(id, told));
        }
    }
    for (at, index, text, by) in &wrote {
        if range.contains(at) {
            all.push(writer.received(*index, *at, text, by));
        }
    }
    all
}

/// The ids of all check-ins that are known of. What else a message was about is doses.
fn check_ins(chart: &Chart) -> BTreeSet<&str> {
    let planned = chart.plan.iter().flat_map(|plan| &plan.check_ins);
    let asked = chart.entries.iter().filter_map(|(_, entry)| match entry {
        Entry::CheckInAnswered { check_in, .. } | Entry::CheckInClosed { check_in, .. } => {
            Some(check_in.as_str())
        }
        _ => None,
    });
    planned.map(|it| it.id.as_str()).chain(asked).collect()
}

/// Notes what an entry says of a message.
fn note_message(told: &mut BTreeMap<MessageId, (Timestamp, Told)>, at: Timestamp, entry: &Entry) {
    let mut of = |id: &MessageId, note: &dyn Fn(&mut Told)| {
        let (_, told) = told.entry(*id).or_insert_with(|| (at, Told::default()));
        note(told);
    };
    match entry {
        Entry::Accepted {
            message,
            at: sent,
            about,
        } => of(message, &|told| {
            told.status = Some("completed");
            told.sent = Some(sent.0);
            told.about.clone_from(about);
        }),
        Entry::NotAccepted {
            message,
            reason,
            about,
        } => of(message, &|told| {
            told.status = Some(if reason.is_some() {
                "not-done"
            } else {
                "unknown"
            });
            told.reason = *reason;
            told.about.clone_from(about);
        }),
        Entry::Delivered { message } => of(message, &|told| told.arrived = Some(at)),
        Entry::NotDelivered {
            message, reason, ..
        } => of(message, &|told| {
            told.status = Some("not-done");
            told.reason = Some(*reason);
        }),
        Entry::Advised {
            text,
            message: Some(message),
            ..
        } => of(message, &|told| told.text = Some(text.clone())),
        Entry::Told { message, to, .. } => of(message, &|told| {
            told.to = match to {
                crate::engine::Recipient::Patient => None,
                crate::engine::Recipient::Caregiver(id) => Some(format!("caregiver {id}")),
                crate::engine::Recipient::Staff(name) => Some(format!("staff {name}")),
            };
        }),
        _ => {}
    }
}

fn expired(medication: &str, amount: &str, due: Millis, reason: ExpiredReason) -> ClosedDose {
    ClosedDose {
        medication: medication.to_owned(),
        amount: amount.to_owned(),
        due,
        on_time_until: due,
        state: DoseState::Expired,
        reason: Some(reason),
        reminded: None,
        in_doubt: false,
        messages: Vec::new(),
        answer: None,
        corrects: false,
    }
}

/// 32 hexadecimal digits that name something for ever and tell nothing of it.
fn digest(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let mut text = String::new();
    for byte in &hash.finalize()[..16] {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

struct Writer<'a> {
    chart: &'a Chart,
    zone: &'a Zone,
    check_ins: BTreeSet<&'a str>,
}

impl Writer<'_> {
    /// Ids of FHIR have no underscore, those of patients no dot.
    fn patient_id(&self) -> String {
        self.chart.patient.replace('_', ".")
    }

    fn subject(&self) -> Json {
        json!({ "reference": format!("Patient/{}", self.patient_id()) })
    }

    fn say(&self, at: Timestamp) -> String {
        self.zone.rfc3339(at)
    }

    fn id(&self, kind: &str, name: &str, at: Timestamp) -> String {
        let ms = at.as_millisecond().to_le_bytes();
        let patient = self.chart.patient.as_bytes();
        digest(&[kind.as_bytes(), patient, name.as_bytes(), &ms])
    }

    fn identifier(&self, system: &str, id: &str, due: Timestamp) -> Json {
        let value = format!("{}/{id}/{due}", self.chart.patient);
        json!({ "system": system, "value": value })
    }

    /// What a message was about.
    fn about(&self, about: &About) -> Json {
        let system = if self.check_ins.contains(about.id.as_str()) {
            CHECK_IN
        } else {
            DOSE
        };
        json!({ "identifier": self.identifier(system, &about.id, about.due.0) })
    }

    fn medication(&self, id: &str) -> Json {
        let plan = self.chart.plan.as_ref();
        let known = plan.and_then(|plan| plan.medications.iter().find(|it| it.id == id));
        json!({ "text": known.map_or(id, |it| it.name.as_str()) })
    }

    fn patient(&self) -> Json {
        let mut patient = json!({
            "resourceType": "Patient",
            "id": self.patient_id(),
            "identifier": [{ "system": "urn:dosed:patient", "value": self.chart.patient }],
        });
        if let Some(plan) = &self.chart.plan {
            patient["name"] = json!([{ "text": plan.name }]);
            if let Some(born) = plan.born {
                patient["birthDate"] = born.to_string().into();
            }
        }
        patient
    }

    /// `None` of a dose that an edit took back.
    fn administration(&self, dose: &ClosedDose) -> Option<Json> {
        let said_no = dose.state == DoseState::Missed && dose.answer.is_some();
        let (status, reason) = match dose.state {
            DoseState::Taken => ("completed", None),
            DoseState::Skipped => {
                let said = dose.answer.as_ref().and_then(|it| it.reason.clone());
                (
                    "not-done",
                    Some(said.unwrap_or_else(|| "left out, as the patient says".to_owned())),
                )
            }
            DoseState::Missed if said_no => (
                "not-done",
                Some("not taken, as the patient says".to_owned()),
            ),
            DoseState::Missed => ("unknown", Some("reminded, no answer".to_owned())),
            DoseState::Expired => {
                let reason = dose.reason.map_or("", ExpiredReason::name);
                ("unknown", Some(format!("not reminded in time: {reason}")))
            }
            DoseState::Open | DoseState::Cancelled => return None,
        };
        let taken = (dose.state == DoseState::Taken)
            .then_some(dose.answer.as_ref())
            .flatten()
            .map(|it| it.taken_at.unwrap_or(it.said_at).0);
        let mut resource = json!({
            "resourceType": "MedicationAdministration",
            "id": self.id("dose", &dose.medication, dose.due.0),
            "identifier": [self.identifier(DOSE, &dose.medication, dose.due.0)],
            "status": status,
            "medicationCodeableConcept": self.medication(&dose.medication),
            "subject": self.subject(),
            "effectiveDateTime": self.say(taken.unwrap_or(dose.due.0)),
            "note": [{ "text": format!("due {}", self.say(dose.due.0)) }],
        });
        if let Some(reason) = reason {
            resource["statusReason"] = json!([{ "text": reason }]);
        }
        // A dosage without a number is none in FHIR (mad-1): then the words stand in the note.
        match number_and_unit(&dose.amount) {
            Some((number, unit)) => {
                let mut amount = json!({ "value": raw(number) });
                if !unit.is_empty() {
                    amount["unit"] = unit.into();
                }
                resource["dosage"] = json!({ "text": dose.amount, "dose": amount });
            }
            None if dose.amount.is_empty() => {}
            None => {
                let note = format!("due {}: {}", self.say(dose.due.0), dose.amount);
                resource["note"] = json!([{ "text": note }]);
            }
        }
        if let Some(answer) = &dose.answer {
            resource["performer"] = json!([{ "actor": self.teller(&answer.by) }]);
        }
        Some(resource)
    }

    fn as_needed(&self, medication: &str, at: Timestamp, by: &Teller) -> Json {
        json!({
            "resourceType": "MedicationAdministration",
            "id": self.id("as-needed", medication, at),
            "status": "completed",
            "medicationCodeableConcept": self.medication(medication),
            "subject": self.subject(),
            "effectiveDateTime": self.say(at),
            "performer": [{ "actor": self.teller(by) }],
            "note": [{ "text": "taken as needed" }],
        })
    }

    fn teller(&self, by: &Teller) -> Json {
        match by {
            Teller::Patient => self.subject(),
            Teller::Caregiver(id) => json!({ "display": format!("caregiver {id}") }),
        }
    }

    fn observation(
        &self,
        id: &str,
        due: Timestamp,
        at: Timestamp,
        value: &Value,
        alert: bool,
        by: &Teller,
    ) -> Json {
        let plan = self.chart.plan.as_ref();
        let check_in = plan.and_then(|plan| plan.check_ins.iter().find(|it| it.id == id));
        let kind = check_in.map(|it| &it.answer);
        let ask = check_in.map_or(id, |it| it.ask.as_str());
        let mut resource = json!({
            "resourceType": "Observation",
            "id": self.id("check-in", id, due),
            "identifier": [self.identifier(CHECK_IN, id, due)],
            "status": "final",
            "code": { "text": ask },
            "subject": self.subject(),
            "effectiveDateTime": self.say(at),
            "performer": [self.teller(by)],
            "note": [{ "text": format!("asked for {}", self.say(due)) }],
        });
        if alert {
            resource["interpretation"] = json!([{
                "coding": [{ "system": INTERPRETATION, "code": "A", "display": "Abnormal" }],
            }]);
        }
        if let Some(vital) = vital_sign(value, kind) {
            resource["category"] = json!([{
                "coding": [{ "system": CATEGORY, "code": vital.category }],
            }]);
            resource["code"] = json!({
                "coding": [{ "system": LOINC, "code": vital.code, "display": vital.display }],
                "text": ask,
            });
        }
        match value {
            Value::BloodPressure { upper, lower } => {
                let part = |code, display, number: &u32| {
                    json!({
                        "code": {
                            "coding": [{ "system": LOINC, "code": code, "display": display }],
                        },
                        "valueQuantity": quantity(&number.to_string(), "mmHg", Some("mm[Hg]")),
                    })
                };
                resource["component"] = json!([
                    part("8480-6", "Systolic blood pressure", upper),
                    part("8462-4", "Diastolic blood pressure", lower),
                ]);
            }
            Value::Number(thousandths) => {
                let number = decimal(*thousandths);
                resource["valueQuantity"] = match (vital_sign(value, kind), kind) {
                    (Some(vital), _) => quantity(&number, vital.unit, Some(vital.ucum)),
                    (
                        None,
                        Some(AnswerType::Number {
                            unit: Some(unit), ..
                        }),
                    ) => quantity(&number, unit, None),
                    (None, _) => json!({ "value": raw(&number) }),
                };
            }
            Value::Bool(yes) => resource["valueBoolean"] = (*yes).into(),
            Value::Choice(text) | Value::Text(text) => {
                let text = if text.trim().is_empty() {
                    "(empty)"
                } else {
                    text.as_str()
                };
                resource["valueString"] = text.into();
            }
        }
        resource
    }

    fn sent(&self, id: &MessageId, told: &Told) -> Json {
        let recipient = match &told.to {
            None => self.subject(),
            Some(name) => json!({ "display": name }),
        };
        let mut resource = json!({
            "resourceType": "Communication",
            "id": digest(&[b"message", self.chart.patient.as_bytes(), &id.0]),
            "identifier": [{ "system": MESSAGE, "value": id.to_string() }],
            "status": told.status.unwrap_or("unknown"),
            "subject": self.subject(),
            "recipient": [recipient],
        });
        if told.to.is_none() {
            let code = if told.text.is_some() {
                "instruction"
            } else if told.about.is_empty() {
                "notification"
            } else {
                "reminder"
            };
            resource["category"] = json!([{
                "coding": [{ "system": COMMUNICATION, "code": code }],
            }]);
        }
        if let Some(reason) = told.reason {
            resource["statusReason"] = json!({ "text": reason.name() });
        }
        if let Some(sent) = told.sent {
            resource["sent"] = self.say(sent).into();
        }
        if let Some(arrived) = told.arrived {
            resource["received"] = self.say(arrived).into();
        }
        if let Some(text) = &told.text {
            resource["payload"] = json!([{ "contentString": text }]);
        }
        if !told.about.is_empty() {
            let about = told.about.iter().map(|it| self.about(it));
            resource["about"] = about.collect::<Vec<Json>>().into();
        }
        resource
    }

    fn received(&self, index: usize, at: Timestamp, text: &str, by: &Teller) -> Json {
        let text = if text.trim().is_empty() {
            "(empty)"
        } else {
            text
        };
        json!({
            "resourceType": "Communication",
            "id": self.id("wrote", &index.to_string(), at),
            "status": "completed",
            "subject": self.subject(),
            "sender": self.teller(by),
            "received": self.say(at),
            "payload": [{ "contentString": text }],
        })
    }
}

/// How a vital sign is coded.
struct VitalSign {
    category: &'static str,
    code: &'static str,
    display: &'static str,
    unit: &'static str,
    ucum: &'static str,
}

fn vital_sign(value: &Value, kind: Option<&AnswerType>) -> Option<VitalSign> {
    let (category, code, display, unit, ucum) = match (value, kind?) {
        (Value::BloodPressure { .. }, _) => (
            "vital-signs",
            "85354-9",
            "Blood pressure panel with all children optional",
            "mmHg",
            "mm[Hg]",
        ),
        (Value::Number(_), AnswerType::BloodGlucose) => (
            "laboratory",
            "15074-8",
            "Glucose [Moles/volume] in Blood",
            "mmol/L",
            "mmol/L",
        ),
        (Value::Number(_), AnswerType::Temperature) => (
            "vital-signs",
            "8310-5",
            "Body temperature",
            "\u{b0}C",
            "Cel",
        ),
        (Value::Number(_), AnswerType::Weight) => {
            ("vital-signs", "29463-7", "Body weight", "kg", "kg")
        }
        (Value::Number(_), AnswerType::HeartRate) => (
            "vital-signs",
            "8867-4",
            "Heart rate",
            "beats/minute",
            "/min",
        ),
        _ => return None,
    };
    Some(VitalSign {
        category,
        code,
        display,
        unit,
        ucum,
    })
}

fn quantity(number: &str, unit: &str, ucum: Option<&str>) -> Json {
    let mut quantity = json!({ "value": raw(number), "unit": unit });
    if let Some(ucum) = ucum {
        quantity["system"] = UCUM.into();
        quantity["code"] = ucum.into();
    }
    quantity
}

/// `1.5 tablets` as a number and what is counted.
fn number_and_unit(amount: &str) -> Option<(&str, &str)> {
    let end = amount.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, unit) = amount.split_at(end.unwrap_or(amount.len()));
    let unit = unit.trim();
    let is_number = number.parse::<f64>().is_ok_and(f64::is_finite)
        && number.starts_with(|c: char| c.is_ascii_digit())
        && (!number.starts_with('0') || number == "0" || number.starts_with("0."))
        && number.ends_with(|c: char| c.is_ascii_digit());
    // `1-2 tablets`, `1 + 2`, `1/2 tablet` are more than a number.
    let is_unit =
        !unit.contains(|c: char| c.is_ascii_digit()) && !unit.starts_with(['-', '+', '/']);
    (is_number && is_unit).then_some((number, unit))
}

/// Thousandths as a decimal without needless zeros.
fn decimal(thousandths: i64) -> String {
    let sign = if thousandths < 0 { "-" } else { "" };
    let whole = thousandths.unsigned_abs() / 1000;
    let text = format!("{sign}{whole}.{:03}", thousandths.unsigned_abs() % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The number as it is written.
fn raw(number: &str) -> Json {
    serde_json::from_str(number).unwrap_or(Json::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_a_number_and_a_unit_or_words() {
        for (amount, expected) in [
            ("1 tablet", Some(("1", "tablet"))),
            ("1.5片", Some(("1.5", "片"))),
            ("10", Some(("10", ""))),
            ("1-2 tablets", None),
            ("1/2 tablet", None),
            ("1 tablet + 2 tablets", None),
            ("half a tablet", None),
            ("1. tablet", None),
            ("007", None),
            ("0.5片", Some(("0.5", "片"))),
            ("", None),
        ] {
            assert_eq!(number_and_unit(amount), expected, "{amount}");
        }
    }

    #[test]
    fn thousandths_are_written_as_decimals() {
        for (thousandths, expected) in [
            (0, "0"),
            (1_000, "1"),
            (36_800, "36.8"),
            (6_125, "6.125"),
            (-500, "-0.5"),
        ] {
            assert_eq!(decimal(thousandths), expected);
        }
    }
}
