//! The account's templates: compiled once, checked against what their fields can hold, and put on
//! the wire.

use super::keyword::{self, Fault, Kind};
use super::pattern::{self, Pattern};
use super::scene::{Lateness, Scene, Wording, variables};
pub use super::unfit::{FieldError, Unfit};
use crate::engine::{
    Addressee, Alert, AppointmentLine, Body, DoseLine, Fits, News, Question, Text,
};
use crate::messaging::wording::{self, Amounts};
use crate::messaging::{MessageKind, Outgoing, Texts};
use crate::plan::{AnswerType, Language, Zone};
use jiff::Timestamp;
use minijinja::Environment;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// `[wechat.templates]` as it is written: a table for each kind that is used.
pub type TemplatesConfig = BTreeMap<MessageKind, TemplateConfig>;

/// One template as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateConfig {
    /// The template's id in the account.
    pub id: String,
    /// Keyword (without `.DATA`) to the minijinja template of its value.
    pub data: BTreeMap<String, String>,
}

/// What is wrong with a template as it is written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {message}")]
pub struct TemplateError {
    /// Where, e.g. `wechat.templates.dose.data.thing4`.
    pub key: String,
    /// What, in a sentence.
    pub message: String,
}

/// The templates, compiled. Cheap to clone.
#[derive(Clone)]
pub struct Templates {
    inner: Arc<Inner>,
    texts: Texts,
}

struct Inner {
    clinic: String,
    engine: Environment<'static>,
    templates: BTreeMap<MessageKind, Template>,
}

struct Template {
    id: String,
    /// `,"template_id":"…","client_msg_id":"`
    head: String,
    fields: Vec<Field>,
}

struct Field {
    name: String,
    kind: Kind,
    pattern: Pattern,
    /// `"thing1":{"value":`
    head: String,
}

