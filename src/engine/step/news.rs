//! What staff and caregivers are told, and when somebody has to ring.

use super::{Turn, repeat::Issue};
use crate::engine::{
    About, Alert, Body, CallReason, Class, DoseName, Entry, Millis, News, OpenDose, OutboxRef,
    Recipient, Teller, WaitingAlert,
};
use crate::plan::{Language, ResolvedPlan, Tell};
use jiff::{SignedDuration, Timestamp};

/// News that nobody could be told for this long is told no more: the call list has it.
const NEWS_LASTS: SignedDuration = SignedDuration::from_hours(24);

/// So many missed doses in a row are a reason to ring.
const MISSED_IN_A_ROW: u16 = 3;

/// More messages than this to one patient within an hour are too many (G9).
const HOURLY_MAX: u16 = 20;

const HOUR: SignedDuration = SignedDuration::from_hours(1);

impl Turn<'_> {
    /// The doses that this step closed as missed are told of together.
    pub(super) fn tell_missed(&mut self, plan: &ResolvedPlan) {
        let missed = std::mem::take(&mut self.missed);
        if missed.is_empty() || !self.context.answers {
            return;
        }
        let before = self.state.missed_in_a_row;
        let count = u16::try_from(missed.len()).unwrap_or(u16::MAX);
        self.state.missed_in_a_row = before.saturating_add(count);
        for caregiver in &plan.caregivers {
            let told = |dose: &&OpenDose| match caregiver.tell {
                Tell::Never => false,
                Tell::Critical => dose.critical,
                Tell::Missed | Tell::EveryDose => true,
            };
            let doses: Vec<&OpenDose> = missed.iter().filter(told).collect();
            self.tell_caregiver(plan, &caregiver.id, &doses, |doses, critical| {
                News::Missed { doses, critical }
            });
        }
        if missed.iter().any(|dose| dose.critical) {
            self.call(CallReason::CriticalMissed);
            let doses: Vec<&OpenDose> = missed.iter().filter(|dose| dose.critical).collect();
            let news = News::Missed {
                doses: names(plan, &doses),
                critical: true,
            };
            self.tell_staff(plan, &news, &doses);
        }
        if before < MISSED_IN_A_ROW && self.state.missed_in_a_row >= MISSED_IN_A_ROW {
            self.call(CallReason::MissedInARow);
            let count = self.state.missed_in_a_row;
            let doses: Vec<&OpenDose> = missed.iter().collect();
            self.tell_staff(plan, &News::MissedInARow { count }, &doses);
        }
    }

    /// Caregivers who are told of each dose learn of those that have just come up.
    pub(super) fn tell_due(&mut self, plan: &ResolvedPlan, first_new: usize) {
        if !self.context.answers {
            return;
        }
        let told = plan.caregivers.iter();
        for caregiver in told.filter(|it| it.tell == Tell::EveryDose) {
            // One message an instant; what is overdue together.
            let mut new: Vec<OpenDose> = self.state.doses[first_new..].to_vec();
            while let Some(first) = new.first() {
                let at = first.due.max(self.now);
                let together: Vec<OpenDose> = new
                    .extract_if(.., |dose| dose.due.max(self.now) == at)
                    .collect();
                let doses: Vec<&OpenDose> = together.iter().collect();
                self.tell_caregiver(plan, &caregiver.id, &doses, |doses, _| News::Due { doses });
            }
        }
    }

    fn tell_caregiver(
        &mut self,
        plan: &ResolvedPlan,
        caregiver: &str,
        doses: &[&OpenDose],
        news: impl Fn(Vec<DoseName>, bool) -> News,
    ) {
        if doses.is_empty() || !self.context.caregivers.iter().any(|it| it == caregiver) {
            return;
        }
        let critical = doses.iter().any(|dose| dose.critical);
        let at = doses.iter().map(|dose| dose.due).max().unwrap_or(self.now);
        let news = news(names(plan, doses), critical);
        let to = Recipient::Caregiver(caregiver.to_owned());
        let told = Told {
            language: plan.language,
            urgent: critical,
            not_before: at.max(self.now),
            quiet_hours: plan.quiet_hours,
        };
        self.tell(plan, to, news, doses, &told);
    }

    /// Tells a caregiver of an answer that a person must look at.
    pub(super) fn tell_caregiver_of(&mut self, plan: &ResolvedPlan, caregiver: &str, news: News) {
        if self.context.caregivers.iter().any(|it| it == caregiver) {
            let not_before = match news {
                News::Refill(_) => super::stock::by_day(plan, self.now),
                _ => self.now,
            };
            let told = Told {
                language: plan.language,
                urgent: false,
                not_before,
                quiet_hours: plan.quiet_hours,
            };
            let to = Recipient::Caregiver(caregiver.to_owned());
            self.tell(plan, to, news, &[], &told);
        }
    }

    /// Tells the members of staff who want to know it.
    pub(super) fn tell_staff(&mut self, plan: &ResolvedPlan, news: &News, doses: &[&OpenDose]) {
        let urgent = matches!(
            news,
            News::RedFlag { .. } | News::CheckIn { .. } | News::Missed { critical: true, .. }
        );
        for member in self.context.staff {
            let wants = member.alerts.iter().any(|it| it == news.name());
            if wants && (urgent || !member.refuses) {
                let told = Told {
                    language: member.language,
                    urgent,
                    not_before: self.now,
                    quiet_hours: member.quiet_hours,
                };
                let to = Recipient::Staff(member.name.clone());
                self.tell(plan, to, news.clone(), doses, &told);
            }
        }
    }

    fn tell(
        &mut self,
        plan: &ResolvedPlan,
        to: Recipient,
        news: News,
        doses: &[&OpenDose],
        told: &Told,
    ) {
        let quiet = told.quiet_hours.filter(|_| !told.urgent);
        let not_before = quiet
            .and_then(|it| it.end_after(told.not_before, &plan.zone))
            .unwrap_or(told.not_before);
        let class = if told.urgent {
            Class::Critical
        } else {
            Class::Notice
        };
        let name = news.name();
        let recipient = match &to {
            Recipient::Patient => "",
            Recipient::Caregiver(id) | Recipient::Staff(id) => id.as_str(),
        };
        let about = [(recipient, self.now), (name, not_before)];
        let about = about.into_iter().chain(
            doses
                .iter()
                .map(|dose| (dose.medication.as_str(), dose.due)),
        );
        let about: Vec<_> = about.collect();
        // Of two that are alike, told in one moment, the second is another.
        let alike = |issued| {
            let id = self.message_id(b"alert", issued, about.iter().copied());
            let known = self.state.unsettled.iter().any(|it| it.id == id);
            (!known).then_some(id)
        };
        let id = (0..u8::MAX).find_map(alike);
        let id = id.unwrap_or_else(|| self.message_id(b"alert", u8::MAX, about.iter().copied()));
        let deadline = not_before.saturating_add(NEWS_LASTS);
        self.journal.push(Entry::Told {
            message: id,
            to: to.clone(),
            news: name.to_owned(),
        });
        self.state.alerts.push(WaitingAlert {
            id,
            doses: doses
                .iter()
                .map(|dose| (dose.medication.clone(), Millis(dose.due)))
                .collect(),
            to: to.clone(),
        });
        self.issue(
            plan,
            Issue {
                key: OutboxRef {
                    class,
                    deadline: deadline.unwrap_or(Timestamp::MAX),
                    id,
                },
                not_before,
                due: not_before,
                to,
                language: told.language,
                body: Body::Alert(Alert { news, at: self.now }),
            },
        );
    }

    /// An answer came: news that a dose was missed does not leave any more.
    pub(super) fn take_back_alerts(&mut self, medication: &str, due: Timestamp) {
        let about = (medication.to_owned(), Millis(due));
        let waiting: Vec<_> = self
            .state
            .alerts
            .iter()
            .filter(|it| it.doses.contains(&about))
            .map(|it| it.id)
            .collect();
        self.withdraw_messages(&waiting);
    }

    /// Somebody wrote what no question asked for.
    pub(super) fn write_down(
        &mut self,
        plan: &ResolvedPlan,
        text: &str,
        red_flag: bool,
        by: &Teller,
    ) {
        self.journal.push(Entry::Wrote {
            text: text.to_owned(),
            red_flag,
            by: by.clone(),
        });
        let text = text.to_owned();
        if red_flag {
            self.call(CallReason::RedFlag);
            self.tell_staff(plan, &News::RedFlag { text }, &[]);
        } else {
            self.tell_staff(plan, &News::Message { text }, &[]);
        }
    }

    /// Questions whose silence is news by now.
    pub(super) fn break_silences(&mut self, plan: &ResolvedPlan) {
        let now = self.now;
        let over: Vec<_> = self
            .state
            .silences
            .extract_if(.., |it| it.told_at.0 <= now)
            .collect();
        for silence in over {
            let check_in = plan.check_ins.iter().find(|it| it.id == silence.check_in);
            if let Some(check_in) = check_in {
                self.call(CallReason::CheckIn);
                let ask = check_in.ask.clone();
                self.tell_staff(plan, &News::NoAnswer { ask }, &[]);
            }
        }
    }

    /// Counts a message to the patient.
    pub(super) fn count_message(&mut self, at: Timestamp) {
        let hour = &mut self.state.hour;
        if hour
            .began
            .is_none_or(|began| at.duration_since(began) >= HOUR || at < began)
        {
            *hour = crate::engine::HourCount {
                began: Some(at),
                messages: 0,
                told: false,
            };
        }
        hour.messages = hour.messages.saturating_add(1);
    }

    /// Whether the hour that holds the instant has had as many messages as a person can be sent.
    pub(super) fn hour_is_full(&self, at: Timestamp) -> bool {
        let hour = &self.state.hour;
        hour.messages >= HOURLY_MAX
            && hour
                .began
                .is_some_and(|began| at >= began && at.duration_since(began) < HOUR)
    }

    /// The end of the present hour of messages.
    pub(super) fn hour_ends(&self) -> Timestamp {
        let began = self.state.hour.began.unwrap_or(self.now);
        began.saturating_add(HOUR).unwrap_or(Timestamp::MAX)
    }

    /// Raises the alarm, once an hour.
    pub(super) fn too_many(&mut self, plan: &ResolvedPlan) {
        if !std::mem::replace(&mut self.state.hour.told, true) {
            self.tell_staff(plan, &News::TooMany, &[]);
        }
    }
}

struct Told {
    language: Language,
    urgent: bool,
    not_before: Timestamp,
    quiet_hours: Option<crate::plan::QuietHours>,
}

/// The doses as people are told of them, ordered by instant.
pub(super) fn names(plan: &ResolvedPlan, doses: &[&OpenDose]) -> Vec<DoseName> {
    let mut names: Vec<DoseName> = doses
        .iter()
        .map(|dose| DoseName {
            label: label(plan, &dose.medication).to_owned(),
            amount: dose.amount.clone(),
            due: dose.due,
        })
        .collect();
    names.sort_by_key(|name| name.due);
    names
}

/// What messages call a medication.
pub(super) fn label<'p>(plan: &'p ResolvedPlan, id: &'p str) -> &'p str {
    let known = plan.medications.iter().find(|it| it.id == id);
    known.map_or(id, |it| it.label())
}

/// Doses as entries name them.
pub(super) fn about(doses: &[&OpenDose]) -> Vec<About> {
    doses
        .iter()
        .map(|dose| About {
            id: dose.medication.clone(),
            due: Millis(dose.due),
        })
        .collect()
}
