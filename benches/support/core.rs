//! A patient with three medications and a check-in, some days into the plan.

use dosed::engine::{
    Context, Decision, ExpiredReason, IdKey, Input, PatientState, Settlement, Unlimited, step,
};
use dosed::plan::{Day, Defaults, Language, ResolvedPlan, Zone, diagnostic::Source, read};
use jiff::Timestamp;

const MEDICATIONS: &str = r#"
name = "Wang"
[[medication]]
name = "Metformin 500 mg"
take = "1 tablet"
at = "07:30, 18:30"
[[medication]]
name = "Amlodipine 5 mg"
take = "1 tablet"
at = "07:30"
[[medication]]
name = "Warfarin"
take = "2.5 mg"
at = "18:00"
critical = true
"#;

const CHECK_IN: &str = "[[check_in]]\nask = \"How?\"\nanswer = \"text\"\nat = \"12:00\"\n";

/// Why a window may have passed unseen.
pub const OVERDUE: ExpiredReason = ExpiredReason::DaemonDown;

/// The patient.
pub struct Core {
    key: IdKey,
    /// The plan before the check-in came into it.
    pub before: ResolvedPlan,
    /// The plan in force.
    pub plan: ResolvedPlan,
    /// The state before two doses of three fall: yesterday's are remembered, all of them closed.
    pub asleep: PatientState,
    /// When they are decided.
    pub now: Timestamp,
    /// When they fall.
    pub due: Timestamp,
    /// What follows.
    pub fired: Decision,
}

impl Core {
    pub fn new() -> Self {
        let key = IdKey::new(&[9; 32]);
        let before = plan(MEDICATIONS, "Europe/Berlin");
        let plan = plan(&format!("{MEDICATIONS}{CHECK_IN}"), "Europe/Berlin");
        let on = |state: &PatientState, input: Input<'_>, now| {
            step(&context(&key), &plan, state.clone(), input, now)
        };
        let first = at("2026-03-02T00:00:00Z");
        let due = at("2026-03-05T06:30:00Z");
        let now = due - dosed::engine::LOOK_AHEAD;
        let wake = Input::Wake { overdue: OVERDUE };
        let applied = Input::PlanChanged {
            old: None,
            overdue: OVERDUE,
        };
        let mut decision = on(&PatientState::new(first), applied, first);
        loop {
            for message in std::mem::take(&mut decision.messages) {
                let settled = Input::Settled {
                    message: message.key.id,
                    settlement: Settlement::Accepted(message.not_before),
                };
                decision = on(&decision.state, settled, message.not_before);
            }
            let next = decision.wake_at.expect("there is a next wake");
            if next >= now {
                break;
            }
            decision = on(&decision.state, wake, next);
        }
        let asleep = decision.state;
        let fired = on(&asleep, wake, now);
        assert_eq!(fired.messages.len(), 1, "two doses of three fall");
        Self {
            key,
            before,
            plan,
            asleep,
            now,
            due,
            fired,
        }
    }

    /// What a step is told of the patient's surroundings.
    pub fn context(&self) -> Context<'_> {
        context(&self.key)
    }

    /// One step.
    pub fn step(&self, state: &PatientState, input: Input<'_>, now: Timestamp) -> Decision {
        step(&self.context(), &self.plan, state.clone(), input, now)
    }

    /// The outcome of the message that the wake made.
    pub fn settled(&self) -> Input<'static> {
        Input::Settled {
            message: self.fired.messages[0].key.id,
            settlement: Settlement::Accepted(self.due),
        }
    }
}

fn context(key: &IdKey) -> Context<'_> {
    Context {
        patient: 7,
        barred: None,
        answers: true,
        caregivers: &[],
        staff: &[],
        fits: &Unlimited,
        ids: key,
        claimed: &[],
        ages_by: Some(Timestamp::MAX),
    }
}

pub fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

/// A text as a plan.
pub fn plan(text: &str, zone: &str) -> ResolvedPlan {
    let defaults = Defaults {
        zone: Zone::get(zone).expect("the zone is in the database"),
        language: Language::En,
        quiet_hours: None,
        day: Day::default(),
        now: None,
    };
    let source = Source::new("p.toml", text.to_owned());
    read(&source, &defaults).expect("the plan is sound").plan
}
