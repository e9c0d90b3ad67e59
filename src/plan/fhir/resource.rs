//! The elements of FHIR R4 resources that are read, and nothing else of them.

use serde::Deserialize;
use serde_json::value::RawValue;

/// Any resource, as far as is needed to know what it is.
#[derive(Debug, Deserialize)]
pub(super) struct Head<'a> {
    #[serde(rename = "resourceType", borrow)]
    pub(super) resource_type: Option<std::borrow::Cow<'a, str>>,
}

/// The id of a resource that cannot be read otherwise.
#[derive(Debug, Deserialize)]
pub(super) struct Known {
    pub(super) id: Option<String>,
}

/// <https://hl7.org/fhir/R4/bundle.html>
#[derive(Debug, Deserialize)]
pub(super) struct Bundle<'a> {
    #[serde(borrow, default)]
    pub(super) entry: Vec<Entry<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Entry<'a> {
    #[serde(rename = "fullUrl")]
    pub(super) full_url: Option<String>,
    #[serde(borrow)]
    pub(super) resource: Option<&'a RawValue>,
}

/// <https://hl7.org/fhir/R4/patient.html>
#[derive(Debug, Deserialize)]
pub(super) struct PatientResource {
    pub(super) id: Option<String>,
    #[serde(default)]
    pub(super) name: Vec<HumanName>,
    #[serde(rename = "birthDate")]
    pub(super) birth_date: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct HumanName {
    #[serde(rename = "use")]
    pub(super) usage: Option<String>,
    pub(super) text: Option<String>,
    pub(super) family: Option<String>,
    #[serde(default)]
    pub(super) given: Vec<Option<String>>,
}

/// <https://hl7.org/fhir/R4/medication.html>
#[derive(Debug, Deserialize)]
pub(super) struct MedicationResource {
    pub(super) id: Option<String>,
    pub(super) code: Option<CodeableConcept>,
}

/// What stands inside of a request.
#[derive(Debug, Deserialize)]
pub(super) struct Contained {
    #[serde(rename = "resourceType")]
    pub(super) resource_type: Option<String>,
    pub(super) id: Option<String>,
    pub(super) code: Option<CodeableConcept>,
}

/// <https://hl7.org/fhir/R4/medicationrequest.html>. The dosages are read only where the rest
/// says that somebody is to be reminded.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MedicationRequest<'a> {
    pub(super) id: Option<String>,
    pub(super) implicit_rules: Option<String>,
    #[serde(default)]
    pub(super) modifier_extension: Vec<Extension>,
    #[serde(borrow)]
    pub(super) contained: Option<&'a RawValue>,
    pub(super) status: Option<String>,
    pub(super) intent: Option<String>,
    pub(super) do_not_perform: Option<bool>,
    pub(super) medication_codeable_concept: Option<CodeableConcept>,
    pub(super) medication_reference: Option<Reference>,
    pub(super) subject: Option<Reference>,
    pub(super) authored_on: Option<String>,
    #[serde(borrow)]
    pub(super) dosage_instruction: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct CodeableConcept {
    #[serde(default)]
    pub(super) coding: Vec<Coding>,
    pub(super) text: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Coding {
    pub(super) system: Option<String>,
    pub(super) code: Option<String>,
    pub(super) display: Option<String>,
}

#[derive(Debug, Deserialize)]
#[allow(
    clippy::struct_field_names,
    reason = "the element is called like its type in FHIR"
)]
pub(super) struct Reference {
    pub(super) reference: Option<String>,
    pub(super) display: Option<String>,
    pub(super) identifier: Option<Identifier>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Identifier {
    pub(super) value: Option<String>,
}

/// An extension: what it says is unknown but for the few that are read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Extension {
    pub(super) url: Option<String>,
    pub(super) value_duration: Option<Quantity>,
    pub(super) value_codeable_concept: Option<CodeableConcept>,
}

