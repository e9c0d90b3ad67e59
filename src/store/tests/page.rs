//! The patient's page, as transactions: who may see it, and what a press comes to.

use super::receive::talk;
use super::talk::{entries, push, reasons, without_address};
use super::*;
use crate::engine::PressFault;
use crate::engine::{
    DoseState, Entry, Field, FormId, Link, Millis, Press, Sheet, Subject, Teller, Value,
};
use crate::plan::AnswerType;
use std::sync::atomic::{AtomicU64, Ordering};

const EIGHT: i64 = 8 * 3600;

/// Two medicines at eight, one as needed, two questions.
const PLAN: &str = "name = \"Wang\"\n\
    [[medication]]\nname = \"Metformin\"\ntake = \"1 tablet\"\nat = \"08:00, 20:00\"\n\
    note = \"with food\"\n\
    [[medication]]\nname = \"Amlodipine\"\ntake = \"1 tablet\"\nat = \"08:00\"\n\
    [[medication]]\nname = \"Ibuprofen\"\ntake = \"1 tablet\"\nas_needed = \"pain\"\n\
    at_most = \"2 a day\"\napart = \"6 hours\"\n\
    [[check_in]]\nid = \"bp\"\nask = \"Blood pressure?\"\nanswer = \"blood pressure\"\n\
    at = \"08:00\"\n\
    [[check_in]]\nid = \"how\"\nask = \"How are you?\"\nanswer = \"text\"\nat = \"08:00\"\n";

struct World {
    store: Store,
    commits: Arc<AtomicU64>,
    directory: tempfile::TempDir,
    link: Link,
}

