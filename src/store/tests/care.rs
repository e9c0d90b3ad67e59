//! The call list, and contacts that refuse news about others, as transactions.

use super::talk::{WANG, address, claim, entries, push, reasons, settle_with, staffed, write};
use super::*;
use crate::engine::{Adviser, Body, CallReason, Delivery, Entry, News, Recipient};

const LEI: &str = "openid-lei";

/// Two patients with one caregiver, whose contact the plans name.
fn with_caregiver(patient: &str, name: &str) -> PlanChange {
    let text = format!(
        "name = \"{name}\"\n[[caregiver]]\nid = \"lei\"\nname = \"Lei\"\nrelation = \"son\"\n\
         [[medication]]\nname = \"Warfarin\"\ntake = \"1 tablet\"\nat = \"08:00\"\n"
    );
    PlanChange {
        caregivers: vec![("lei".to_owned(), address(LEI))],
        ..change(patient, &text)
    }
}

async fn end_call(
    store: &Store,
    now: Timestamp,
    patient: &str,
    why: Option<CallReason>,
) -> CallEnd {
    let seen_to = SeenTo {
        patient: patient.to_owned(),
        reason: why,
        note: "rang, is well".to_owned(),
        by: Adviser::Operator,
    };
    let fits = Arc::new(Unlimited);
    store.end_call(now, seen_to, fits, DAY).await.unwrap()
}

/// Fires, accepts what may leave, and lets time pass until the doses of eight o'clock are missed.
async fn missed(store: &Store, day: i64) -> Vec<Queued> {
    unanswered(store, day).await;
    claim(store, hour(24 * day + 14)).await
}

/// As [`missed`], up to where the news waits in the outbox.
async fn unanswered(store: &Store, day: i64) {
    let eight = hour(24 * day + 8);
    fire(store, eight).await;
    for queued in claim(store, eight).await {
        settle(store, eight, &queued, accepted(eight)).await;
    }
    for quarter in [1, 4] {
        let now = eight + SignedDuration::from_mins(15 * quarter);
        fire(store, now).await;
        for queued in claim(store, now).await {
            settle(store, now, &queued, accepted(now)).await;
        }
    }
    let two = hour(24 * day + 14);
    fire(store, two).await;
}

fn to_lei(queued: &[Queued]) -> Vec<&Queued> {
    let lei = |it: &&Queued| it.message.to == Recipient::Caregiver("lei".to_owned());
    queued.iter().filter(lei).collect()
}

#[tokio::test]
async fn a_patient_is_taken_off_the_call_list_with_a_note_in_the_journal() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    staffed(&store, hour(0)).await;
    apply(&store, hour(0), vec![change("wang", TWICE)]).await;
    assert_eq!(
        end_call(&store, hour(1), "wang", None).await,
        CallEnd::NotListed
    );
    assert_eq!(
        end_call(&store, hour(1), "li", None).await,
        CallEnd::NoPatient
    );
    write(&store, hour(2), WANG, "chest pain").await;
    write(&store, hour(3), WANG, "stop").await;
    let both = [CallReason::RedFlag, CallReason::Stopped];
    assert_eq!(reasons(&store).await, both.map(|it| it as u8));
    let other = end_call(&store, hour(4), "wang", Some(CallReason::Advice)).await;
    assert_eq!(other, CallEnd::NotListed);
    let one = end_call(&store, hour(4), "wang", Some(CallReason::RedFlag)).await;
    assert_eq!(one, CallEnd::Done(vec![CallReason::RedFlag]));
    assert_eq!(reasons(&store).await, [CallReason::Stopped as u8]);
    // What comes up again is on it again.
    write(&store, hour(5), WANG, "chest pain").await;
    assert_eq!(
        end_call(&store, hour(6), "wang", None).await,
        CallEnd::Done(both.to_vec())
    );
    assert!(reasons(&store).await.is_empty());
    let done: Vec<Entry> = entries(&store).await;
    let done = done.into_iter().filter_map(|it| match it {
        Entry::CallDone { reasons, note, by } => Some((reasons, note, by)),
        _ => None,
    });
    let noted = |reasons: &[CallReason]| {
        (
            reasons.to_vec(),
            "rang, is well".to_owned(),
            Adviser::Operator,
        )
    };
    let expected = [noted(&[CallReason::RedFlag]), noted(&both)];
    assert_eq!(done.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_patient_whose_plan_has_ended_is_taken_off_as_well() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    staffed(&store, hour(0)).await;
    apply(&store, hour(0), vec![change("wang", TWICE)]).await;
    write(&store, hour(2), WANG, "chest pain").await;
    end(&store, hour(3), "wang").await;
    let done = end_call(&store, hour(4), "wang", None).await;
    assert_eq!(done, CallEnd::Done(vec![CallReason::RedFlag]));
    let noted = |it: &Entry| matches!(it, Entry::CallDone { note, .. } if note == "rang, is well");
    assert!(entries(&store).await.iter().any(noted));
}

