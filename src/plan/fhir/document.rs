//! Texts that hold resources: one resource, a Bundle, a line of NDJSON.

use super::{
    Fault, Refusal,
    instant::{Moment, date_time},
    resource::{Bundle, Head, HumanName, MedicationResource, PatientResource},
};
use jiff::civil;
use serde::Deserialize;
use std::collections::HashMap;

/// What sort of resource it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// MedicationRequest.
    MedicationRequest,
    /// Bundle.
    Bundle,
    /// Patient: for the name.
    Patient,
    /// Medication: for the name of what is referred to.
    Medication,
    /// Any other: skipped.
    Other,
}

/// One resource, not yet read.
#[derive(Clone, Copy, Debug)]
pub struct Resource<'a> {
    /// What it is.
    pub kind: Kind,
    /// Its JSON.
    pub text: &'a str,
}

/// Reads a text into a type; a fault names the path of the element.
pub(super) fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Fault> {
    let mut json = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let error = error.into_inner();
        if error.is_syntax() || error.is_eof() {
            return broken(&error);
        }
        Fault::new(path, plain(&error))
    })?;
    json.end().map_err(|error| broken(&error))?;
    Ok(value)
}

/// A text that is no JSON; how far it could be read says nothing about an element.
fn broken(error: &serde_json::Error) -> Fault {
    Fault::new(".", format!("it is no JSON: {}", plain(error)))
}

/// The message without the place, which counts from the beginning of the resource.
fn plain(error: &serde_json::Error) -> String {
    let message = error.to_string();
    match message.rfind(" at line ") {
        Some(at) => message[..at].to_owned(),
        None => message,
    }
}

/// What a JSON text is.
///
/// # Errors
/// It is no JSON object, or has no `resourceType`.
pub fn head(text: &str) -> Result<Kind, Refusal> {
    let nameless = |fault: Fault| fault.of("resource".to_owned());
    let is_object = text
        .trim_start_matches('\u{feff}')
        .trim_start()
        .starts_with('{');
    if !is_object {
        return Err(nameless(Fault::new(".", "it is no JSON object")));
    }
    let head: Head<'_> = parse(text).map_err(nameless)?;
    let Some(kind) = head.resource_type else {
        return Err(nameless(Fault::new("resourceType", "it is missing")));
    };
    Ok(match kind.as_ref() {
        "MedicationRequest" => Kind::MedicationRequest,
        "Bundle" => Kind::Bundle,
        "Patient" => Kind::Patient,
        "Medication" => Kind::Medication,
        _ => Kind::Other,
    })
}

/// A resource and its `fullUrl` in a Bundle.
pub type Addressed<'a> = (Resource<'a>, Option<String>);

/// Calls `visit` with each resource of a text, those of Bundles one by one, in order. `names` is
/// told of the addresses that a Bundle gives to its Patients and Medications.
///
/// # Errors
/// The text is no resource, or a Bundle that cannot be read. A bad entry is given to `visit` as
/// a refusal and does not stop the others.
pub fn resources<'a>(
    text: &'a str,
    visit: &mut dyn FnMut(Result<Addressed<'a>, Refusal>),
) -> Result<(), Refusal> {
    let kind = head(text)?;
    if kind != Kind::Bundle {
        visit(Ok((Resource { kind, text }, None)));
        return Ok(());
    }
    let bundle: Bundle<'a> = parse(text).map_err(|fault| fault.of("Bundle".to_owned()))?;
    for (index, entry) in bundle.entry.into_iter().enumerate() {
        let Some(resource) = entry.resource else {
            continue;
        };
        match head(resource.get()) {
            Ok(Kind::Bundle) => visit(Err(Fault::new(
                format!("entry[{index}].resource"),
                "a Bundle within a Bundle is not read",
            )
            .of("Bundle".to_owned()))),
            Ok(kind) => visit(Ok((
                Resource {
                    kind,
                    text: resource.get(),
                },
                entry.full_url,
            ))),
            Err(refusal) => {
                let fault = Fault::new(refusal.element, refusal.reason);
                let fault = fault.within(&format!("entry[{index}].resource"));
                visit(Err(fault.of("Bundle".to_owned())));
            }
        }
    }
    Ok(())
}

/// What a Patient resource says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PatientName {
    /// The name in one line.
    pub name: Option<String>,
    /// Date of birth, where it is whole.
    pub born: Option<civil::Date>,
}

/// What references lead to: the names of Patients and Medications.
#[derive(Clone, Debug, Default)]
pub struct Names {
    patients: HashMap<String, PatientName>,
    medications: HashMap<String, String>,
}

impl Names {
    /// Learns from a resource; others than Patient and Medication say nothing. `url` is its
    /// `fullUrl` in a Bundle.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn learn(&mut self, resource: Resource<'_>, url: Option<&str>) -> Result<(), Refusal> {
        match resource.kind {
            Kind::Patient => {
                let patient: PatientResource =
                    parse(resource.text).map_err(|fault| fault.of("Patient".to_owned()))?;
                let found = PatientName {
                    name: best_name(&patient.name),
                    born: patient.birth_date.and_then(|born| match date_time(&born) {
                        Ok(Moment::Date(date)) => Some(date),
                        _ => None,
                    }),
                };
                for key in keys("Patient", patient.id.as_deref(), url) {
                    self.patients.insert(key, found.clone());
                }
            }
            Kind::Medication => {
                let medication: MedicationResource =
                    parse(resource.text).map_err(|fault| fault.of("Medication".to_owned()))?;
                let name = medication.code.as_ref().and_then(|code| code.words());
                if let Some(name) = name {
                    for key in keys("Medication", medication.id.as_deref(), url) {
                        self.medications.insert(key, name.to_owned());
                    }
                }
            }
            Kind::MedicationRequest | Kind::Bundle | Kind::Other => {}
        }
        Ok(())
    }

    /// The Patient that a reference leads to.
    #[must_use]
    pub fn patient(&self, reference: &str) -> Option<&PatientName> {
        find(&self.patients, reference, "Patient")
    }

    /// The name of the Medication that a reference leads to.
    #[must_use]
    pub fn medication(&self, reference: &str) -> Option<&str> {
        find(&self.medications, reference, "Medication").map(String::as_str)
    }
}

fn keys(kind: &str, id: Option<&str>, url: Option<&str>) -> Vec<String> {
    let by_id = id.map(|id| format!("{kind}/{id}"));
    by_id.into_iter().chain(url.map(str::to_owned)).collect()
}

/// A reference may be absolute, carry a version, or be the id alone.
fn find<'m, T>(map: &'m HashMap<String, T>, reference: &str, kind: &str) -> Option<&'m T> {
    let reference = reference.split("/_history/").next().unwrap_or(reference);
    map.get(reference).or_else(|| {
        let id = reference.rsplit(['/', ':']).next()?;
        map.get(&format!("{kind}/{id}"))
    })
}

fn best_name(names: &[HumanName]) -> Option<String> {
    let rank = |name: &&HumanName| match name.usage.as_deref() {
        Some("official") => 0,
        Some("usual") => 1,
        None => 2,
        Some("old" | "maiden") => 4,
        Some(_) => 3,
    };
    let mut names: Vec<&HumanName> = names.iter().collect();
    names.sort_by_key(rank);
    names.into_iter().find_map(HumanName::words)
}