/// Patient 1 is `a`, whose contact is 1; all that is due at eight was sent.
async fn world() -> World {
    let directory = tempfile::tempdir().unwrap();
    let commits = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&commits);
    let telemetry = Telemetry::new(move |_, _| {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    let store = Store::open(&options(&directory), Arc::new(telemetry)).unwrap();
    store.set_desk(hour(7), true, Vec::new()).await.unwrap();
    apply(&store, hour(7), vec![change("a", PLAN)]).await;
    apply(&store, hour(7), vec![change("b", PLAN)]).await;
    fire(&store, hour(8)).await;
    for queued in super::talk::claim(&store, hour(8)).await {
        settle(&store, hour(8), &queued, accepted(hour(8))).await;
    }
    World {
        store,
        commits,
        directory,
        link: Link {
            patient: 1,
            contact: 1,
            expires: hour(32),
        },
    }
}

fn doses(ids: &[&str]) -> Subject {
    Subject::Doses(
        ids.iter()
            .map(|id| ((*id).to_owned(), Millis(hour(8))))
            .collect(),
    )
}

fn question(id: &str) -> Subject {
    Subject::CheckIn(id.to_owned(), Millis(hour(8)))
}

fn typed(words: &str) -> Press {
    Press::Answer(Field::Words(words.to_owned()))
}

const TAKEN: Press = Press::Taken { clock: None };

impl World {
    fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    async fn press_with(
        &self,
        link: Link,
        now: Timestamp,
        form: FormId,
        subject: Subject,
        press: Press,
    ) -> PressDone {
        self.press_shown(link, (now, now), form, subject, press)
            .await
    }

    async fn press_shown(
        &self,
        link: Link,
        (shown, now): (Timestamp, Timestamp),
        form: FormId,
        subject: Subject,
        press: Press,
    ) -> PressDone {
        let pressed = PressedForm {
            link,
            form,
            shown,
            subject,
            press,
        };
        let fits = Arc::new(Unlimited);
        let done = self.store.press(now, vec![pressed], talk(), fits, DAY);
        done.await.unwrap()
    }

    /// A press a minute past eight, in words.
    async fn press(&self, form: u8, subject: Subject, press: Press) -> String {
        let now = at(EIGHT + 60);
        let done = self.press_with(self.link, now, [form; 16], subject, press);
        match done.await.outcomes.remove(0) {
            PressOutcome::Noted(words) => words,
            PressOutcome::UsedUp => "used up".to_owned(),
            PressOutcome::NoPage => "no page".to_owned(),
            PressOutcome::Refused(fault) => format!("{fault:?}"),
        }
    }

    async fn sheet(&self, now: Timestamp) -> Option<Sheet> {
        self.store.sheet(now, self.link).await.unwrap()
    }

    async fn closings(&self) -> Vec<(String, DoseState)> {
        let closed = entries(&self.store).await.into_iter();
        let closed = closed.filter_map(|entry| match entry {
            Entry::DoseClosed(dose) => Some((dose.medication, dose.state)),
            _ => None,
        });
        closed.collect()
    }
}

#[tokio::test]
async fn many_presses_are_one_commit_and_each_has_its_own_outcome() {
    let world = world().await;
    let other = Link {
        patient: 2,
        contact: 2,
        ..world.link
    };
    let nobody = Link {
        patient: 2,
        contact: 1,
        ..world.link
    };
    let form = |link, form: u8, ids: &[&str], press| PressedForm {
        link,
        form: [form; 16],
        shown: at(EIGHT + 60),
        subject: doses(ids),
        press,
    };
    let skipped = Press::Skipped { reason: None };
    let batch = vec![
        form(world.link, 1, &["Metformin"], TAKEN),
        form(other, 2, &["Metformin"], TAKEN),
        form(nobody, 3, &["Metformin"], TAKEN),
        // Twice in one batch: the second is the first, pressed again.
        form(world.link, 1, &["Metformin"], TAKEN),
        form(world.link, 1, &["Metformin"], skipped),
        form(world.link, 4, &["Never"], TAKEN),
        form(world.link, 5, &["Amlodipine"], TAKEN),
    ];
    let before = world.commits();
    let fits = Arc::new(Unlimited);
    let done = world.store.press(at(EIGHT + 60), batch, talk(), fits, DAY);
    let done = done.await.unwrap();
    assert_eq!(world.commits() - before, 1);
    let said: Vec<&str> = done
        .outcomes
        .iter()
        .map(|it| match it {
            PressOutcome::Noted(_) => "noted",
            PressOutcome::UsedUp => "used up",
            PressOutcome::NoPage => "no page",
            PressOutcome::Refused(_) => "refused",
        })
        .collect();
    assert_eq!(
        said,
        [
            "noted", "noted", "no page", "noted", "used up", "refused", "noted"
        ]
    );
    assert_eq!(done.tally.doses.iter().sum::<u64>(), 3);
    assert_eq!(world.closings().await.len(), 3);
}

#[tokio::test]
async fn the_page_shows_what_waits_and_to_look_at_it_changes_nothing() {
    let world = world().await;
    let before = entries(&world.store).await;
    let sheet = world.sheet(at(EIGHT + 60)).await.unwrap();
    assert_eq!(sheet.name, "Wang");
    let names: Vec<_> = sheet.doses[0]
        .lines
        .iter()
        .map(|it| it.name.as_str())
        .collect();
    assert_eq!(names, ["Metformin", "Amlodipine"]);
    assert_eq!(sheet.doses[0].lines[0].note.as_deref(), Some("with food"));
    let asked: Vec<_> = sheet.questions.iter().map(|it| &it.answer).collect();
    assert_eq!(asked, [&AnswerType::BloodPressure, &AnswerType::Text]);
    let ahead: Vec<_> = sheet
        .ahead
        .iter()
        .map(|it| (it.label.as_str(), it.due))
        .collect();
    assert_eq!(ahead, [("Metformin", hour(20))]);
    assert_eq!(sheet.as_needed[0].allowed_from, Some(at(EIGHT + 60)));
    assert!(sheet.closed.is_empty() && sheet.advice.is_none());
    for _ in 0..3 {
        assert_eq!(world.sheet(at(EIGHT + 60)).await.as_ref(), Some(&sheet));
    }
    assert_eq!(entries(&world.store).await, before);
}

#[tokio::test]
async fn a_press_counts_once_for_the_dose_that_its_form_named() {
    let world = world().await;
    let noted = world.press(1, doses(&["Metformin"]), TAKEN).await;
    assert_eq!(noted, "Taken");
    let taken = ("Metformin".to_owned(), DoseState::Taken);
    assert_eq!(world.closings().await, std::slice::from_ref(&taken));
    let before = entries(&world.store).await;
    // Pressed twice: as answered before, and nothing happens.
    assert_eq!(world.press(1, doses(&["Metformin"]), TAKEN).await, "Taken");
    // The same old page, another button.
    let skip = || Press::Skipped { reason: None };
    assert_eq!(
        world.press(1, doses(&["Metformin"]), skip()).await,
        "used up"
    );
    assert_eq!(entries(&world.store).await, before);
    let sheet = world.sheet(at(EIGHT + 120)).await.unwrap();
    assert_eq!(sheet.doses[0].lines.len(), 1);
    assert_eq!(sheet.closed[0].state, DoseState::Taken);
    assert_eq!(sheet.closed[0].taken_at, Some(at(EIGHT + 60)));
    // A new page corrects it, as words of the talk do; and back.
    assert_eq!(
        world.press(2, doses(&["Metformin"]), skip()).await,
        "Skipped"
    );
    assert_eq!(
        world.press(3, doses(&["Metformin"]), Press::NotTaken).await,
        "NotTaken"
    );
    assert_eq!(world.press(4, doses(&["Metformin"]), TAKEN).await, "Taken");
    let skipped = ("Metformin".to_owned(), DoseState::Skipped);
    assert_eq!(world.closings().await, [taken.clone(), skipped, taken]);
}

/// How many messages about patient 1 wait.
async fn of_wang(store: &Store) -> usize {
    let waiting = waiting(store).await;
    waiting.iter().filter(|it| it.patient == 1).count()
}

#[tokio::test]
async fn an_answer_on_the_page_takes_back_what_waits_and_snoozes_as_one_in_the_talk() {
    let world = world().await;
    let later = Press::Later { minutes: Some(60) };
    let now = at(EIGHT + 60);
    let both = doses(&["Metformin", "Amlodipine"]);
    let done = world.press_with(world.link, now, [1; 16], both.clone(), later);
    assert!(
        matches!(done.await.outcomes.remove(0), PressOutcome::Noted(words) if words == "Later")
    );
    let sheet = world.sheet(now).await.unwrap();
    let until = sheet.doses[0].lines.iter().map(|it| it.snoozed_until);
    assert_eq!(until.collect::<Vec<_>>(), [Some(at(EIGHT + 3660)); 2]);
    fire(&world.store, at(EIGHT + 3660)).await;
    assert_eq!(
        of_wang(&world.store).await,
        1,
        "the reminder that was asked for"
    );
    let done = world.press_with(world.link, at(EIGHT + 3661), [2; 16], both, TAKEN);
    let done = done.await;
    assert_eq!(done.tally.doses[0], 2);
    assert_eq!(of_wang(&world.store).await, 0, "quiet after an answer");
}

#[tokio::test]
async fn questions_are_answered_by_their_fields_and_only_once() {
    let world = world().await;
    let pressure = |upper: &str, lower: &str| {
        Press::Answer(Field::Pressure {
            upper: upper.to_owned(),
            lower: lower.to_owned(),
        })
    };
    let unreadable = world.press(1, question("bp"), pressure("1350", "85")).await;
    assert!(unreadable.starts_with("Unreadable"), "{unreadable}");
    // What was not noted has not used the form up.
    assert_eq!(
        world.press(1, question("bp"), pressure("135", "85")).await,
        "Noted"
    );
    assert_eq!(
        world.press(1, question("bp"), pressure("135", "85")).await,
        "Noted"
    );
    assert_eq!(
        world.press(2, question("bp"), pressure("140", "90")).await,
        "NotOpen"
    );
    let answers: Vec<_> = entries(&world.store)
        .await
        .into_iter()
        .filter_map(|entry| match entry {
            Entry::CheckInAnswered {
                check_in,
                value,
                by,
                ..
            } => Some((check_in, value, by)),
            _ => None,
        })
        .collect();
    let value = Value::BloodPressure {
        upper: 135,
        lower: 85,
    };
    assert_eq!(answers, [("bp".to_owned(), value, Teller::Patient)]);
    // Another kind of form than the question's.
    let yes = Press::Answer(Field::YesOrNo(true));
    assert!(
        world
            .press(3, question("how"), yes)
            .await
            .starts_with("Unreadable")
    );
    assert_eq!(world.press(4, question("how"), TAKEN).await, "Foreign");
    assert_eq!(
        world.press(5, doses(&["Metformin"]), typed("x")).await,
        "Foreign"
    );
    assert_eq!(
        world.press(6, question("nothing"), typed("x")).await,
        "NotOpen"
    );
    let long = "x".repeat(501);
    assert_eq!(
        world.press(7, question("how"), typed(&long)).await,
        "TooLong"
    );
}

#[tokio::test]
async fn words_that_cannot_wait_are_told_wherever_they_are_written() {
    let world = world().await;
    let said = world
        .press(1, question("how"), typed("Chest pain since noon"))
        .await;
    assert_eq!(said, "RedFlag\nNoted");
    let reason = Some("chest pain".to_owned());
    let said = world
        .press(2, doses(&["Metformin"]), Press::Skipped { reason })
        .await;
    assert_eq!(said, "RedFlag\nSkipped");
    assert!(
        !reasons(&world.store).await.is_empty(),
        "somebody is to ring"
    );
    let flagged = entries(&world.store).await.into_iter();
    let flagged = flagged.filter(|it| matches!(it, Entry::Wrote { red_flag: true, .. }));
    assert_eq!(flagged.count(), 2);
    // "Stop" in a field is an answer and ends nothing.
    let said = world.press(
        3,
        doses(&["Amlodipine"]),
        Press::Skipped {
            reason: Some("stop".to_owned()),
        },
    );
    assert_eq!(said.await, "Skipped");
}

#[tokio::test]
async fn a_medicine_taken_as_needed_is_guarded_and_a_double_press_is_one_taking() {
    let world = world().await;
    let ibuprofen = || Subject::AsNeeded("Ibuprofen".to_owned());
    assert_eq!(world.press(1, ibuprofen(), TAKEN).await, "AsNeeded");
    assert_eq!(world.press(1, ibuprofen(), TAKEN).await, "AsNeeded");
    let sheet = world.sheet(at(EIGHT + 120)).await.unwrap();
    assert_eq!(sheet.as_needed[0].last, Some(at(EIGHT + 60)));
    assert_eq!(
        sheet.as_needed[0].allowed_from,
        Some(at(EIGHT + 60 + 6 * 3600))
    );
    assert_eq!(world.press(2, ibuprofen(), TAKEN).await, "AsNeededTooSoon");
    let takings = entries(&world.store).await.into_iter();
    let takings = takings.filter(|it| matches!(it, Entry::TakenAsNeeded { .. }));
    assert_eq!(takings.count(), 1);
    let metformin = Subject::AsNeeded("Metformin".to_owned());
    assert_eq!(world.press(3, metformin, TAKEN).await, "NotOpen");
}

#[tokio::test]
async fn what_is_not_open_any_more_is_not_answered_by_an_old_page() {
    let world = world().await;
    // The plan changes while the page is open.
    let text = PLAN.replace("Amlodipine", "Losartan");
    apply(&world.store, at(EIGHT + 30), vec![change("a", &text)]).await;
    assert_eq!(
        world.press(1, doses(&["Amlodipine"]), TAKEN).await,
        "NotOpen"
    );
    assert_eq!(world.press(2, doses(&["Never"]), TAKEN).await, "NotOpen");
    // Not yet due.
    let evening = Subject::Doses(vec![("Metformin".to_owned(), Millis(hour(20)))]);
    assert_eq!(world.press(3, evening, TAKEN).await, "NotOpen");
    // Of two the one that is left.
    assert_eq!(
        world
            .press(4, doses(&["Metformin", "Amlodipine"]), TAKEN)
            .await,
        "Taken"
    );
    let taken = world
        .closings()
        .await
        .into_iter()
        .filter(|(_, it)| *it == DoseState::Taken);
    assert_eq!(taken.map(|(id, _)| id).collect::<Vec<_>>(), ["Metformin"]);
}

#[tokio::test]
async fn a_time_said_is_kept_and_one_that_cannot_be_is_refused() {
    let world = world().await;
    let then = |hour, minute| Press::Taken {
        clock: Some((hour, minute)),
    };
    assert_eq!(
        world.press(1, doses(&["Metformin"]), then(7, 50)).await,
        "Taken"
    );
    assert_eq!(
        world.press(2, doses(&["Amlodipine"]), then(23, 59)).await,
        "NotThen"
    );
    assert_eq!(
        world.press(3, doses(&["Amlodipine"]), then(99, 0)).await,
        "NotThen"
    );
    let sheet = world.sheet(at(EIGHT + 120)).await.unwrap();
    assert_eq!(sheet.closed[0].taken_at, Some(at(EIGHT - 600)));
}

#[tokio::test]
async fn only_who_answers_for_the_patient_and_is_reached_sees_the_page() {
    let world = world().await;
    let now = at(EIGHT + 60);
    let of = |patient, contact| Link {
        patient,
        contact,
        ..world.link
    };
    // Another patient's contact, and numbers that nobody has.
    for link in [of(1, 2), of(2, 1), of(1, 9), of(9, 1)] {
        assert_eq!(world.store.sheet(now, link).await.unwrap(), None);
        let done = world.press_with(link, now, [9; 16], doses(&["Metformin"]), TAKEN);
        assert!(matches!(
            done.await.outcomes.remove(0),
            PressOutcome::NoPage
        ));
    }
    assert!(world.store.sheet(now, of(2, 2)).await.unwrap().is_some());
    assert!(world.closings().await.is_empty());

    // Stopped, and begun again.
    let words = |text: &str| What::Words(text.to_owned());
    push(&world.store, now, "openid-a", words("STOP")).await;
    assert_eq!(world.sheet(now).await, None);
    assert_eq!(
        world.press(1, doses(&["Metformin"]), TAKEN).await,
        "no page"
    );
    push(&world.store, at(EIGHT + 61), "openid-a", words("START")).await;
    assert!(world.sheet(now).await.is_some());
    // Gone, for good as far as anybody knows.
    push(&world.store, at(EIGHT + 62), "openid-a", What::Unfollowed).await;
    assert_eq!(world.sheet(now).await, None);
    assert_eq!(
        world.press(1, doses(&["Metformin"]), TAKEN).await,
        "no page"
    );
    assert!(world.closings().await.is_empty());
    // The plan has ended.
    end(&world.store, at(EIGHT + 63), "b").await;
    assert_eq!(world.store.sheet(now, of(2, 2)).await.unwrap(), None);
}

#[tokio::test]
async fn a_contact_that_was_let_go_keeps_no_page_and_one_without_consent_gets_none() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    store.set_desk(hour(0), true, Vec::new()).await.unwrap();
    apply(&store, hour(0), vec![without_address("wang", TWICE)]).await;
    let enrol = async |now: Timestamp, secret: &'static str| {
        let enrolment = Enrolment {
            patient: "wang".to_owned(),
            caregiver: None,
            expires: now + SignedDuration::from_mins(30),
        };
        store
            .enrol(now, enrolment, secret.to_owned())
            .await
            .unwrap();
    };
    let scan = |secret: &str| What::Scanned {
        secret: secret.to_owned(),
    };
    let words = |text: &str| What::Words(text.to_owned());
    let link = |contact| Link {
        patient: 1,
        contact,
        expires: hour(30),
    };
    let shown = async |contact| store.sheet(hour(5), link(contact)).await.unwrap().is_some();
    enrol(hour(1), "s1").await;
    push(&store, hour(1), "openid-a", scan("s1")).await;
    assert!(!shown(1).await, "not agreed yet");
    push(&store, hour(2), "openid-a", words("agree")).await;
    assert!(shown(1).await);
    enrol(hour(3), "s2").await;
    push(&store, hour(3), "openid-b", scan("s2")).await;
    assert!(!shown(1).await, "a new phone takes its place");
    push(&store, hour(4), "openid-b", words("agree")).await;
    assert!(shown(2).await && !shown(1).await);
}