#[tokio::test]
async fn the_call_list_says_who_why_since_when_and_who_looks_after_them() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(&directory);
    {
        let store = open(&options);
        staffed(&store, hour(0)).await;
        apply(&store, hour(0), vec![with_caregiver("wang", "Wang")]).await;
        write(&store, hour(2), WANG, "chest pain").await;
        write(&store, hour(3), WANG, "chest pain").await;
        store.close().await;
    }
    let calls = open_reader(&options).unwrap().calls().unwrap();
    let lei = CallCaregiver {
        id: "lei".to_owned(),
        name: "Lei".to_owned(),
        relation: "son".to_owned(),
        reached: true,
    };
    let expected = CallLine {
        patient: "wang".to_owned(),
        name: Some("Wang".to_owned()),
        reason: CallReason::RedFlag,
        since: hour(2),
        last: hour(3),
        caregivers: vec![lei],
    };
    assert_eq!(calls, [expected]);
}

#[tokio::test]
async fn a_caregiver_who_refuses_news_gets_no_more_of_any_patient_until_they_are_heard() {
    for by_report in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&options(&directory));
        staffed(&store, hour(0)).await;
        let plans = vec![with_caregiver("wang", "Wang"), with_caregiver("li", "Li")];
        apply(&store, hour(0), plans).await;
        let claimed = missed(&store, 0).await;
        let news = to_lei(&claimed);
        assert_eq!(news.len(), 2, "one of each patient");
        let now = hour(14);
        if by_report {
            let receipt = Receipt {
                number: Some(77),
                ..Receipt::default()
            };
            settle_with(&store, now, news[0], receipt).await;
            let reported = What::Reported {
                number: 77,
                delivery: Delivery::Refused,
            };
            push(&store, now, LEI, reported).await;
        } else {
            let refused = Settlement::Undeliverable(ExpiredReason::Unreachable);
            settle(&store, now, news[0], TriedOutcome::Final(refused)).await;
        }
        let called = vec![CallReason::Caregiver as u8; 2];
        assert_eq!(reasons(&store).await, called, "of both patients");
        let told = waiting(&store).await;
        let lost = told.iter().filter(|it| {
            matches!(&it.message.body, Body::Alert(alert)
                if matches!(&alert.news, News::CaregiverUnreachable { name } if name == "Lei"))
        });
        assert_eq!(lost.count(), 2, "staff know it");
        settle(&store, now, news[1], accepted(now)).await;
        for queued in claim(&store, now).await {
            settle(&store, now, &queued, accepted(now)).await;
        }
        // The plan is read again: nothing changes about that.
        let reworded = with_caregiver("wang", "Wang X");
        apply(&store, hour(15), vec![reworded]).await;
        let second = missed(&store, 1).await;
        assert!(to_lei(&second).is_empty());
        assert_eq!(reasons(&store).await, called);

        write(&store, hour(39), LEI, "hello").await;
        assert!(reasons(&store).await.is_empty(), "heard again");
        let third = missed(&store, 2).await;
        assert_eq!(to_lei(&third).len(), 2);
    }
}

#[tokio::test]
async fn news_that_waits_goes_to_the_phone_that_the_plan_names_by_then_and_to_nobody_else() {
    for (phone, is_told) in [(Some("openid-new"), true), (None, false)] {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&options(&directory));
        staffed(&store, hour(0)).await;
        apply(&store, hour(0), vec![with_caregiver("wang", "Wang")]).await;
        unanswered(&store, 0).await;
        let mut corrected = with_caregiver("wang", "Wang of the mill");
        corrected.caregivers.clear();
        corrected
            .caregivers
            .extend(phone.map(|phone| ("lei".to_owned(), address(phone))));
        apply(&store, hour(14), vec![corrected]).await;
        let claimed = claim(&store, hour(14)).await;
        let told = to_lei(&claimed);
        assert_eq!(told.len(), usize::from(is_told));
        for queued in told {
            assert_eq!(Some(&*queued.address), phone);
            // It is found there after a start as well.
            let left = store.left_claimed().await.unwrap();
            assert_eq!(Some(&*to_lei(&left)[0].address), phone);
        }
    }
}

