//! A MedicationRequest becomes courses.

use super::{
    Course, Fault, Moment, Names, Refusal, Terms, WhenNeeded,
    course::{End, Pattern},
    document::parse,
    dose,
    instant::date_time,
    phases::{is_needed, phases},
    repeat::{self, Bounds},
    resource::{Contained, Dosage, Extension, Known, MedicationRequest, Repeat, Timing},
};
use crate::recurrence::Schedule;

/// More dosages in one request are a mistake of a program.
const DOSAGES_MAX: usize = 200;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The resource's id; empty where it has none.
    pub id: String,
    /// The subject's reference, else its identifier or name.
    pub subject: String,
    /// The subject's name, where the request says it.
    pub subject_name: Option<String>,
    /// The medication's name.
    pub medication: String,
    /// Why nothing is reminded of, where that is so.
    pub unscheduled: Option<Unscheduled>,
    /// The dosages that are reminded of, in the order of `dosageInstruction`.
    pub courses: Vec<Course>,
    /// The dosages that are taken as needed.
    pub needed: Vec<WhenNeeded>,
}

/// Why nothing of a request is reminded of (R2).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unscheduled {
    /// Its status is not `active`.
    #[error("its status is `{0}`: only what is active is reminded of")]
    Status(String),
    /// Its intent gives no authority to act.
    #[error("its intent is `{0}`: only orders are reminded of")]
    Intent(String),
    /// It says what is not to be taken.
    #[error("it says what is not to be done (doNotPerform)")]
    DoNotPerform,
    /// All of it is taken as needed.
    #[error("it is taken as needed: nothing is due at a time")]
    AsNeeded,
}

const STATUS: [&str; 8] = [
    "active",
    "on-hold",
    "cancelled",
    "completed",
    "entered-in-error",
    "stopped",
    "draft",
    "unknown",
];
/// Those that give the authority to act, then the others.
const INTENT: [&str; 8] = [
    "order",
    "original-order",
    "reflex-order",
    "filler-order",
    "instance-order",
    "proposal",
    "plan",
    "option",
];
const ORDERS: usize = 5;

/// Reads a MedicationRequest.
///
/// # Errors
/// Why it cannot be followed: the element and the reason.
pub fn read(text: &str, names: &Names, terms: &Terms) -> Result<Request, Refusal> {
    let nameless = || "MedicationRequest".to_owned();
    let label = |id: &str| {
        if id.is_empty() {
            nameless()
        } else {
            format!("MedicationRequest/{id}")
        }
    };
    let request: MedicationRequest<'_> = parse(text).map_err(|fault| {
        // What cannot be read is still to be found by its id.
        let known: Option<Known> = serde_json::from_str(text).ok();
        fault.of(label(&known.and_then(|known| known.id).unwrap_or_default()))
    })?;
    let id = request.id.clone().unwrap_or_default();
    let label = label(&id);
    followed(&request, id, names, terms).map_err(|fault| fault.of(label))
}

fn missing(element: &str) -> Fault {
    Fault::new(element, "it is missing")
}

fn followed(
    request: &MedicationRequest<'_>,
    id: String,
    names: &Names,
    terms: &Terms,
) -> Result<Request, Fault> {
    let status = request.status.as_deref().ok_or_else(|| missing("status"))?;
    let intent = request.intent.as_deref().ok_or_else(|| missing("intent"))?;
    if !STATUS.contains(&status) {
        let reason = format!("`{status}` is no status of a MedicationRequest");
        return Err(Fault::new("status", reason));
    }
    let Some(rank) = INTENT.iter().position(|known| *known == intent) else {
        let reason = format!("`{intent}` is no intent of a MedicationRequest");
        return Err(Fault::new("intent", reason));
    };
    let medication = medication(request, names)?;
    let subject = request.subject.as_ref().ok_or_else(|| missing("subject"))?;
    let reference = subject
        .target()
        .ok_or_else(|| Fault::new("subject", "it names nobody"))?;
    let mut found = Request {
        id,
        subject: reference.to_owned(),
        subject_name: subject.display.clone(),
        medication,
        unscheduled: None,
        courses: Vec::new(),
        needed: Vec::new(),
    };
    found.unscheduled = if request.do_not_perform == Some(true) {
        Some(Unscheduled::DoNotPerform)
    } else if status != "active" {
        Some(Unscheduled::Status(status.to_owned()))
    } else if rank >= ORDERS {
        Some(Unscheduled::Intent(intent.to_owned()))
    } else {
        None
    };
    if found.unscheduled.is_some() {
        return Ok(found);
    }
    let dosages: Vec<Dosage> = match request.dosage_instruction {
        Some(raw) => parse(raw.get()).map_err(|fault| fault.within("dosageInstruction"))?,
        None => Vec::new(),
    };
    if dosages.is_empty() {
        return Err(missing("dosageInstruction"));
    }
    if dosages.len() > DOSAGES_MAX {
        let reason = format!("there are more than {DOSAGES_MAX}");
        return Err(Fault::new("dosageInstruction", reason));
    }
    for (index, dosage) in dosages.iter().enumerate() {
        check(dosage).map_err(|fault| fault.within(&format!("dosageInstruction[{index}]")))?;
    }
    if !dosages.iter().all(is_needed) {
        if let Some(rules) = &request.implicit_rules {
            let reason = format!("the rules `{rules}` are not known here");
            return Err(Fault::new("implicitRules", reason));
        }
        refuse_modifiers(&request.modifier_extension)?;
    }
    schedule(&mut found, request.authored_on.as_deref(), &dosages, terms)?;
    if found.courses.is_empty() {
        found.unscheduled = Some(Unscheduled::AsNeeded);
    }
    Ok(found)
}