#[tokio::test]
async fn the_key_of_links_is_made_once_and_kept() {
    let world = world().await;
    let sealed = world
        .store
        .link_key(hour(8))
        .await
        .unwrap()
        .seal(&world.link);
    let again = world.store.link_key(hour(9)).await.unwrap();
    assert_eq!(again.open(&sealed, hour(9)), Ok(world.link));
    world.store.close().await;
    drop(world.store);
    let store = open(&options(&world.directory));
    let kept = store.link_key(hour(9)).await.unwrap();
    assert_eq!(kept.open(&sealed, hour(9)), Ok(world.link));
    let other = tempfile::tempdir().unwrap();
    let other = open(&options(&other)).link_key(hour(9)).await.unwrap();
    assert!(other.open(&sealed, hour(9)).is_err());
}

#[tokio::test]
async fn what_the_clinic_said_last_stands_on_the_page() {
    use crate::engine::Adviser;
    let world = world().await;
    for (minute, text) in [(1, "first"), (2, "Take it after the meal.")] {
        let fits = Arc::new(Unlimited);
        let now = at(EIGHT + minute * 60);
        let by = Adviser::Operator;
        let advised = world
            .store
            .advise(now, vec![1], text.to_owned(), by, fits, DAY);
        advised.await.unwrap();
    }
    let advice = async |hours| {
        world
            .sheet(hour(hours))
            .await
            .unwrap()
            .advice
            .map(|it| it.text)
    };
    assert_eq!(advice(9).await.as_deref(), Some("Take it after the meal."));
    assert_eq!(
        advice(8 + 24 * 13).await.as_deref(),
        Some("Take it after the meal.")
    );
    assert_eq!(advice(8 + 24 * 16).await, None);
}