#[tokio::test]
async fn what_a_caregiver_refuses_says_nothing_of_the_same_persons_own_reminders() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    staffed(&store, hour(0)).await;
    // Lei is a patient, too, with the same contact.
    let own = PlanChange {
        address: Some(address(LEI)),
        ..change("lei", TWICE)
    };
    apply(&store, hour(0), vec![with_caregiver("wang", "Wang"), own]).await;
    let claimed = missed(&store, 0).await;
    let refused = Settlement::Undeliverable(ExpiredReason::Unreachable);
    settle(
        &store,
        hour(14),
        to_lei(&claimed)[0],
        TriedOutcome::Final(refused),
    )
    .await;
    fire(&store, hour(20)).await;
    let own = waiting(&store).await;
    let own = own
        .iter()
        .filter(|it| &*it.address == LEI && matches!(it.message.body, Body::Dose(_)));
    assert_eq!(own.count(), 1, "the evening's dose");
}

#[tokio::test]
async fn staff_who_refuse_messages_are_counted_and_get_alarms_only_until_they_are_heard() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(&directory);
    let store = open(&options);
    staffed(&store, hour(0)).await;
    apply(&store, hour(0), vec![change("wang", TWICE)]).await;
    write(&store, hour(1), WANG, "is that right?").await;
    let claimed = claim(&store, hour(1)).await;
    let refused = Settlement::Undeliverable(ExpiredReason::Unreachable);
    settle(&store, hour(1), &claimed[0], TriedOutcome::Final(refused)).await;
    assert_eq!(store.telemetry().staff_refusing(), 1);
    let news = async |store: &Store| {
        let waiting = waiting(store).await;
        let of_staff = waiting.iter().filter_map(|it| match &it.message.body {
            Body::Alert(alert) => Some(alert.news.name()),
            _ => None,
        });
        of_staff.collect::<Vec<_>>()
    };
    write(&store, hour(2), WANG, "and that?").await;
    assert_eq!(news(&store).await, [""; 0]);
    write(&store, hour(3), WANG, "chest pain").await;
    assert_eq!(news(&store).await, ["red_flag"]);
    // It is known after a start as well.
    store.close().await;
    drop(store);
    let store = open(&options);
    staffed(&store, hour(4)).await;
    assert_eq!(store.telemetry().staff_refusing(), 1);
    write(&store, hour(5), "openid-hao", "hello").await;
    assert_eq!(store.telemetry().staff_refusing(), 0);
    write(&store, hour(6), WANG, "and now?").await;
    assert_eq!(news(&store).await, ["red_flag", "message"]);
}

#[tokio::test]
async fn an_unfollow_and_a_stop_of_a_caregiver_are_known_as_well() {
    for what in [What::Unfollowed, What::Words("停止".to_owned())] {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&options(&directory));
        staffed(&store, hour(0)).await;
        apply(&store, hour(0), vec![with_caregiver("wang", "Wang")]).await;
        push(&store, hour(1), LEI, what.clone()).await;
        assert_eq!(reasons(&store).await, [CallReason::Caregiver as u8]);
        assert!(to_lei(&missed(&store, 0).await).is_empty());
    }
}

#[tokio::test]
async fn a_caregivers_binding_is_in_the_journal_before_and_after_consent() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    staffed(&store, hour(0)).await;
    let plan = PlanChange {
        caregivers: Vec::new(),
        ..with_caregiver("wang", "Wang")
    };
    apply(&store, hour(0), vec![plan]).await;
    let enrolment = Enrolment {
        patient: "wang".to_owned(),
        caregiver: Some("lei".to_owned()),
        expires: hour(2),
    };
    let secret = "s1".to_owned();
    store.enrol(hour(1), enrolment, secret).await.unwrap();
    let scanned = What::Scanned {
        secret: "s1".to_owned(),
    };
    push(&store, hour(1), LEI, scanned).await;
    write(&store, at(3_660), LEI, "agree").await;
    let entries = entries(&store).await;
    let reach = entries.into_iter().filter_map(|it| match it {
        Entry::CaregiverReach { caregiver, barred } if caregiver == "lei" => Some(barred),
        _ => None,
    });
    let expected = [Some(ExpiredReason::NotEnrolled), None];
    assert_eq!(reach.collect::<Vec<_>>(), expected);
    assert!(reasons(&store).await.is_empty(), "nobody is missed");
}

