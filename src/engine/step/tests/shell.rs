//! A model of the shell: it keeps state, outbox and journal as the store does, and checks with
//! each step what must hold after every one.

use crate::engine::*;
use crate::plan::{Defaults, Language, ResolvedPlan, Zone, diagnostic::Source, read};
use jiff::{SignedDuration, Timestamp, civil};
use std::collections::{BTreeMap, BTreeSet};

/// A dose as a message or a journal entry names it.
pub type Named = (String, Timestamp);

/// An instant in Shanghai in March 2026, `DD HH:MM` or `DD HH:MM:SS`.
pub fn at(text: &str) -> Timestamp {
    at_in("Asia/Shanghai", text)
}

pub fn at_in(zone: &str, text: &str) -> Timestamp {
    let (day, time) = text.split_once(' ').unwrap();
    let local: civil::DateTime = format!("2026-03-{day}T{time}").parse().unwrap();
    Zone::get(zone).unwrap().instant(local)
}

/// A plan of the text, for a patient with a contact.
pub fn plan(text: &str) -> ResolvedPlan {
    plan_in("Asia/Shanghai", text)
}

pub fn plan_in(zone: &str, text: &str) -> ResolvedPlan {
    let defaults = Defaults {
        zone: Zone::get(zone).unwrap(),
        language: Language::En,
        quiet_hours: None,
        day: crate::plan::Day::default(),
        now: None,
    };
    let source = Source::new("p.toml", format!("name = \"W\"\n{text}"));
    read(&source, &defaults)
        .unwrap_or_else(|found| panic!("{text}\n{found:?}"))
        .plan
}

/// Medications taken by their ids at the times given.
pub fn taken(medications: &[(&str, &str)]) -> ResolvedPlan {
    plan(
        &medications
            .iter()
            .map(|(id, at)| med(id, at))
            .collect::<String>(),
    )
}

/// One medication, in the plan's text; what follows a `;` in `at` stands as it is.
pub fn med(id: &str, at: &str) -> String {
    let (at, more) = at.split_once(';').unwrap_or((at, ""));
    format!("[[medication]]\nname = \"{id}\"\ntake = \"1\"\nat = \"{at}\"\n{more}\n")
}

/// Holds at most so many doses in one message.
struct Narrow(usize);

impl Fits for Narrow {
    fn fits(&self, _: &Addressee, body: &Body) -> bool {
        !matches!(body, Body::Dose(lines) if lines.len() > self.0)
    }
}

pub struct Shell {
    pub plan: Option<ResolvedPlan>,
    pub state: PatientState,
    pub outbox: BTreeMap<OutboxRef, Message>,
    pub claimed: Vec<MessageId>,
    pub journal: Vec<Entry>,
    pub wake_at: Option<Timestamp>,
    pub enrolled: bool,
    /// Why not, where not.
    pub barred: ExpiredReason,
    /// Whether the patient can answer.
    pub answers: bool,
    pub caregivers: Vec<String>,
    pub staff: Vec<StaffMember>,
    pub now: Timestamp,
    /// By which clock ages are told, where it is not the present one.
    pub ages_by: Option<Timestamp>,
    /// Doses that one message can hold.
    pub room: usize,
    issued: BTreeSet<MessageId>,
    /// Doses of which a message was accepted or is in doubt.
    left: BTreeSet<Named>,
}

impl Shell {
    pub fn new(now: Timestamp) -> Self {
        Self {
            plan: None,
            state: PatientState::new(now),
            outbox: BTreeMap::new(),
            claimed: Vec::new(),
            journal: Vec::new(),
            wake_at: None,
            enrolled: true,
            barred: ExpiredReason::NotEnrolled,
            answers: false,
            caregivers: Vec::new(),
            staff: Vec::new(),
            now,
            ages_by: Some(Timestamp::MAX),
            room: usize::MAX,
            issued: BTreeSet::new(),
            left: BTreeSet::new(),
        }
    }

