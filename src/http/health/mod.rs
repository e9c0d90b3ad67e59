//! Health in the shape of draft-inadarei-api-health-check.

pub mod remark;

use crate::plan::Language;
use remark::Remark;
use serde_json::{Map, Value, json};

/// The status of a check and of the whole: the worst wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// All is well.
    Pass,
    /// Somebody should look.
    Warn,
    /// It does not work.
    Fail,
}

impl Status {
    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Status::Pass => "pass",
            Status::Warn => "warn",
            Status::Fail => "fail",
        }
    }
}

/// One observation.
#[derive(Clone, Debug)]
pub struct Check {
    /// `component:measurement`.
    pub name: &'static str,
    /// How it stands.
    pub status: Status,
    /// What is wrong and what to do, when something is.
    pub output: Option<Remark>,
    fields: Map<String, Value>,
}

impl Check {
    /// A check that passes until something else is said.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            status: Status::Pass,
            output: None,
            fields: Map::new(),
        }
    }

    /// Adds a field such as `observedValue`.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(field.to_owned(), value.into());
        self
    }

    /// A measured value with its unit, a warning above one limit and a failure above another.
    #[must_use]
    pub fn measured(self, value: f64, unit: &str, warn: Option<f64>, fail: Option<f64>) -> Self {
        let mut check = self.with("observedValue", value).with("observedUnit", unit);
        if let Some(limit) = warn {
            check = check.with("warnAbove", limit);
            check.raise_if(value > limit, Status::Warn);
        }
        if let Some(limit) = fail {
            check = check.with("failAbove", limit);
            check.raise_if(value > limit, Status::Fail);
        }
        check
    }

    /// Sets the status and says why, if `condition` holds and the status is not worse already.
    #[must_use]
    pub fn when(
        mut self,
        condition: bool,
        status: Status,
        output: impl FnOnce() -> Remark,
    ) -> Self {
        if condition && self.status < status {
            self.status = status;
            self.output = Some(output());
        }
        self
    }

    fn raise_if(&mut self, condition: bool, status: Status) {
        if condition {
            self.status = self.status.max(status);
        }
    }
}

/// The whole answer.
#[derive(Clone, Debug)]
pub struct Health {
    /// `dosed@` and the clinic's host-neutral id.
    pub service_id: String,
    /// The clock, RFC 3339.
    pub time: String,
    /// Seconds since the start.
    pub uptime_seconds: u64,
    /// How things are, for people, without a patient.
    pub summary: Vec<Remark>,
    /// The checks.
    pub checks: Vec<Check>,
}

impl Health {
    /// The worst of the checks.
    #[must_use]
    pub fn status(&self) -> Status {
        self.checks
            .iter()
            .map(|check| check.status)
            .max()
            .unwrap_or(Status::Pass)
    }

    /// The JSON document.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut checks = Map::new();
        for check in &self.checks {
            let mut fields = check.fields.clone();
            fields.insert("status".to_owned(), check.status.name().into());
            if let Some(output) = &check.output {
                let words = output.words(Language::En);
                fields.insert("output".to_owned(), words.into());
            }
            fields.insert("time".to_owned(), self.time.clone().into());
            checks.insert(
                check.name.to_owned(),
                Value::Array(vec![Value::Object(fields)]),
            );
        }
        json!({
            "status": self.status().name(),
            "version": "1",
            "releaseId": env!("CARGO_PKG_VERSION"),
            "serviceId": self.service_id,
            "time": self.time,
            "uptime_seconds": self.uptime_seconds,
            "summary": remark::line(&self.summary, Language::En),
            "checks": checks,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_check_wins_and_its_output_is_kept() {
        let health = Health {
            service_id: "dosed@clinic".to_owned(),
            time: "2026-11-23T06:30:00Z".to_owned(),
            uptime_seconds: 1,
            summary: Vec::new(),
            checks: vec![
                Check::new("scheduler:lag").measured(0.0, "s", Some(5.0), Some(60.0)),
                Check::new("outbox:oldest").measured(61.0, "s", Some(60.0), Some(600.0)),
                Check::new("plans:active").when(true, Status::Warn, || Remark::PlansRefused {
                    number: 1,
                    plans: "1 plan".to_owned(),
                }),
            ],
        };
        assert_eq!(health.status(), Status::Warn);
        let json = health.to_json();
        assert_eq!(
            json["checks"]["plans:active"][0]["output"],
            "1 plan rejected"
        );
        assert_eq!(json["checks"]["scheduler:lag"][0]["status"], "pass");
        assert_eq!(json["checks"]["outbox:oldest"][0]["status"], "warn");
    }
}