#[tokio::test]
async fn whoever_has_left_stays_unreachable_whatever_else_the_plan_says() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(&directory);
    {
        let store = open(&options);
        staffed(&store, hour(0)).await;
        let named = |text: &str| PlanChange {
            address: Some(address(WANG)),
            ..change("wang", text)
        };
        apply(&store, hour(0), vec![named(TWICE)]).await;
        push(&store, hour(1), WANG, What::Unfollowed).await;
        let noted = format!("{TWICE}note = \"With food\"\n");
        apply(
            &store,
            hour(2),
            vec![PlanChange {
                address: None,
                ..named(&noted)
            }],
        )
        .await;
        fire(&store, hour(8)).await;
        fire(&store, hour(14)).await;
        store.close().await;
    }
    let reader = open_reader(&options).unwrap();
    let doses = reader.doses(None, hour(0), hour(20), hour(19)).unwrap();
    assert_eq!(doses[0].reason, Some(ExpiredReason::Unreachable));
}

#[tokio::test]
async fn each_hop_of_advice_is_in_the_journal() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    staffed(&store, hour(0)).await;
    apply(&store, hour(0), vec![change("wang", TWICE)]).await;
    write(&store, hour(1), WANG, "hello").await;
    let patients = store.audience(Audience::All).await.unwrap();
    for n in 0..2 {
        let now = at(3_601 + n);
        let fits = Arc::new(Unlimited);
        let by = Adviser::Operator;
        let advised = store.advise(now, patients.clone(), format!("rest {n}"), by, fits, DAY);
        advised.await.unwrap();
    }
    let now = at(3_610);
    let claimed = claim(&store, now).await;
    let advice = |it: &&Queued| matches!(it.message.body, Body::Notice(_));
    let advice: Vec<&Queued> = claimed.iter().filter(advice).collect();
    let in_words = Receipt {
        in_words: true,
        ..Receipt::default()
    };
    settle_with(&store, now, advice[0], in_words).await;
    // The channel takes no more of them: the other one waits to go as its template.
    let closed = Tried {
        key: advice[1].message.key,
        patient: advice[1].patient,
        outcome: TriedOutcome::Later(at(3_611), advice[1].attempts),
        receipt: Receipt {
            closed: true,
            ..Receipt::default()
        },
    };
    let fits = Arc::new(Unlimited);
    store.settle(now, vec![closed], fits, DAY).await.unwrap();
    settle(&store, at(3_612), advice[1], accepted(at(3_612))).await;
    let hops = entries(&store).await.into_iter().filter_map(|it| match it {
        Entry::Advised { .. } => Some("advised"),
        Entry::SentInWords { message } if message == advice[0].message.key.id => Some("in words"),
        Entry::WordsRefused { message } if message == advice[1].message.key.id => Some("refused"),
        Entry::Accepted { message, .. } if message == advice[0].message.key.id => Some("first"),
        Entry::Accepted { message, .. } if message == advice[1].message.key.id => Some("second"),
        _ => None,
    });
    let expected = [
        "advised", "advised", "in words", "first", "refused", "second",
    ];
    assert_eq!(hops.collect::<Vec<_>>(), expected);
}

/// A child without a phone, and its mother, who answers.
fn child() -> PlanChange {
    let text = "name = \"Lele\"\n[[caregiver]]\nid = \"lei\"\nname = \"Lei\"\nrelation = \"mother\"\n\
                answers = true\n[[medication]]\nname = \"Cefaclor\"\ntake = \"5 ml\"\n\
                at = \"08:00, 20:00\"\n";
    PlanChange {
        address: None,
        caregivers: vec![("lei".to_owned(), address(LEI))],
        ..change("lele", text)
    }
}

/// The doses that wait to be reminded of on the mother's phone.
async fn reminders(store: &Store) -> usize {
    let waiting = waiting(store).await;
    let doses = waiting
        .iter()
        .filter(|it| &*it.address == LEI && matches!(it.message.body, Body::Dose(_)));
    doses.count()
}

#[tokio::test]
async fn a_mothers_stop_takes_back_what_waits_for_her_child_and_her_start_brings_it_back() {
    for (goes, comes, reason) in [
        (
            What::Words("停止".to_owned()),
            What::Words("开始".to_owned()),
            CallReason::Stopped,
        ),
        (
            What::Unfollowed,
            What::Followed { secret: None },
            CallReason::Unreachable,
        ),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&options(&directory));
        staffed(&store, hour(0)).await;
        apply(&store, hour(0), vec![child()]).await;
        fire(&store, hour(8)).await;
        assert_eq!(reminders(&store).await, 1);
        push(&store, at(8 * 3600 + 1), LEI, goes.clone()).await;
        assert_eq!(reminders(&store).await, 0, "{reason:?}");
        assert_eq!(reasons(&store).await, [reason as u8]);
        let staff = waiting(&store).await;
        let told = staff
            .iter()
            .filter(|it| matches!(it.message.to, Recipient::Staff(_)));
        assert_eq!(told.count(), 1, "staff are told once");
        push(&store, at(8 * 3600 + 60), LEI, comes.clone()).await;
        assert_eq!(reminders(&store).await, 1, "its window is open");
        fire(&store, hour(20)).await;
        assert_eq!(reminders(&store).await, 2, "and the evening's");
    }
}