    /// With a plan applied at `now`.
    pub fn with(plan: &ResolvedPlan, now: Timestamp) -> Self {
        let mut shell = Self::new(now);
        shell.apply(plan, now);
        shell
    }

    /// Steps and commits, and checks what holds after each step.
    pub fn step(&mut self, plan: &ResolvedPlan, input: Input<'_>, now: Timestamp) -> Decision {
        self.now = now;
        let key = IdKey::new(&[7; 32]);
        let fits = Narrow(self.room);
        let context = Context {
            patient: 5,
            barred: (!self.enrolled).then_some(self.barred),
            answers: self.answers,
            caregivers: &self.caregivers,
            staff: &self.staff,
            fits: &fits,
            ids: &key,
            claimed: &self.claimed,
            ages_by: self.ages_by,
        };
        let decision = step(&context, plan, self.state.clone(), input, now);
        let again = step(&context, plan, self.state.clone(), input, now);
        assert_eq!(decision, again, "the same input gives the same decision");
        for key in &decision.withdraw {
            assert!(
                !self.claimed.contains(&key.id),
                "a claimed message is never withdrawn"
            );
            assert!(
                self.outbox.remove(key).is_some(),
                "only what waits is withdrawn"
            );
        }
        for message in &decision.messages {
            assert!(self.issued.insert(message.key.id), "an id is issued once");
            assert!(message.key.deadline > now, "no message is born late");
            assert!(message.not_before < message.key.deadline);
            assert!(message.not_before >= message.due, "never early");
            if let Body::Dose(lines) = &message.body {
                assert!(!lines.is_empty());
                for line in lines {
                    assert!(line.due <= now.max(message.not_before), "never early");
                    let named = (line.medication.clone(), line.due);
                    assert!(
                        self.answers || !self.left.contains(&named),
                        "{named:?} is reminded of again"
                    );
                    let open =
                        decision.state.doses.iter().find(|open| {
                            (&open.medication, open.due) == (&line.medication, line.due)
                        });
                    let open = open.expect("a message names open doses");
                    assert_eq!(open.sending.prompt, Some(message.key.id));
                    assert!(message.key.deadline <= open.window_ends, "never late");
                }
            }
            self.outbox.insert(message.key, message.clone());
        }
        let mut waiting = BTreeSet::new();
        for message in self.outbox.values() {
            for named in named(message) {
                assert!(
                    waiting.insert(named.clone()),
                    "{named:?} waits in two messages"
                );
            }
        }
        for sending in (decision.state.doses.iter().map(|dose| &dose.sending))
            .chain(decision.state.prompts.iter().map(|prompt| &prompt.sending))
        {
            if let Some(prompt) = sending.prompt {
                let known = decision.state.unsettled.iter().any(|key| key.id == prompt);
                assert!(known, "a prompt is unsettled");
            }
        }
        let unsettled: BTreeSet<_> = decision.state.unsettled.iter().copied().collect();
        let kept: BTreeSet<_> = self.outbox.keys().copied().collect();
        assert_eq!(
            unsettled, kept,
            "what is unsettled is what the outbox holds"
        );
        let bytes = postcard::to_stdvec(&decision.state).unwrap();
        self.state = postcard::from_bytes(&bytes).unwrap();
        self.journal.extend(decision.journal.iter().cloned());
        self.wake_at = decision.wake_at;
        decision
    }

    /// Wakes once.
    pub fn wake(&mut self, now: Timestamp) -> Decision {
        let plan = self.plan.clone().unwrap();
        let overdue = ExpiredReason::DaemonDown;
        self.step(&plan, Input::Wake { overdue }, now)
    }