/// The name of what is prescribed.
fn medication(request: &MedicationRequest<'_>, names: &Names) -> Result<String, Fault> {
    let name = match (
        &request.medication_codeable_concept,
        &request.medication_reference,
    ) {
        (Some(_), Some(_)) => {
            return Err(Fault::new(
                "medication[x]",
                "there is more than one of them",
            ));
        }
        (None, None) => return Err(missing("medication[x]")),
        (Some(concept), None) => concept.words().map(str::to_owned),
        (None, Some(reference)) => {
            let target = reference.reference.as_deref();
            let contained = target.and_then(|target| target.strip_prefix('#'));
            let resolved = match contained {
                Some(id) => contained_name(request, id)?,
                None => target
                    .and_then(|target| names.medication(target))
                    .map(str::to_owned),
            };
            let display = reference.display.as_deref().map(str::trim);
            let display = display.filter(|display| !display.is_empty());
            resolved
                .or_else(|| display.map(str::to_owned))
                .or_else(|| reference.target().map(str::to_owned))
        }
    };
    name.ok_or_else(|| Fault::new("medication[x]", "it names nothing"))
}

fn contained_name(request: &MedicationRequest<'_>, id: &str) -> Result<Option<String>, Fault> {
    let Some(raw) = request.contained else {
        return Ok(None);
    };
    let contained: Vec<Contained> = parse(raw.get()).map_err(|fault| fault.within("contained"))?;
    let found = contained.into_iter().find(|resource| {
        resource.id.as_deref() == Some(id)
            && resource.resource_type.as_deref() == Some("Medication")
    });
    Ok(found
        .and_then(|resource| resource.code)
        .and_then(|code| code.words().map(str::to_owned)))
}

fn refuse_modifiers(extensions: &[Extension]) -> Result<(), Fault> {
    match extensions.first() {
        None => Ok(()),
        Some(extension) => {
            let url = extension.url.as_deref().unwrap_or("without a url");
            let reason = format!("`{url}` changes the meaning, and it is not known here");
            Err(Fault::new("modifierExtension[0]", reason))
        }
    }
}

/// What holds for each dosage, scheduled or as needed.
fn check(dosage: &Dosage) -> Result<(), Fault> {
    if dosage.as_needed_boolean.is_some() && dosage.as_needed_codeable_concept.is_some() {
        return Err(Fault::new("asNeeded[x]", "there is more than one of them"));
    }
    if let Some(repeat) = dosage.timing.as_ref().and_then(|t| t.repeat.as_ref()) {
        repeat::check(repeat).map_err(|fault| fault.within("timing.repeat"))?;
    }
    dose::text(dosage).map(|_| ())
}

fn schedule(
    found: &mut Request,
    authored_on: Option<&str>,
    dosages: &[Dosage],
    terms: &Terms,
) -> Result<(), Fault> {
    let mut begins: Option<Moment> = None;
    let phases = phases(dosages)?;
    for (place, phase) in phases.iter().enumerate() {
        let mut ends: Option<Moment> = None;
        for &index in phase {
            let dosage = &dosages[index];
            let within = |fault: Fault| fault.within(&format!("dosageInstruction[{index}]"));
            if is_needed(dosage) {
                found
                    .needed
                    .push(needed(dosage, index, terms).map_err(within)?);
                continue;
            }
            let implied = Implied {
                former: begins,
                follows: place > 0,
                authored_on,
            };
            let (course, end) = course(dosage, index, &implied, terms).map_err(within)?;
            let is_last = place + 1 == phases.len();
            let own_start = |place: usize| {
                phases[place]
                    .iter()
                    .all(|next| bounds_of(&dosages[*next]).is_some_and(|b| b.start.is_some()))
            };
            match end {
                Some(end) => {
                    let later = ends
                        .is_none_or(|known| known.instant(&terms.zone) < end.instant(&terms.zone));
                    if later {
                        ends = Some(end);
                    }
                }
                // A number of administrations is an end too, but not a date for what follows.
                None if is_last || (is_counted(dosage) && own_start(place + 1)) => {}
                None => {
                    return Err(within(Fault::new(
                        "timing.repeat.bounds[x]",
                        "it has no end, and others follow it in sequence",
                    )));
                }
            }
            found.courses.push(course);
        }
        begins = ends;
    }
    found.courses.sort_by_key(|course| course.index);
    Ok(())
}

