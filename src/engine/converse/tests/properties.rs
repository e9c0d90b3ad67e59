//! Whatever is said, by whom, with whatever open.

use super::*;
use crate::engine::interpret::{self, Reading};
use proptest::prelude::*;

const WORDS: [&str; 34] = [
    "1",
    "2",
    "3",
    "4",
    "１",
    "吃了",
    "没吃",
    "都",
    "all",
    "不吃了",
    "等会",
    "taken",
    "later",
    "停止",
    "开始",
    "同意",
    "胸痛",
    "130/85",
    "9999",
    "7",
    "是",
    "否",
    "A",
    "B",
    "A taken",
    "B吃了",
    "8点的吃了",
    "Ming taken",
    "Lan吃了",
    "谢谢",
    "早上的药八点吃了",
    "took ibuprofen",
    "1,2",
    "",
];

const PLANS: [&str; 3] = [
    "[[medication]]\nname = \"A\"\ntake = \"1\"\nat = \"08:00, 08:40, 20:00\"\n\
     [[medication]]\nname = \"B\"\ntake = \"1\"\nat = \"08:00\"\n\
     [[check_in]]\nid = \"pain\"\nask = \"Pain?\"\nanswer = \"scale 0 to 10\"\nat = \"08:20\"\n",
    "[[medication]]\nname = \"B\"\ntake = \"1\"\nat = \"08:30\"\ncritical = true\n\
     [[medication]]\nname = \"Ibuprofen\"\ntake = \"1\"\nas_needed = \"pain\"\napart = \"6 hours\"\n\
     [[check_in]]\nid = \"bp\"\nask = \"Pressure?\"\nanswer = \"blood pressure\"\nat = \"08:10\"\n\
     days = \"mon, wed\"\n",
    "[[medication]]\nname = \"A\"\ntake = \"1\"\nevery = \"3 hours\"\nfirst = 2026-03-02T05:00:00\n\
     [[check_in]]\nid = \"how\"\nask = \"How?\"\nanswer = \"text\"\nat = \"08:00\"\n\
     days = \"mon\"\n",
];

#[derive(Clone, Debug)]
enum Happening {
    Run(i64),
    Say(String),
    Media,
    Act,
    Follow,
    Unfollow,
}

fn words() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::sample::select(&WORDS[..]).prop_map(str::to_owned),
        2 => prop::collection::vec(prop::sample::select(&WORDS[..]), 2..4)
            .prop_map(|words| words.join(" ")),
        1 => any::<String>(),
    ]
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        5 => (1_i64..200).prop_map(Happening::Run),
        1 => (1_i64..40).prop_map(|hours| Happening::Run(hours * 60)),
        12 => words().prop_map(Happening::Say),
        1 => Just(Happening::Media),
        1 => Just(Happening::Act),
        1 => Just(Happening::Follow),
        1 => Just(Happening::Unfollow),
    ]
}

/// Who somebody is to a patient, and whether they answer.
fn person() -> impl Strategy<Value = (usize, bool, bool)> {
    (0..PLANS.len(), any::<bool>(), any::<bool>())
}

/// What `converse` said of doses.
fn is_taken(said: &Said) -> bool {
    matches!(
        said,
        Said::Doses {
            report: Report::Taken(_),
            ..
        }
    )
}