    /// Wakes until nothing is wanted at or before `now`.
    pub fn catch_up(&mut self, now: Timestamp) -> Vec<Message> {
        let mut messages = Vec::new();
        let mut steps = 0;
        while self.plan.is_some() && self.wake_at.is_some_and(|wake_at| wake_at <= now) {
            messages.extend(self.wake(now).messages);
            steps += 1;
            assert!(steps < 10_000, "it asks to be woken for ever");
        }
        messages
    }

    /// Wakes at each instant asked for, up to `until`.
    pub fn run(&mut self, until: Timestamp) -> Vec<Message> {
        let mut messages = Vec::new();
        while let Some(wake_at) = self.wake_at.filter(|wake_at| *wake_at <= until)
            && self.plan.is_some()
        {
            messages.extend(self.catch_up(wake_at.max(self.now)));
        }
        self.now = self.now.max(until);
        messages
    }

    /// As the store does: what the old plan left first, then the new one.
    pub fn apply(&mut self, plan: &ResolvedPlan, now: Timestamp) -> Decision {
        self.catch_up(now);
        let old = self.plan.replace(plan.clone());
        let input = Input::PlanChanged {
            old: old.as_ref(),
            overdue: ExpiredReason::DaemonDown,
        };
        self.step(plan, input, now)
    }

    pub fn end(&mut self, now: Timestamp) {
        self.catch_up(now);
        if let Some(plan) = self.plan.take() {
            let overdue = ExpiredReason::DaemonDown;
            let decision = self.step(&plan, Input::PlanEnded { overdue }, now);
            assert_eq!(decision.messages, []);
            assert_eq!(decision.wake_at, None);
        }
    }

    /// The patient says something of a dose.
    pub fn answer(
        &mut self,
        medication: &str,
        due: Timestamp,
        report: DoseReport<'_>,
        now: Timestamp,
    ) -> Decision {
        self.catch_up(now);
        let plan = self.plan.clone().unwrap();
        let doses = [(medication.to_owned(), due)];
        let by = Teller::Patient;
        let input = Input::Answered {
            doses: &doses,
            report,
            by: &by,
        };
        self.step(&plan, input, now)
    }

    /// The patient answers a check-in.
    pub fn answer_check_in(
        &mut self,
        check_in: &str,
        due: Timestamp,
        value: &Value,
        now: Timestamp,
    ) -> Decision {
        self.catch_up(now);
        let plan = self.plan.clone().unwrap();
        let by = Teller::Patient;
        let input = Input::CheckInAnswered {
            check_in,
            due,
            value,
            by: &by,
        };
        self.step(&plan, input, now)
    }

    /// The reach of the patient has changed.
    pub fn reach(&mut self, why: ReachChange, now: Timestamp) -> Decision {
        self.catch_up(now);
        let plan = self.plan.clone().unwrap();
        self.step(&plan, Input::ReachChanged { why }, now)
    }

    /// The dispatcher has taken the message: it may be on its way.
    pub fn claim(&mut self, message: MessageId) {
        if !self.claimed.contains(&message) {
            self.claimed.push(message);
        }
    }

    /// Settles what is in the outbox; without a plan as the store does then.
    pub fn settle(&mut self, key: OutboxRef, settlement: Settlement, now: Timestamp) -> Decision {
        let message = self.outbox.remove(&key).expect("it is in the outbox");
        self.claimed.retain(|id| *id != key.id);
        if matches!(settlement, Settlement::Accepted(_) | Settlement::InDoubt) {
            self.left.extend(named(&message));
        }
        let Some(plan) = self.plan.clone() else {
            self.state.unsettled.retain(|it| it.id != key.id);
            return Decision {
                state: self.state.clone(),
                messages: Vec::new(),
                withdraw: Vec::new(),
                journal: Vec::new(),
                replies: Vec::new(),
                calls: Vec::new(),
                calls_over: Vec::new(),
                wake_at: None,
                doses_due: 0,
            };
        };
        let input = Input::Settled {
            message: key.id,
            settlement,
        };
        self.step(&plan, input, now)
    }

