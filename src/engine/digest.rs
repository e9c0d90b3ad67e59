//! The clinic's day in numbers, for its staff: counts and nothing else. A phone shows it on its
//! lock screen, so it names no patient, no medicine and no answer.

use super::{
    Addressee, Body, Class, ExpiredReason, Figures, IdKey, Message, MessageId, OutboxRef,
    Recipient, StaffMember,
};
use crate::plan::{Language, Zone};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// The name under which members of staff are told of it.
pub const DIGEST: &str = "digest";

/// It is of no use any more after this: the next one is near.
const LASTS: SignedDuration = SignedDuration::from_hours(12);

/// What a digest tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// The day of the doses, in the clinic's zone.
    pub day: Date,
    /// When it was made.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub at: Timestamp,
    /// Doses of the day.
    pub due: u64,
    /// Of them: taken.
    pub taken: u64,
    /// Reminded of and not answered, or said not to be taken.
    pub missed: u64,
    /// Left out on purpose.
    pub skipped: u64,
    /// Nobody was reminded of them in time: how many, by reason.
    pub expired: Vec<(ExpiredReason, u64)>,
    /// They wait for an answer.
    pub open: u64,
    /// Patients whom a person must ring.
    pub calls: u64,
    /// Words that cannot wait, within the last day.
    pub red_flags: u64,
    /// Words for the clinic, within the last day.
    pub words: u64,
    /// Patients whom the channel cannot reach.
    pub unreachable: u64,
    /// Plans that are rejected.
    pub rejected: u64,
    /// The backup failed, or is overdue.
    pub backup_late: bool,
}

impl Digest {
    /// Adds what became of the day's doses.
    pub fn add(&mut self, figures: &Figures) {
        let not_sent = figures.not_sent_in_all();
        self.due += figures.known() + not_sent + figures.open;
        self.taken += figures.taken;
        self.missed += figures.no_answer + figures.said_not_taken;
        self.skipped += figures.skipped;
        self.open += figures.open;
        for (reason, count) in ExpiredReason::ALL.into_iter().zip(figures.not_sent) {
            let known = self.expired.iter_mut().find(|(known, _)| *known == reason);
            match known {
                Some((_, sum)) => *sum += count,
                None if count > 0 => self.expired.push((reason, count)),
                None => {}
            }
        }
    }

    /// How many doses nobody was reminded of in time.
    #[must_use]
    pub fn expired_in_all(&self) -> u64 {
        self.expired.iter().map(|(_, count)| count).sum()
    }

    /// The message to one member of staff, or none: who does not want it, or refuses what is sent
    /// to them, gets none. In their quiet hours it waits. The same digest has the same id.
    #[must_use]
    pub fn for_member(&self, member: &StaffMember, zone: &Zone, ids: &IdKey) -> Option<Message> {
        let wants = member.alerts.iter().any(|it| it == DIGEST);
        if !wants || member.refuses {
            return None;
        }
        let quiet = member
            .quiet_hours
            .and_then(|it| it.end_after(self.at, zone));
        let not_before = quiet.unwrap_or(self.at);
        let day = self.day.to_string();
        let id = ids.hash([DIGEST.as_bytes(), day.as_bytes(), member.name.as_bytes()]);
        Some(Message {
            key: OutboxRef {
                class: Class::Notice,
                deadline: not_before.saturating_add(LASTS).unwrap_or(Timestamp::MAX),
                id: MessageId(id),
            },
            not_before,
            due: self.at,
            addressee: Addressee {
                name: match member.language {
                    Language::ZhCn => "诊所日报".to_owned(),
                    Language::En => "Clinic digest".to_owned(),
                },
                language: member.language,
                zone: zone.clone(),
            },
            to: Recipient::Staff(member.name.clone()),
            body: Body::Digest(self.clone()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::QuietHours;
    use jiff::civil::time;

    fn member(alerts: &[&str]) -> StaffMember {
        StaffMember {
            name: "Dr Hao".to_owned(),
            language: Language::ZhCn,
            alerts: alerts.iter().map(|it| (*it).to_owned()).collect(),
            quiet_hours: None,
            refuses: false,
        }
    }

    fn digest(at: &str) -> Digest {
        Digest {
            day: "2026-03-23".parse().unwrap(),
            at: at.parse().unwrap(),
            ..Digest::default()
        }
    }

    #[test]
    fn each_dose_of_the_day_stands_in_one_count() {
        let mut figures = Figures {
            taken: 80,
            on_time: 70,
            skipped: 1,
            said_not_taken: 2,
            no_answer: 3,
            open: 4,
            cancelled: 50,
            ..Figures::default()
        };
        figures.not_sent[1] = 5;
        figures.not_sent[3] = 6;
        let mut digest = digest("2026-03-24T00:00:00Z");
        digest.add(&figures);
        digest.add(&figures);
        assert_eq!(digest.due, 2 * (80 + 1 + 2 + 3 + 4 + 5 + 6));
        let told = digest.taken + digest.missed + digest.skipped + digest.open;
        assert_eq!(told + digest.expired_in_all(), digest.due);
        let reasons = [(ExpiredReason::ALL[1], 10), (ExpiredReason::ALL[3], 12)];
        assert_eq!(digest.expired, reasons);
    }

    #[test]
    fn one_who_does_not_want_it_or_refuses_gets_none() {
        let (zone, ids) = (Zone::get("Asia/Shanghai").unwrap(), IdKey::new(&[7; 32]));
        let of =
            |member: &StaffMember| digest("2026-03-24T00:00:00Z").for_member(member, &zone, &ids);
        assert!(of(&member(&["red_flag"])).is_none());
        let mut refusing = member(&["digest"]);
        refusing.refuses = true;
        assert!(of(&refusing).is_none());
        let message = of(&member(&["digest"])).unwrap();
        assert_eq!(message.key.class, Class::Notice);
        assert_eq!(message.to, Recipient::Staff("Dr Hao".to_owned()));
        assert_eq!(message.not_before, message.due);
    }

    #[test]
    fn the_same_day_is_the_same_message_whenever_it_is_made() {
        let (zone, ids) = (Zone::get("Asia/Shanghai").unwrap(), IdKey::new(&[7; 32]));
        let id = |at, name: &str| {
            let mut member = member(&["digest"]);
            member.name = name.to_owned();
            digest(at).for_member(&member, &zone, &ids).unwrap().key.id
        };
        let morning = id("2026-03-24T00:00:00Z", "Dr Hao");
        assert_eq!(morning, id("2026-03-24T09:00:00Z", "Dr Hao"));
        assert_ne!(morning, id("2026-03-24T00:00:00Z", "Nurse Li"));
    }

    #[test]
    fn in_quiet_hours_it_waits_and_then_has_its_time() {
        let (zone, ids) = (Zone::get("Asia/Shanghai").unwrap(), IdKey::new(&[7; 32]));
        let mut member = member(&["digest"]);
        member.quiet_hours = Some(QuietHours {
            from: time(21, 30, 0, 0),
            until: time(9, 0, 0, 0),
        });
        // 07:30 in Shanghai.
        let message = digest("2026-03-23T23:30:00Z")
            .for_member(&member, &zone, &ids)
            .unwrap();
        let nine: Timestamp = "2026-03-24T01:00:00Z".parse().unwrap();
        assert_eq!(message.not_before, nine);
        assert_eq!(message.key.deadline, nine + LASTS);
    }
}