impl Templates {
    /// Compiles what is written.
    ///
    /// # Errors
    /// All that is wrong with it, each with its key.
    pub fn compile(config: &TemplatesConfig, clinic: &str) -> Result<Self, Vec<TemplateError>> {
        let mut engine = pattern::environment();
        let mut errors = Vec::new();
        let mut templates = BTreeMap::new();
        for (&kind, written) in config {
            let path = format!("wechat.templates.{}", kind.name());
            if !is_id(&written.id) {
                errors.push(TemplateError {
                    key: format!("{path}.id"),
                    message: "must be the template's id as the account's console shows it"
                        .to_owned(),
                });
            }
            if written.data.is_empty() {
                errors.push(TemplateError {
                    key: format!("{path}.data"),
                    message: "must name the template's fields".to_owned(),
                });
            }
            let mut fields = Vec::new();
            for (name, source) in &written.data {
                let key = format!("{path}.data.{name}");
                match compile_field(&mut engine, kind, &key, name, source) {
                    Ok(field) => fields.push(field),
                    Err(message) => errors.push(TemplateError { key, message }),
                }
            }
            let id = &written.id;
            let head = format!(r#","template_id":"{id}","client_msg_id":""#);
            let id = id.clone();
            templates.insert(kind, Template { id, head, fields });
        }
        let inner = Inner {
            clinic: clinic.to_owned(),
            engine,
            templates,
        };
        inner.rehearse(&mut errors);
        if errors.is_empty() {
            Ok(Self {
                inner: Arc::new(inner),
                texts: Texts::default(),
            })
        } else {
            Err(errors)
        }
    }

    /// What the account must have: for each kind the template's id and the fields that are filled.
    pub fn wanted(&self) -> impl Iterator<Item = (MessageKind, &str, Vec<&str>)> {
        self.inner.templates.iter().map(|(kind, template)| {
            let fields = template.fields.iter().map(|field| field.name.as_str());
            (*kind, template.id.as_str(), fields.collect())
        })
    }

    /// The same with a clinic's own words for news.
    #[must_use]
    pub fn with_texts(self, texts: Texts) -> Self {
        Self { texts, ..self }
    }

    /// Checks that a message can be sent as it stands, late or not.
    ///
    /// # Errors
    /// Names the field that cannot hold its text, or the kind that has no template.
    pub fn check(&self, addressee: &Addressee, body: &Body) -> Result<(), Unfit> {
        self.check_both(addressee, body)
            .map_err(|unfit| match (unfit, body) {
                (Unfit::Field(error), Body::Dose(doses))
                    if error.fault == Fault::TooLong && doses.len() == 1 =>
                {
                    Unfit::Field(FieldError {
                        short_max: self.longest_label(addressee, &doses[0]),
                        ..error
                    })
                }
                (unfit, _) => unfit,
            })
    }

    fn check_both(&self, addressee: &Addressee, body: &Body) -> Result<(), Unfit> {
        for late in [false, true] {
            self.values(addressee, body, Lateness::Is(late))?;
        }
        Ok(())
    }

    /// How many characters of the dose's label would fit.
    fn longest_label(&self, addressee: &Addressee, dose: &DoseLine) -> Option<usize> {
        let length = dose.label.chars().count();
        (1..length).rev().find(|&short| {
            let mut shorter = dose.clone();
            shorter.label = dose.label.chars().take(short).collect();
            self.check_both(addressee, &Body::Dose(vec![shorter]))
                .is_ok()
        })
    }

    /// The body of the request that sends a message.
    ///
    /// # Errors
    /// As [`Templates::check`], for the instant of sending.
    pub(super) fn request(&self, message: &Outgoing<'_>) -> Result<Vec<u8>, Unfit> {
        let lateness = Lateness::At(message.now);
        let (template, values) = self.values(message.addressee, message.body, lateness)?;
        let mut body = Vec::with_capacity(512);
        body.extend_from_slice(br#"{"touser":"#);
        push_json(&mut body, message.address);
        body.extend_from_slice(template.head.as_bytes());
        for byte in message.id.0 {
            body.push(DIGITS[usize::from(byte >> 4)]);
            body.push(DIGITS[usize::from(byte & 15)]);
        }
        body.push(b'"');
        if let Some(link) = message.link {
            body.extend_from_slice(br#","url":"#);
            push_json(&mut body, link);
        }
        body.extend_from_slice(br#","data":{"#);
        for (index, (field, value)) in template.fields.iter().zip(&values).enumerate() {
            if index > 0 {
                body.push(b',');
            }
            body.extend_from_slice(field.head.as_bytes());
            push_json(&mut body, value);
            body.push(b'}');
        }
        body.extend_from_slice(b"}}");
        Ok(body)
    }

    /// What a message says without a template: advice as it was written, news with the patient's
    /// name. `None` for all others.
    pub(super) fn in_words(&self, addressee: &Addressee, body: &Body) -> Option<String> {
        match body {
            Body::Notice(text) => Some(text.text.clone()),
            Body::Alert(alert) => {
                let texts = self.texts.alert(alert, addressee);
                let text = texts.first()?;
                Some(match addressee.language {
                    Language::ZhCn => format!("{}：{text}", addressee.name),
                    Language::En => format!("{}: {text}", addressee.name),
                })
            }
            Body::Refill(refill) => {
                let texts = self.texts.refill(refill, addressee.language);
                texts.into_iter().next()
            }
            Body::Digest(digest) => self.texts.digest(digest, addressee).into_iter().next(),
            Body::Dose(_) | Body::CheckIn(_) | Body::Appointment(_) => None,
        }
    }

    /// The words of a message that are not the doctor's own: the most telling ones first.
    fn own_words(&self, addressee: &Addressee, body: &Body) -> Vec<String> {
        match body {
            Body::Alert(alert) => self.texts.alert(alert, addressee),
            Body::Refill(refill) => self.texts.refill(refill, addressee.language),
            Body::Digest(digest) => self.texts.digest(digest, addressee),
            Body::Dose(_) | Body::CheckIn(_) | Body::Appointment(_) | Body::Notice(_) => Vec::new(),
        }
    }

    /// The values of all fields, in the most telling words that fit.
    fn values(
        &self,
        addressee: &Addressee,
        body: &Body,
        lateness: Lateness,
    ) -> Result<(&Template, Vec<String>), Unfit> {
        let inner = &self.inner;
        let kind = MessageKind::of(body);
        let template = inner
            .templates
            .get(&kind)
            .ok_or(Unfit::NotConfigured(kind))?;
        let fill = |wording: Wording<'_>| {
            let scene = Scene::new(body, addressee, &inner.clinic, wording, lateness);
            inner.fill(kind, template, &scene)
        };
        let mut values = Err(Unfit::NotConfigured(kind));
        match body {
            Body::Dose(doses) => {
                // That an amount has changed is the last thing to be left out.
                let amounts: &[Amounts] = if wording::have_changed(doses) {
                    &[Amounts::Changes, Amounts::Now]
                } else {
                    &[Amounts::Now]
                };
                let stamps = wording::stamps(doses, addressee);
                let wordings = amounts.iter().flat_map(|amounts| {
                    stamps.iter().map(|stamp| Wording::Doses(*stamp, *amounts))
                });
                for wording in wordings {
                    values = fill(wording);
                    if values.is_ok() {
                        break;
                    }
                }
            }
            Body::Alert(_) | Body::Refill(_) | Body::Digest(_) => {
                let texts = self.own_words(addressee, body);
                for text in &texts {
                    values = fill(Wording::Text(text));
                    if values.is_ok() {
                        break;
                    }
                }
                // News is cut rather than kept back: what was cut stands in the journal.
                let last = texts.last().map_or("", String::as_str);
                for length in (1..last.chars().count()).rev() {
                    if values.is_ok() {
                        break;
                    }
                    let cut: String = last.chars().take(length).chain(['…']).collect();
                    values = fill(Wording::Text(&cut));
                }
            }
            Body::CheckIn(_) | Body::Appointment(_) | Body::Notice(_) => {
                values = fill(Wording::Doses(wording::Stamp::None, Amounts::Now));
            }
        }
        Ok((template, values?))
    }
}

impl Fits for Templates {
    fn fits(&self, addressee: &Addressee, body: &Body) -> bool {
        self.check_both(addressee, body).is_ok()
    }
}

impl Inner {
    /// Renders each template that needs the engine with made-up messages, so that what compiles
    /// and cannot work (an unknown filter, a sum with a text) is an error of the configuration
    /// and not of the first patient.
    fn rehearse(&self, errors: &mut Vec<TemplateError>) {
        let Ok(zone) = Zone::get("UTC") else { return };
        let addressee = Addressee {
            name: "王秀兰".into(),
            language: Language::ZhCn,
            zone,
        };
        for (&kind, template) in &self.templates {
            for field in &template.fields {
                let Pattern::Engine(key) = &field.pattern else {
                    continue;
                };
                let failure = [None, Some("饭后")].into_iter().find_map(|note| {
                    let body = sample(kind, note);
                    [false, true].into_iter().find_map(|late| {
                        let words = Wording::Text("请复诊");
                        let late = Lateness::Is(late);
                        let scene = Scene::new(&body, &addressee, &self.clinic, words, late);
                        field.pattern.render(&self.engine, &scene).err()
                    })
                });
                if let Some(error) = failure {
                    errors.push(TemplateError {
                        key: key.clone(),
                        message: engine_words(&error),
                    });
                }
            }
        }
    }

    fn fill(
        &self,
        kind: MessageKind,
        template: &Template,
        scene: &Scene<'_>,
    ) -> Result<Vec<String>, Unfit> {
        let mut values = Vec::with_capacity(template.fields.len());
        for field in &template.fields {
            let value =
                field
                    .pattern
                    .render(&self.engine, scene)
                    .map_err(|error| Unfit::Unrendered {
                        kind,
                        field: field.name.clone(),
                        reason: error.kind().to_string(),
                    })?;
            field.kind.check(&value).map_err(|fault| FieldError {
                message: kind,
                field: field.name.clone(),
                kind: field.kind,
                length: keyword::length(&value),
                limit: field.kind.limit(&value),
                fault,
                short_max: None,
            })?;
            values.push(value);
        }
        Ok(values)
    }
}

fn compile_field(
    engine: &mut Environment<'static>,
    kind: MessageKind,
    key: &str,
    name: &str,
    source: &str,
) -> Result<Field, String> {
    if let Some(plain) = name.strip_suffix(".DATA") {
        return Err(format!("write `{plain}`, without `.DATA`"));
    }
    let keyword = Kind::of(name).ok_or_else(|| {
        let known: Vec<&str> = Kind::names().collect();
        format!(
            "no known kind of keyword: a kind ({}) and a number",
            known.join(", ")
        )
    })?;
    engine
        .add_template_owned(key.to_owned(), source.to_owned())
        .map_err(|error| engine_words(&error))?;
    let compiled = engine
        .get_template(key)
        .map_err(|error| engine_words(&error))?;
    let variables = variables(kind);
    let mut unknown: Vec<String> = compiled
        .undeclared_variables(false)
        .into_iter()
        .filter(|name| !variables.iter().any(|variable| variable.name() == name))
        .filter(|name| engine.globals().all(|(global, _)| global != name))
        .collect();
    unknown.sort();
    if let Some(name) = unknown.first() {
        let known: Vec<&str> = variables.iter().map(|variable| variable.name()).collect();
        return Err(format!(
            "there is no variable `{name}` in messages of this kind; there are {}",
            known.join(", ")
        ));
    }
    let pattern = match pattern::pieces(source) {
        Some(pieces) => Pattern::Pieces(pieces),
        None => Pattern::Engine(key.to_owned()),
    };
    Ok(Field {
        name: name.to_owned(),
        kind: keyword,
        pattern,
        head: format!(r#""{name}":{{"value":"#),
    })
}

/// A message of the kind, for trying templates out.
fn sample(kind: MessageKind, note: Option<&str>) -> Body {
    let note = note.map(str::to_owned);
    let at = Timestamp::UNIX_EPOCH;
    let text = Text {
        text: "请复诊".into(),
        at,
    };
    match kind {
        MessageKind::Dose => Body::Dose(vec![DoseLine {
            medication: "metformin".into(),
            label: "二甲双胍".into(),
            amount: "1片".into(),
            formerly: None,
            due: at,
            on_time_until: at,
            note,
        }]),
        MessageKind::CheckIn => Body::CheckIn(Question {
            check_in: "sleep".into(),
            ask: "昨晚睡得好吗？".into(),
            answer: AnswerType::YesOrNo,
            due: at,
            on_time_until: at,
        }),
        MessageKind::Appointment => Body::Appointment(AppointmentLine {
            what: "复诊".into(),
            at,
            note,
        }),
        MessageKind::Notice => Body::Notice(text),
        MessageKind::Alert => Body::Alert(Alert {
            news: News::Unreachable,
            at,
        }),
    }
}

/// The template engine's message with its line.
fn engine_words(error: &minijinja::Error) -> String {
    let what = error
        .detail()
        .map_or_else(|| error.kind().to_string(), str::to_owned);
    match error.line() {
        Some(line) => format!("line {line}: {what}"),
        None => what,
    }
}

/// An id is 43 letters, digits, `-` and `_` in all samples; its length is not documented.
fn is_id(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= 128
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

fn push_json(body: &mut Vec<u8>, text: &str) {
    // Writing to a Vec cannot fail, nor can a text fail to serialise. Non-ASCII is not escaped,
    // which the API would refuse in places.
    let _ = serde_json::to_writer(body, text);
}