/// Whether the words by themselves can mean that something was taken: read alone, with one dose
/// open, or as the number of a list, or by the name of something that is open.
fn may_mean_taken(text: &str, now: Timestamp, asked: Option<&Asked>) -> bool {
    if asked.is_some_and(|it| matches!(it.report, Report::Taken(_))) {
        // A number, a name, or all of the list.
        return true;
    }
    let zoned = now.to_zoned(jiff::tz::TimeZone::get("Asia/Shanghai").unwrap());
    let names = ["A", "B"];
    let open: Vec<_> = (1..)
        .zip(names)
        .flat_map(|(number, name)| {
            ["Ming", "Lan"].map(|patient| interpret::OpenItem {
                reference: format!("{name}{patient}"),
                number,
                kind: interpret::ItemKind::Dose,
                name: name.to_owned(),
                at: now,
                patient: Some(patient.to_owned()),
            })
        })
        .collect();
    let readings = [&open[..1], &open[..]].map(|open| {
        interpret::interpret(&interpret::Reply {
            now: &zoned,
            language: crate::plan::Language::En,
            text,
            red_flags: &[],
            open,
            recent: &[],
            as_needed: &[],
            asked_which: None,
        })
        .reading
    });
    readings.iter().any(|reading| {
        matches!(
            reading,
            Reading::Taken { .. } | Reading::AskWhich(Some(DoseAnswer::Taken))
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn what_is_said_of_patients_is_of_the_contacts_own_and_only_what_the_words_say(
        people in prop::collection::vec(person(), 0..3),
        consent in 0..3,
        happenings in prop::collection::vec(happening(), 1..40),
    ) {
        let names = ["Ming", "Lan"];
        let plans: Vec<(&str, &str)> =
            names.into_iter().zip(people.iter().map(|(plan, _, _)| PLANS[*plan])).collect();
        let mut world = World::of(&plans);
        for (patient, (_, own, answers)) in world.patients.iter_mut().zip(&people) {
            if !own {
                patient.role = Teller::Caregiver("Lei".to_owned());
                patient.answers = *answers;
                patient.own = *answers;
            }
        }
        world.conversation.consent = match consent {
            0 => Consent::NotAsked,
            1 => Consent::Asked,
            _ => Consent::Attested,
        };
        world.run("02 08:00");
        for happening in happenings {
            let before = world.conversation.clone();
            let taken: Vec<usize> = (0..world.patients.len()).map(|it| takings(&world, it)).collect();
            let text = match happening {
                Happening::Run(span) => {
                    let until = world.now + minutes(span);
                    world.run_to(until);
                    continue;
                }
                Happening::Say(text) => {
                    check(&world, &text)?;
                    world.says(&text);
                    text
                }
                Happening::Media => {
                    world.hear(Heard::Media { kind: "image", id: "1" });
                    String::new()
                }
                Happening::Act => {
                    world.hear(Heard::Acted);
                    String::new()
                }
                Happening::Follow => {
                    world.hear(Heard::Followed);
                    String::new()
                }
                Happening::Unfollow => {
                    world.hear(Heard::Unfollowed);
                    String::new()
                }
            };
            for (index, before_taken) in taken.into_iter().enumerate() {
                if takings(&world, index) == before_taken {
                    continue;
                }
                prop_assert!(world.patients[index].answers, "{text}: by one who does not answer");
                // Whoever writes follows, whatever became of the word of that.
                let mut allowed = before.clone();
                allowed.following = world.conversation.following;
                prop_assert_eq!(allowed.bars(), None, "{}: before consent", text);
                prop_assert!(
                    may_mean_taken(&text, world.now, before.asked.as_ref()),
                    "{text}: says nothing of that"
                );
            }
            // What is remembered is bounded.
            let conversation = &world.conversation;
            prop_assert!(conversation.hinted.len() <= 16);
            if let Some(asked) = &conversation.asked {
                let mut numbers: Vec<u32> = asked.choices.iter().map(|it| it.0).collect();
                numbers.dedup();
                prop_assert!(numbers.is_sorted(), "{numbers:?}");
            }
        }
    }
}

/// How many doses were closed as taken.
fn takings(world: &World, patient: usize) -> usize {
    let closed = world.closed(patient);
    closed.iter().filter(|it| it.ends_with(" taken")).count()
}

/// A bare answer where no list is out means what one message, and one only, asked for.
fn check_bare(world: &World, text: &str, conversed: &Conversed) -> Result<(), TestCaseError> {
    let asked = world.conversation.asked.is_some();
    if asked || !["1", "１", "吃了", "taken", "3", "不吃了"].contains(&text) {
        return Ok(());
    }
    let doses = conversed
        .said
        .iter()
        .filter_map(|(number, said)| match said {
            Said::Doses { doses, .. } => Some((*number, doses)),
            _ => None,
        });
    let mut messages = Vec::new();
    for (number, doses) in doses {
        let index = usize::try_from(number).unwrap() - 1;
        let state = &world.patients[index].shell.state;
        for (id, due) in doses {
            let open = state.doses.iter();
            let mut open = open.filter(|it| it.medication == *id && it.due == *due);
            let Some(dose) = open.next() else {
                // Nothing waits: what was closed may be meant, and nothing else is touched.
                let waits = |it: &&OpenDose| it.due <= world.now && !it.sending.messages.is_empty();
                let waiting = world.patients.iter().filter(|it| it.answers);
                let waiting = waiting.flat_map(|it| it.shell.state.doses.iter().filter(waits));
                prop_assert_eq!(waiting.count(), 0, "{}: {} {}", text, id, due);
                continue;
            };
            messages.push((number, dose.sending.messages.last().copied()));
        }
    }
    messages.dedup();
    prop_assert!(messages.len() <= 1, "{text}: {messages:?}");
    Ok(())
}

/// What the words come to, before they have an effect.
fn check(world: &World, text: &str) -> Result<(), TestCaseError> {
    let people: Vec<Person<'_>> = (1..)
        .zip(&world.patients)
        .map(|(number, patient)| Person {
            number,
            role: &patient.role,
            answers: patient.answers,
            own: patient.own,
            plan: &patient.plan,
            state: &patient.shell.state,
            under_way: &patient.shell.claimed,
        })
        .collect();
    let terms = TalkTerms {
        red_flags: &world.red_flags,
        consent_version: "c0ffee",
        is_open: world.is_open,
    };
    let conversed = converse(
        world.conversation.clone(),
        &people,
        Heard::Words(text),
        &terms,
        world.now,
    );
    // Nothing that is written is lost: it is answered, or kept.
    let heard = !conversed.replies.is_empty() || !conversed.said.is_empty();
    prop_assert!(heard || conversed.stranger.is_some(), "{text}: lost");
    if people.is_empty() {
        prop_assert!(conversed.said.is_empty());
    }
    check_bare(world, text, &conversed)?;
    let flagged = RED_FLAGS.contains(&text);
    if flagged {
        prop_assert_eq!(&conversed.replies[..], &[Reply::RedFlag]);
        let all = people.len();
        let kept = conversed.said.iter();
        let kept = kept.filter(|(_, said)| matches!(said, Said::Words { .. }));
        prop_assert_eq!(kept.count(), all, "each one's file has it");
    }
    for (number, said) in &conversed.said {
        let person = people.iter().find(|it| it.number == *number);
        let Some(person) = person else {
            return Err(TestCaseError::fail("of somebody else's patient"));
        };
        let doses = match said {
            Said::Doses { doses, .. } => &doses[..],
            _ => &[],
        };
        for (id, due) in doses {
            let open = person.state.doses.iter();
            let recent = person.state.recent.iter().map(|it| &it.dose);
            let known = open
                .chain(recent)
                .any(|it| it.medication == *id && it.due == *due);
            prop_assert!(known && *due <= world.now, "{id} {due}");
        }
        if is_taken(said) {
            prop_assert!(!doses.is_empty());
        }
    }
    Ok(())
}