/// Where a start comes from that a dosage does not say itself.
struct Implied<'a> {
    /// The end of the phase before.
    former: Option<Moment>,
    /// There is a phase before.
    follows: bool,
    authored_on: Option<&'a str>,
}

impl Implied<'_> {
    fn start(&self, terms: &Terms) -> Result<Option<Moment>, Fault> {
        if self.follows {
            return Ok(self.former);
        }
        match (terms.start, self.authored_on) {
            (Some(start), _) => Ok(Some(start)),
            (None, Some(authored)) => date_time(authored).map(Some).map_err(|reason| {
                Fault::new(
                    "timing.repeat.boundsPeriod.start",
                    format!("it is missing, and of authoredOn {reason}"),
                )
            }),
            (None, None) => Ok(None),
        }
    }
}

/// Whether the number of administrations is said.
fn is_counted(dosage: &Dosage) -> bool {
    let repeat = dosage
        .timing
        .as_ref()
        .and_then(|timing| timing.repeat.as_ref());
    repeat.is_some_and(|repeat| repeat.count.is_some())
}

fn bounds_of(dosage: &Dosage) -> Option<Bounds> {
    repeat::bounds(dosage.timing.as_ref()?.repeat.as_ref()?).ok()
}

/// A dosage that is reminded of, and where what follows it begins.
fn course(
    dosage: &Dosage,
    index: usize,
    implied: &Implied<'_>,
    terms: &Terms,
) -> Result<(Course, Option<Moment>), Fault> {
    refuse_modifiers(&dosage.modifier_extension)?;
    let Some(timing) = &dosage.timing else {
        return Err(Fault::new(
            "timing",
            "it is missing: a text alone cannot be scheduled",
        ));
    };
    refuse_modifiers(&timing.modifier_extension).map_err(|fault| fault.within("timing"))?;
    let nothing = Repeat::default();
    let repeat = timing.repeat.as_ref().unwrap_or(&nothing);
    refuse_modifiers(&repeat.modifier_extension).map_err(|fault| fault.within("timing.repeat"))?;
    for (index, entry) in dosage.dose_and_rate.iter().enumerate() {
        refuse_modifiers(&entry.modifier_extension)
            .map_err(|fault| fault.within(&format!("doseAndRate[{index}]")))?;
    }
    let in_timing = |fault: Fault| fault.within("timing");
    let in_repeat = |fault: Fault| fault.within("timing.repeat");
    repeat::check_ranges(repeat).map_err(in_repeat)?;
    let bounds = repeat::bounds(repeat).map_err(in_repeat)?;
    let zone = &terms.zone;
    let mut course = Course {
        index,
        dose: dose::text(dosage)?,
        pattern: Pattern::Once(Vec::new()),
        start: bounds.start,
        end: None,
        span: None,
        count: None,
        note: note(dosage),
        schedule: Schedule::default(),
    };
    let end = if timing.event.is_empty() {
        let start = match bounds.start {
            Some(start) => start,
            None => implied.start(terms)?.ok_or_else(|| {
                Fault::new(
                    "timing.repeat.boundsPeriod.start",
                    "it is missing, and neither authoredOn nor the importer says when it starts",
                )
            })?,
        };
        course.start = Some(start);
        let (pattern, count) = repeat::pattern(timing, start, terms).map_err(in_timing)?;
        (course.pattern, course.count) = (pattern, count);
        bounds.end_from(Some(start), zone).map_err(in_repeat)?
    } else {
        course.pattern = repeat::events(timing, terms).map_err(in_timing)?;
        let start = match bounds.start {
            Some(start) => Some(start),
            None if bounds.length.is_some() => implied.start(terms)?,
            None => None,
        };
        bounds.end_from(start, zone).map_err(in_repeat)?
    };
    course.end = end.map(|(end, _)| end);
    course.span = bounds.span();
    course.resolve(zone);
    Ok((course, end.map(|(_, next)| next)))
}

/// The words that go with a dosage.
fn note(dosage: &Dosage) -> Option<String> {
    let mut words: Vec<&str> = Vec::new();
    for text in [&dosage.text, &dosage.patient_instruction]
        .into_iter()
        .flatten()
    {
        let text = text.trim();
        if !text.is_empty() && text != "-" && !words.contains(&text) {
            words.push(text);
        }
    }
    (!words.is_empty()).then(|| words.join("\n"))
}

