//! Words that cannot wait, of somebody whom nobody knows: staff is told, as of a patient. Anybody
//! may write to the account, so within limits: a flood of strangers must not drown the patients.

use super::{
    Addressee, Alert, Body, Class, IdKey, Message, MessageId, News, OutboxRef, Recipient,
    StaffMember,
};
use crate::plan::{Language, Zone};
use jiff::{SignedDuration, Timestamp};

/// The number of nobody: the first patient has 1.
pub const NOBODY: u32 = 0;

/// Within an hour staff is told so often of strangers; of each one once.
const HOURLY_MAX: usize = 6;

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// What nobody could be told for so long is told no more: the inbox has it.
const LASTS: SignedDuration = SignedDuration::from_hours(24);

/// Words of a stranger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StrangersWords {
    /// The words.
    pub text: String,
    /// They hold a phrase that cannot wait.
    pub red_flag: bool,
}

/// Of whom staff was told within the last hour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StrangerAlarms(Vec<(Timestamp, u32)>);

impl StrangerAlarms {
    /// Whether staff is told now of what this contact wrote; it is counted then.
    pub fn may_tell(&mut self, contact: u32, now: Timestamp) -> bool {
        // Under a clock that was set back an hour is as long as ever.
        self.0
            .retain(|(at, _)| now.duration_since(*at).abs() < HOUR);
        let is_known = self.0.iter().any(|(_, known)| *known == contact);
        let may = !is_known && self.0.len() < HOURLY_MAX;
        if may {
            self.0.push((now, contact));
        }
        may
    }
}

/// What staff calls somebody whom nobody knows, where the number is not known either.
#[must_use]
pub fn name_of_stranger(language: Language) -> &'static str {
    match language {
        Language::ZhCn => "身份不明者",
        Language::En => "Unknown sender",
    }
}

/// The alarm for one member of staff, or none, if they do not want to know of red flags. The same
/// words at the same moment have the same id.
#[must_use]
pub fn alarm_of_stranger(
    member: &StaffMember,
    (contact, text): (u32, &str),
    now: Timestamp,
    zone: &Zone,
    ids: &IdKey,
) -> Option<Message> {
    let news = News::RedFlag {
        text: text.to_owned(),
    };
    if !member.alerts.iter().any(|it| it == news.name()) {
        return None;
    }
    let (number, at) = (contact.to_le_bytes(), now.as_millisecond().to_le_bytes());
    let id = ids.hash([b"stranger", &number[..], &at, member.name.as_bytes()]);
    Some(Message {
        key: OutboxRef {
            class: Class::Critical,
            deadline: now.saturating_add(LASTS).unwrap_or(Timestamp::MAX),
            id: MessageId(id),
        },
        not_before: now,
        due: now,
        addressee: Addressee {
            // As in the inbox, so that the words are found there.
            name: format!("{} {contact}", name_of_stranger(member.language)),
            language: member.language,
            zone: zone.clone(),
        },
        to: Recipient::Staff(member.name.clone()),
        body: Body::Alert(Alert { news, at: now }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_772_409_600 + minutes * 60).unwrap()
    }

    #[test]
    fn of_each_stranger_once_an_hour_and_of_all_of_them_a_few_times() {
        let mut alarms = StrangerAlarms::default();
        assert!(alarms.may_tell(1, at(0)));
        assert!(!alarms.may_tell(1, at(59)), "of each one once");
        assert!(alarms.may_tell(1, at(60)));
        let flood = (0..10_000).filter(|it| alarms.may_tell(100 + it, at(61)));
        assert_eq!(flood.count(), HOURLY_MAX - 1);
        assert!(alarms.0.len() <= HOURLY_MAX, "memory does not grow");
        assert!(!alarms.may_tell(2, at(119)));
        assert!(alarms.may_tell(2, at(121)), "after an hour it begins anew");
    }

    #[test]
    fn a_clock_that_is_set_back_silences_nobody() {
        let mut alarms = StrangerAlarms::default();
        for contact in 1..=6 {
            assert!(alarms.may_tell(contact, at(10_000)));
        }
        assert!(!alarms.may_tell(7, at(9_990)));
        assert!(alarms.may_tell(7, at(0)));
    }

    #[test]
    fn an_alarm_passes_quiet_hours_and_goes_to_who_wants_to_know() {
        let (zone, ids) = (Zone::get("Asia/Shanghai").unwrap(), IdKey::new(&[7; 32]));
        let mut member = StaffMember {
            name: "Dr Hao".to_owned(),
            language: Language::ZhCn,
            alerts: vec!["red_flag".to_owned()],
            quiet_hours: Some(crate::plan::QuietHours {
                from: jiff::civil::time(0, 0, 0, 0),
                until: jiff::civil::time(23, 59, 0, 0),
            }),
            // Alarms are tried there all the same.
            refuses: true,
        };
        let alarm =
            |member: &StaffMember, now| alarm_of_stranger(member, (17, "胸痛"), now, &zone, &ids);
        let message = alarm(&member, at(0)).unwrap();
        assert_eq!(message.not_before, at(0));
        assert_eq!(message.key.class, Class::Critical);
        assert_eq!(message.addressee.name, "身份不明者 17");
        assert_eq!(alarm(&member, at(0)).unwrap().key.id, message.key.id);
        assert_ne!(alarm(&member, at(1)).unwrap().key.id, message.key.id);
        member.alerts = vec!["digest".to_owned()];
        assert_eq!(alarm(&member, at(0)), None);
    }
}