/// <https://hl7.org/fhir/R4/dosage.html>
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Dosage {
    #[serde(default)]
    pub(super) extension: Vec<Extension>,
    #[serde(default)]
    pub(super) modifier_extension: Vec<Extension>,
    pub(super) sequence: Option<i64>,
    pub(super) text: Option<String>,
    pub(super) patient_instruction: Option<String>,
    pub(super) timing: Option<Timing>,
    pub(super) as_needed_boolean: Option<bool>,
    pub(super) as_needed_codeable_concept: Option<CodeableConcept>,
    #[serde(default)]
    pub(super) dose_and_rate: Vec<DoseAndRate>,
    pub(super) max_dose_per_period: Option<Ratio>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DoseAndRate {
    #[serde(default)]
    pub(super) modifier_extension: Vec<Extension>,
    pub(super) dose_quantity: Option<Quantity>,
    pub(super) dose_range: Option<DoseRange>,
}

#[derive(Debug, Deserialize)]
pub(super) struct DoseRange {
    pub(super) low: Option<Quantity>,
    pub(super) high: Option<Quantity>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Quantity {
    pub(super) value: Option<f64>,
    pub(super) comparator: Option<String>,
    pub(super) unit: Option<String>,
    pub(super) code: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Ratio {
    pub(super) numerator: Option<Quantity>,
    pub(super) denominator: Option<Quantity>,
}

/// <https://hl7.org/fhir/R4/datatypes.html#Timing>
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Timing {
    #[serde(default)]
    pub(super) modifier_extension: Vec<Extension>,
    #[serde(default)]
    pub(super) event: Vec<String>,
    pub(super) repeat: Option<Repeat>,
    pub(super) code: Option<CodeableConcept>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Repeat {
    #[serde(default)]
    pub(super) modifier_extension: Vec<Extension>,
    pub(super) bounds_duration: Option<Quantity>,
    pub(super) bounds_range: Option<DoseRange>,
    pub(super) bounds_period: Option<Period>,
    pub(super) count: Option<u32>,
    pub(super) count_max: Option<u32>,
    pub(super) duration: Option<f64>,
    pub(super) duration_max: Option<f64>,
    pub(super) duration_unit: Option<String>,
    pub(super) frequency: Option<u32>,
    pub(super) frequency_max: Option<u32>,
    pub(super) period: Option<f64>,
    pub(super) period_max: Option<f64>,
    pub(super) period_unit: Option<String>,
    #[serde(default)]
    pub(super) day_of_week: Vec<String>,
    #[serde(default)]
    pub(super) time_of_day: Vec<String>,
    #[serde(default)]
    pub(super) when: Vec<String>,
    pub(super) offset: Option<u32>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Period {
    pub(super) start: Option<String>,
    pub(super) end: Option<String>,
}

impl CodeableConcept {
    /// What people call it: the text, else a coding's display, else its code.
    pub(super) fn words(&self) -> Option<&str> {
        let displays = self.coding.iter().filter_map(|c| c.display.as_deref());
        let codes = self.coding.iter().filter_map(|c| c.code.as_deref());
        let texts = self.text.as_deref().into_iter();
        texts
            .chain(displays)
            .chain(codes)
            .map(str::trim)
            .find(|words| !words.is_empty())
    }
}

impl Reference {
    /// What it refers to: a reference, else an identifier, else a name.
    pub(super) fn target(&self) -> Option<&str> {
        let identifier = self.identifier.as_ref().and_then(|i| i.value.as_deref());
        [
            self.reference.as_deref(),
            identifier,
            self.display.as_deref(),
        ]
        .into_iter()
        .flatten()
        .map(str::trim)
        .find(|target| !target.is_empty())
    }
}

impl HumanName {
    /// The name in one line; Chinese ones family first and without a space.
    pub(super) fn words(&self) -> Option<String> {
        if let Some(text) = self
            .text
            .as_deref()
            .map(str::trim)
            .filter(|t| !t.is_empty())
        {
            return Some(text.to_owned());
        }
        let family = self.family.as_deref().unwrap_or_default().trim();
        let given = self.given.iter().flatten().map(|name| name.trim());
        let given: Vec<&str> = given.filter(|name| !name.is_empty()).collect();
        let words = if family.is_ascii() || given.iter().any(|name| name.is_ascii()) {
            format!("{} {family}", given.join(" ")).trim().to_owned()
        } else if family
            .chars()
            .all(|c| ('\u{3400}'..='\u{9fff}').contains(&c))
        {
            format!("{family}{}", given.concat())
        } else {
            format!("{} {family}", given.join(" ")).trim().to_owned()
        };
        (!words.is_empty()).then_some(words)
    }
}