#[tokio::test]
async fn a_push_from_before_an_unfollow_brings_no_address_back_and_later_words_do() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    staffed(&store, hour(0)).await;
    let named = PlanChange {
        address: Some(address(WANG)),
        ..change("wang", TWICE)
    };
    apply(&store, hour(0), vec![named]).await;
    push(&store, hour(7), WANG, What::Unfollowed).await;
    let known = async |store: &Store| {
        let read = store.read(|snapshot, _| {
            let numbers = snapshot.open_table(super::super::records::CONTACT_NUMBERS)?;
            Ok(numbers.get("wechat:openid-wang")?.is_some())
        });
        read.await.unwrap()
    };
    // The platform repeats what it could not deliver before.
    write(&store, at(7 * 3600 + 10), WANG, "1").await;
    assert!(!known(&store).await);
    fire(&store, hour(8)).await;
    assert!(
        waiting(&store)
            .await
            .iter()
            .all(|it| it.message.to != Recipient::Patient)
    );
    // That they follow again was lost; that they write was not.
    write(&store, at(8 * 3600 + 60), WANG, "hello").await;
    assert!(known(&store).await);
    let waiting = waiting(&store).await;
    let dose = waiting
        .iter()
        .find(|it| matches!(it.message.body, Body::Dose(_)));
    assert_eq!(dose.map(|it| &*it.address), Some(WANG));
}

#[tokio::test]
async fn a_mother_who_is_known_already_is_reminded_for_another_child_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    staffed(&store, hour(0)).await;
    let second = PlanChange {
        patient: "mimi".to_owned(),
        caregivers: Vec::new(),
        ..child()
    };
    apply(&store, hour(0), vec![child(), second]).await;
    write(&store, hour(7), LEI, "hello").await;
    fire(&store, hour(8)).await;
    assert_eq!(
        reminders(&store).await,
        1,
        "of the child whose plan names her"
    );
    let enrolment = Enrolment {
        patient: "mimi".to_owned(),
        caregiver: Some("lei".to_owned()),
        expires: hour(10),
    };
    let secret = "s2".to_owned();
    store.enrol(hour(9), enrolment, secret).await.unwrap();
    let scanned = What::Scanned {
        secret: "s2".to_owned(),
    };
    push(&store, hour(9), LEI, scanned).await;
    assert_eq!(reminders(&store).await, 2, "the dose of eight has time yet");
}

#[tokio::test]
async fn whoever_is_the_patients_caregiver_as_well_speaks_as_the_patient() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(&directory);
    {
        let store = open(&options);
        staffed(&store, hour(0)).await;
        let plan = |name: &str| PlanChange {
            address: Some(address(LEI)),
            ..with_caregiver("wang", name)
        };
        apply(&store, hour(0), vec![plan("Wang")]).await;
        apply(&store, hour(1), vec![plan("Wang X")]).await;
        let eight = hour(8);
        fire(&store, eight).await;
        for queued in claim(&store, eight).await {
            settle(&store, eight, &queued, accepted(eight)).await;
        }
        let said = write(&store, at(8 * 3600 + 60), LEI, "taken").await;
        assert!(said.contains("Taken"), "{said}");
        // The caregiver is somebody else from now on: the patient is who they were.
        let other = PlanChange {
            address: Some(address(LEI)),
            caregivers: vec![("lei".to_owned(), address("openid-mei"))],
            ..with_caregiver("wang", "Wang Y")
        };
        apply(&store, hour(9), vec![other]).await;
        let next = hour(32);
        fire(&store, next).await;
        for queued in claim(&store, next).await {
            settle(&store, next, &queued, accepted(next)).await;
        }
        let said = write(&store, at(32 * 3600 + 60), LEI, "taken").await;
        assert!(said.contains("Taken"), "{said}");
        store.close().await;
    }
    let reader = open_reader(&options).unwrap();
    let doses = reader.doses(None, hour(0), hour(40), hour(40)).unwrap();
    let states: Vec<&str> = doses.iter().map(|it| it.state.name()).collect();
    assert_eq!(states, ["taken", "taken"]);
}