#[tokio::test]
async fn on_the_console_each_patient_has_the_page() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    store.set_desk(hour(7), true, Vec::new()).await.unwrap();
    let console = |patient: &str| PlanChange {
        address: Some(Address {
            channel: "console".to_owned(),
            address: patient.to_owned(),
        }),
        ..change(patient, PLAN)
    };
    apply(&store, hour(7), vec![console("a"), console("b")]).await;
    let shown = async |patient, contact| {
        let link = Link {
            patient,
            contact,
            expires: hour(30),
        };
        store.sheet(hour(8), link).await.unwrap().is_some()
    };
    assert!(shown(1, 1).await && shown(2, 2).await);
    assert!(!shown(1, 2).await && !shown(2, 1).await);
}

#[tokio::test]
async fn who_saw_a_dose_open_takes_back_no_answer_that_was_given_since() {
    let world = world().await;
    let (opened, answered, pressed) = (at(EIGHT + 60), at(EIGHT + 300), at(EIGHT + 360));
    let metformin = || doses(&["Metformin"]);
    let done = world.press_with(world.link, answered, [1; 16], metformin(), TAKEN);
    let done = done.await;
    assert!(matches!(done.outcomes[..], [PressOutcome::Noted(_)]));
    let later = Press::Later { minutes: None };
    let skipped = Press::Skipped { reason: None };
    for (form, press) in (2..).zip([later.clone(), skipped, Press::NotTaken]) {
        let shown = (opened, pressed);
        let done = world.press_shown(world.link, shown, [form; 16], metformin(), press.clone());
        let done = done.await;
        let refused = matches!(
            done.outcomes[..],
            [PressOutcome::Refused(PressFault::NotOpen)]
        );
        assert!(refused, "{press:?}");
        assert!(done.queued.is_empty(), "{press:?}");
    }
    // The same answer once more takes nothing back, and who sees that it is closed may correct it;
    // to be reminded of it again is offered for an open one only.
    let shown = (opened, pressed);
    let again = world.press_shown(world.link, shown, [5; 16], metformin(), TAKEN);
    assert!(matches!(again.await.outcomes[..], [PressOutcome::Noted(_)]));
    let fresh = (pressed, pressed);
    let done = world.press_shown(world.link, fresh, [6; 16], metformin(), later);
    let done = done.await;
    let refused = matches!(
        done.outcomes[..],
        [PressOutcome::Refused(PressFault::NotOpen)]
    );
    assert!(refused);
    let done = world.press_shown(world.link, fresh, [7; 16], metformin(), Press::NotTaken);
    assert!(matches!(done.await.outcomes[..], [PressOutcome::Noted(_)]));
}