/// The extension with which the shortest time between two doses is given.
const APART: &str =
    "http://ig.fhir.de/igs/medication/StructureDefinition/MindestabstandZwischenGaben";

fn needed(dosage: &Dosage, index: usize, terms: &Terms) -> Result<WhenNeeded, Fault> {
    let nothing = Timing::default();
    let timing = dosage.timing.as_ref().unwrap_or(&nothing);
    let no_repeat = Repeat::default();
    let repeat = timing.repeat.as_ref().unwrap_or(&no_repeat);
    let bounds = repeat::bounds(repeat).map_err(|fault| fault.within("timing.repeat"))?;
    let reason = dosage
        .as_needed_codeable_concept
        .iter()
        .chain(dosage.extension.iter().filter_map(|extension| {
            let url = extension.url.as_deref()?;
            url.ends_with("Dosage.asNeededFor")
                .then_some(extension.value_codeable_concept.as_ref())?
        }))
        .find_map(|concept| concept.words().map(str::to_owned));
    let mut found = WhenNeeded {
        index,
        dose: dose::text(dosage)?,
        reason,
        at_most: None,
        apart: None,
        start: bounds.start.or(terms.start),
        end: None,
        note: note(dosage),
        left: Vec::new(),
    };
    let end = bounds.end_from(found.start, &terms.zone);
    found.end = end.ok().flatten().map(|(end, _): (End, Moment)| end);
    ceilings(dosage, repeat, &mut found);
    Ok(found)
}

/// The ceilings of what is taken as needed: the limit per period, the timing, the distance.
fn ceilings(dosage: &Dosage, repeat: &Repeat, found: &mut WhenNeeded) {
    if let Some(ratio) = &dosage.max_dose_per_period {
        found.at_most = most(dosage, ratio);
        if found.at_most.is_none() {
            found.left.push("maxDosePerPeriod");
        }
    }
    for extension in &dosage.modifier_extension {
        let minutes = extension
            .value_duration
            .as_ref()
            .filter(|_| extension.url.as_deref() == Some(APART))
            .and_then(repeat::seconds)
            .map(|seconds| seconds / 60);
        match minutes.and_then(|minutes| u32::try_from(minutes).ok()) {
            Some(minutes) if (1..=31 * 24 * 60).contains(&minutes) => found.apart = Some(minutes),
            _ => found.left.push("modifierExtension"),
        }
    }
    let plain = repeat.day_of_week.is_empty()
        && repeat.time_of_day.is_empty()
        && repeat.when.is_empty()
        && repeat.count.is_none();
    let (Some(period), Some(unit)) = (repeat.period, repeat.period_unit.as_deref()) else {
        if !plain
            || dosage
                .timing
                .as_ref()
                .is_some_and(|t| t.code.is_some() || !t.event.is_empty())
        {
            found.left.push("timing");
        }
        return;
    };
    let frequency = repeat.frequency_max.or(repeat.frequency).unwrap_or(1);
    let minutes = period
        * match unit {
            "min" => 1.0,
            "h" => 60.0,
            "d" => 1440.0,
            "wk" => 7.0 * 1440.0,
            _ => 0.0,
        };
    let fits = (1.0..=31.0 * 1440.0).contains(&minutes) && minutes.fract() == 0.0;
    let minutes = if fits { minutes as u32 } else { 0 };
    if !fits || !plain {
        found.left.push("timing");
    } else if frequency == 1 && found.apart.is_none() && minutes < 1440 {
        found.apart = Some(minutes);
    } else if found.at_most.is_none() && minutes % 60 == 0 && frequency <= 100 {
        found.at_most = Some((frequency, minutes / 60));
    } else {
        found.left.push("timing");
    }
}

/// A limit per period as whole doses, where its unit is the dose's.
fn most(dosage: &Dosage, ratio: &super::resource::Ratio) -> Option<(u32, u32)> {
    let numerator = ratio.numerator.as_ref()?;
    let hours = repeat::seconds(ratio.denominator.as_ref()?)? / 3600;
    let limit = dose::positive(numerator).ok()??;
    let entry = dosage.dose_and_rate.first()?;
    let range = entry.dose_range.as_ref();
    let dose = entry
        .dose_quantity
        .as_ref()
        .or_else(|| range?.high.as_ref())?;
    let one = dose::positive(dose).ok()??;
    let same = (dose.unit.is_some() && dose.unit == numerator.unit)
        || (dose.code.is_some() && dose.code == numerator.code);
    let doses = (limit / one + 1e-9).floor();
    let fits = same && (1.0..=100.0).contains(&doses) && (1..=744).contains(&hours);
    fits.then_some((doses as u32, hours as u32))
}
