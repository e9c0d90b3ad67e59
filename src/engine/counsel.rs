//! What somebody at the clinic writes: an answer to news of a patient goes to that patient.

use super::{AdviceAsked, Conversation, Millis, NOBODY, Reply};
use jiff::{SignedDuration, Timestamp};

/// Words are taken as an answer to news for so long.
const ANSWERS_FOR: SignedDuration = SignedDuration::from_hours(1);

/// A numbered list is our last message for so long; then it is forgotten.
const ASKED_FOR: SignedDuration = SignedDuration::from_hours(2);

/// Numbers in a list, at most: a phone's screen.
const CHOICES_MAX: usize = 9;

/// A patient of whom a member of staff was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldOf {
    /// The patient's number; that of nobody for a stranger, who cannot be answered.
    pub patient: u32,
    /// The patient's name.
    pub name: String,
    /// When last.
    pub at: Timestamp,
}

/// What follows from the words of a member of staff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counsel {
    /// The next state of the talk.
    pub conversation: Conversation,
    /// Which patient is told what.
    pub advice: Option<(u32, String)>,
    /// What is said in return where nobody is told.
    pub reply: Option<Reply>,
}

/// Decides whom the words of a member of staff are for: the one patient of whom they were told
/// within the last hour, or whichever of several they name by its number in our list.
///
/// Total and deterministic. What is said to a patient is never guessed.
#[must_use]
pub fn counsel(
    mut conversation: Conversation,
    told: &[ToldOf],
    text: &str,
    now: Timestamp,
) -> Counsel {
    conversation.note_hearing();
    conversation.window.note_writing(now);
    let asked = conversation.advice_asked.take();
    let asked = asked.filter(|it| now >= it.at.0 && now.duration_since(it.at.0) < ASKED_FOR);
    let number = text.trim().parse::<usize>().ok();
    let chosen = asked.as_ref().zip(number).and_then(|(asked, number)| {
        let patient = *asked.patients.get(number.checked_sub(1)?)?;
        Some((patient, asked.text.clone()))
    });
    if chosen.is_some() {
        return to_somebody(conversation, chosen);
    }
    if let (Some(asked), Some(_)) = (&asked, number) {
        // A number that is not in the list is no advice for anybody: the list is shown again.
        let known = |patient: &u32| told.iter().find(|it| it.patient == *patient);
        let names = asked.patients.iter().filter_map(known);
        let choices = names.map(|it| it.name.clone()).collect();
        conversation.advice_asked = Some(asked.clone());
        return Counsel {
            conversation,
            advice: None,
            reply: Some(Reply::AdviseWhom { choices }),
        };
    }
    let lately = |it: &&ToldOf| now >= it.at && now.duration_since(it.at) < ANSWERS_FOR;
    let mut recent: Vec<&ToldOf> = told.iter().filter(lately).collect();
    // The latest first: most likely it is meant.
    recent.sort_by_key(|it| (std::cmp::Reverse(it.at), it.patient));
    recent.truncate(CHOICES_MAX);
    let reply = match recent[..] {
        [] => Reply::NobodyToAdvise,
        [only] => return to_somebody(conversation, Some((only.patient, text.to_owned()))),
        _ => {
            conversation.advice_asked = Some(AdviceAsked {
                text: text.to_owned(),
                patients: recent.iter().map(|it| it.patient).collect(),
                at: Millis(now),
            });
            let choices = recent.iter().map(|it| it.name.clone()).collect();
            Reply::AdviseWhom { choices }
        }
    };
    Counsel {
        conversation,
        advice: None,
        reply: Some(reply),
    }
}