    /// A message that was taken has not arrived: nothing that it named was reminded of by it.
    pub fn did_not_arrive(&mut self, message: &Message) {
        for named in named(message) {
            self.left.remove(&named);
        }
    }

    /// The only message in the outbox.
    pub fn only(&self) -> Message {
        assert_eq!(self.outbox.len(), 1, "{:#?}", self.outbox);
        self.outbox.values().next().unwrap().clone()
    }

    /// Accepts all that waits, at `now`.
    pub fn accept_all(&mut self, now: Timestamp) {
        for key in self.outbox.keys().copied().collect::<Vec<_>>() {
            self.settle(key, Settlement::Accepted(now), now);
        }
    }

    /// Runs until `until`; each message is accepted the moment it may leave. Returns what was
    /// accepted: when, and the ids named.
    pub fn run_accepting(&mut self, until: Timestamp) -> Vec<(Timestamp, String)> {
        let mut told = Vec::new();
        loop {
            let leaves = self.outbox.values().map(|message| message.not_before);
            let next = leaves.chain(self.wake_at).min().map(|at| at.max(self.now));
            let Some(now) = next.filter(|at| *at <= until) else {
                self.now = self.now.max(until);
                return told;
            };
            self.catch_up(now);
            self.now = now;
            let ready: Vec<Message> = self.outbox.values().cloned().collect();
            for message in ready.into_iter().filter(|it| it.not_before <= now) {
                told.push((now, ids(&message)));
                self.settle(message.key, Settlement::Accepted(now), now);
            }
        }
    }

    /// How each dose was closed, in order: `id DD HH:MM state[(reason)]`, in the zone.
    pub fn closed(&self) -> Vec<String> {
        self.closings()
            .into_iter()
            .map(|(id, due, how)| format!("{id} {} {how}", clock(due)))
            .collect()
    }

    pub fn closings(&self) -> Vec<(String, Timestamp, String)> {
        let mut all = Vec::new();
        for entry in &self.journal {
            match entry {
                Entry::DoseClosed(dose) => {
                    let reason = dose.reason.map(|it| format!("({})", it.name()));
                    let how = format!("{}{}", dose.state.name(), reason.unwrap_or_default());
                    all.push((dose.medication.clone(), dose.due.0, how));
                }
                Entry::DosesExpired {
                    medication,
                    due,
                    reason,
                    ..
                } => all.extend(due.iter().map(|due| {
                    let how = format!("expired({})", reason.name());
                    (medication.clone(), due.0, how)
                })),
                _ => {}
            }
        }
        all
    }
}

/// The day and time in Shanghai.
pub fn clock(at: Timestamp) -> String {
    let local = Zone::get("Asia/Shanghai").unwrap().local(at);
    local.strftime("%d %H:%M").to_string()
}

/// The doses that a message names.
pub fn named(message: &Message) -> Vec<Named> {
    match &message.body {
        Body::Dose(lines) => lines
            .iter()
            .map(|line| (line.medication.clone(), line.due))
            .collect(),
        _ => Vec::new(),
    }
}

/// The ids that a message names, with commas.
pub fn ids(message: &Message) -> String {
    match &message.body {
        Body::Dose(lines) => {
            let all: Vec<_> = lines.iter().map(|it| it.medication.as_str()).collect();
            all.join(",")
        }
        Body::CheckIn(question) => format!("?{}", question.check_in),
        Body::Appointment(line) => format!("!{}", line.what),
        Body::Notice(text) => text.text.clone(),
        Body::Alert(alert) => format!("({})", alert.news.name()),
        Body::Refill(line) => format!("{} {} days", line.label, line.days),
        Body::Digest(digest) => format!("digest of {}", digest.day),
    }
}

/// What messages say, in order.
pub fn said(messages: &[Message]) -> Vec<String> {
    messages.iter().map(ids).collect()
}

pub fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}