/// Words for one patient; nothing can be said to somebody whom nobody knows.
fn to_somebody(conversation: Conversation, advice: Option<(u32, String)>) -> Counsel {
    let advice = advice.filter(|(patient, _)| *patient != NOBODY);
    let reply = advice.is_none().then_some(Reply::NobodyToAdvise);
    Counsel {
        conversation,
        advice,
        reply,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Language;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_772_409_600 + minutes * 60).unwrap()
    }

    fn told(patient: u32, minutes: i64) -> ToldOf {
        ToldOf {
            patient,
            name: format!("P{patient}"),
            at: at(minutes),
        }
    }

    fn whom(names: &[&str]) -> Reply {
        let choices = names.iter().map(|it| (*it).to_owned()).collect();
        Reply::AdviseWhom { choices }
    }

    #[test]
    fn words_within_an_hour_of_news_go_to_its_patient_and_to_nobody_else() {
        for (told, now, advice, reply) in [
            (vec![], 0, None, Some(Reply::NobodyToAdvise)),
            (vec![told(7, 0)], 59, Some(7), None),
            (vec![told(7, 0)], 60, None, Some(Reply::NobodyToAdvise)),
            (vec![told(7, 5)], 4, None, Some(Reply::NobodyToAdvise)),
            (vec![told(7, 0), told(8, 30)], 61, Some(8), None),
            (
                vec![told(7, 0), told(8, 30)],
                40,
                None,
                Some(whom(&["P8", "P7"])),
            ),
        ] {
            let talk = Conversation::new(Language::En);
            let found = counsel(talk, &told, "Rest", at(now));
            let advice = advice.map(|patient| (patient, "Rest".to_owned()));
            assert_eq!(
                (found.advice, found.reply),
                (advice, reply),
                "{told:?} {now}"
            );
            assert!(found.conversation.window.is_open(at(now)));
        }
    }

    #[test]
    fn after_the_alarm_of_a_stranger_no_patient_gets_words_that_were_meant_for_them() {
        let talk = || Conversation::new(Language::En);
        let alone = counsel(talk(), &[told(NOBODY, 0)], "Rest", at(1));
        assert_eq!(
            (alone.advice, alone.reply),
            (None, Some(Reply::NobodyToAdvise))
        );
        let both = [told(7, 0), told(NOBODY, 30)];
        let asked = counsel(talk(), &both, "Rest", at(31));
        assert_eq!(asked.advice, None);
        assert_eq!(asked.reply, Some(whom(&["P0", "P7"])));
        let stranger = counsel(asked.conversation.clone(), &both, "1", at(32));
        assert_eq!(
            (stranger.advice, stranger.reply),
            (None, Some(Reply::NobodyToAdvise))
        );
        let patient = counsel(asked.conversation, &both, "2", at(32));
        assert_eq!(patient.advice, Some((7, "Rest".to_owned())));
    }

    #[test]
    fn the_number_in_our_list_says_whom_the_words_before_were_for() {
        let told = [told(7, 0), told(8, 30)];
        let asked = counsel(Conversation::new(Language::En), &told, "Rest", at(40));
        for (text, now, advice, reply) in [
            ("2", 41, Some((7, "Rest")), None),
            (" 1 ", 41, Some((8, "Rest")), None),
            ("3", 41, None, Some(whom(&["P8", "P7"]))),
            ("0", 41, None, Some(whom(&["P8", "P7"]))),
            // After two hours the list is forgotten, and the news is old.
            ("1", 161, None, Some(Reply::NobodyToAdvise)),
            // Other words begin anew.
            ("Drink", 41, None, Some(whom(&["P8", "P7"]))),
        ] {
            let found = counsel(asked.conversation.clone(), &told, text, at(now));
            let advice = advice.map(|(patient, words)| (patient, words.to_owned()));
            assert_eq!((found.advice, found.reply), (advice, reply), "{text} {now}");
        }
        let again = counsel(asked.conversation, &told, "Drink", at(41));
        let chosen = counsel(again.conversation, &told, "1", at(42));
        assert_eq!(chosen.advice, Some((8, "Drink".to_owned())));
        let spent = counsel(chosen.conversation, &told[..1], "1", at(43));
        assert_eq!(spent.advice, Some((7, "1".to_owned())), "no list is open");
    }
}
