//! What came from contacts, and what it leaves behind.

use super::super::records::{CONTACT_NUMBERS, CONTACTS, STRANGERS};
use super::*;
use crate::engine::{Entry, Reply, StaffMember, Teller};
use redb::{ReadableTable, ReadableTableMetadata};

/// Something that the contact of a patient did.
pub fn pushed(patient: &str, key: u8, what: What) -> Pushed {
    Pushed {
        address: address(patient),
        dedupe_key: [key; 16],
        what,
    }
}

fn address(patient: &str) -> Address {
    Address {
        channel: "wechat".to_owned(),
        address: format!("openid-{patient}"),
    }
}

/// Replies by their names.
pub fn talk() -> Talk {
    Talk {
        red_flags: ["chest pain".to_owned()].into(),
        consent_version: "c0ffee".into(),
        is_open: true,
        language: Language::En,
        zone: Zone::get("UTC").unwrap(),
        links: None,
        words: Arc::new(|reply: &Reply, _, _: &Zone| {
            let text = format!("{reply:?}");
            let end = text.find([' ', '{']).unwrap_or(text.len());
            text[..end].to_owned()
        }),
    }
}

async fn answering(directory: &tempfile::TempDir) -> Store {
    let store = open(&options(directory));
    store.set_desk(hour(7), true, Vec::new()).await.unwrap();
    store
}

async fn receive(store: &Store, now: Timestamp, batch: Vec<Pushed>) -> Received {
    let fits = Arc::new(Unlimited);
    store.receive(now, batch, talk(), fits, DAY).await.unwrap()
}

async fn hear(store: &Store, now: Timestamp, patient: &str, key: u8, what: What) -> String {
    let received = receive(store, now, vec![pushed(patient, key, what)]).await;
    received.answers[0].clone().unwrap_or_default()
}

async fn says(store: &Store, now: Timestamp, patient: &str, key: u8, text: &str) -> String {
    hear(store, now, patient, key, What::Words(text.to_owned())).await
}

/// Fires, claims and accepts what is due at `now`; the addresses written to.
async fn send(store: &Store, now: Timestamp) -> Vec<String> {
    fire(store, now).await;
    let found = may_leave(store, 100, now).await.found;
    let claimed = store.claim(now, found).await.unwrap().messages;
    for queued in &claimed {
        settle(store, now, queued, accepted(now)).await;
    }
    let mut addresses: Vec<String> = claimed.iter().map(|it| it.address.to_string()).collect();
    addresses.sort();
    addresses
}

/// How the doses of a patient were closed, every version.
async fn closings(directory: &tempfile::TempDir, store: Store, patient: &str) -> Vec<String> {
    store.close().await;
    drop(store);
    let reader = open_reader(&options(directory)).unwrap();
    let journal = reader.journal(Some(patient), hour(0), hour(72)).unwrap();
    let mut closed = Vec::new();
    for line in journal {
        match line.entry {
            Entry::DoseClosed(dose) => {
                let by = dose.answer.map(|answer| match answer.by {
                    Teller::Patient => " by the patient".to_owned(),
                    Teller::Caregiver(id) => format!(" by {id}"),
                });
                let hours = dose.due.0.duration_since(hour(0)).as_hours();
                let reason = dose.reason.map(|it| format!("({})", it.name()));
                closed.push(format!(
                    "{hours} {}{}{}",
                    dose.state.name(),
                    reason.unwrap_or_default(),
                    by.unwrap_or_default()
                ));
            }
            Entry::DosesExpired { due, reason, .. } => {
                let hours = due.iter().map(|it| it.0.duration_since(hour(0)).as_hours());
                closed.extend(hours.map(|it| format!("{it} expired({})", reason.name())));
            }
            _ => {}
        }
    }
    closed
}

#[tokio::test]
async fn a_repeated_push_changes_nothing_and_is_answered_as_before() {
    let directory = tempfile::tempdir().unwrap();
    let store = answering(&directory).await;
    apply(&store, hour(7), vec![change("a", TWICE)]).await;
    send(&store, hour(8)).await;
    let one = || pushed("a", 1, What::Words("1".to_owned()));
    // In one group already, and in another process later.
    let received = receive(&store, at(8 * 3600 + 60), vec![one(), one()]).await;
    assert_eq!(received.answers, vec![Some("Taken".to_owned()); 2]);
    assert_eq!(received.repeated, [false, true]);
    store.close().await;
    drop(store);
    let store = answering(&directory).await;
    let received = receive(&store, hour(9), vec![one()]).await;
    assert_eq!(received.answers, [Some("Taken".to_owned())]);
    assert_eq!(received.repeated, [true]);
    assert!(received.queued.is_empty());
    let closed = closings(&directory, store, "a").await;
    assert_eq!(closed, ["8 taken by the patient"]);
}

/// Sends what is due at 8 with an outcome that nobody knows, and waits for the next try.
async fn send_into_doubt(store: &Store) -> Vec<Queued> {
    fire(store, hour(8)).await;
    let found = may_leave(store, 100, hour(8)).await.found;
    let claimed = store.claim(hour(8), found).await.unwrap().messages;
    let attempts = Attempts {
        count: 1,
        first_unknown: Some(hour(8).as_millisecond()),
        ..Attempts::default()
    };
    for queued in &claimed {
        let again = TriedOutcome::Later(at(8 * 3600 + 60), attempts);
        settle(store, hour(8), queued, again).await;
    }
    may_leave(store, 100, at(8 * 3600 + 60)).await.found
}

#[tokio::test]
async fn what_may_have_arrived_is_not_sent_again_once_all_that_it_names_is_answered() {
    let two = "name = \"Wang\"\n[[medication]]\nname = \"Metformin\"\ntake = \"1\"\nat = \"08:00\"\n\
               [[medication]]\nname = \"Aspirin\"\ntake = \"1\"\nat = \"08:00\"\n";
    for (said, awaited) in [("taken", false), ("took aspirin", true), ("later", true)] {
        let directory = tempfile::tempdir().unwrap();
        let store = answering(&directory).await;
        apply(&store, hour(7), vec![change("a", two)]).await;
        let waiting = send_into_doubt(&store).await;
        assert_eq!(waiting.len(), 1);
        says(&store, at(8 * 3600 + 30), "a", 1, said).await;
        let now = at(8 * 3600 + 60);
        let claimed = store.claim(now, waiting).await.unwrap();
        assert_eq!(claimed.messages.len(), usize::from(awaited), "{said}");
        assert_eq!(claimed.unwanted.len(), usize::from(!awaited), "{said}");
        // It is not lost: whoever asked for it says what became of it.
        assert_eq!(store.telemetry().outbox_depth().iter().sum::<u64>(), 1);
        for (queued, end) in claimed.unwanted {
            assert_eq!(end, Settlement::InDoubt);
            settle(&store, now, &queued, TriedOutcome::Final(end)).await;
            assert_eq!(store.telemetry().outbox_depth().iter().sum::<u64>(), 0);
            let state = closings(&directory, store.clone(), "a").await;
            assert_eq!(state, ["8 taken by the patient"; 2]);
        }
    }
}

/// What a message that is under way ends as where its next try would leave after `meanwhile`: one
/// of unknown outcome, and one that the API has refused.
async fn ends_under_way(meanwhile: impl AsyncFn(&Store, Timestamp)) -> Vec<Settlement> {
    let mut ends = Vec::new();
    let now = at(8 * 3600 + 30);
    {
        let directory = tempfile::tempdir().unwrap();
        let store = answering(&directory).await;
        apply(&store, hour(7), vec![change("a", TWICE)]).await;
        let waiting = send_into_doubt(&store).await;
        meanwhile(&store, now).await;
        let claimed = store.claim(at(8 * 3600 + 60), waiting).await.unwrap();
        assert!(claimed.messages.is_empty());
        ends.extend(claimed.unwanted.iter().map(|(_, end)| *end));
    }
    let directory = tempfile::tempdir().unwrap();
    let store = answering(&directory).await;
    apply(&store, hour(7), vec![change("a", TWICE)]).await;
    fire(&store, hour(8)).await;
    let found = may_leave(&store, 9, hour(8)).await.found;
    let claimed = store.claim(hour(8), found).await.unwrap().messages;
    meanwhile(&store, now).await;
    let refused = Attempts {
        count: 1,
        failure: Some(ExpiredReason::Throttled),
        ..Attempts::default()
    };
    let again = TriedOutcome::Later(at(8 * 3600 + 60), refused);
    let settled = settle(&store, now, &claimed[0], again).await;
    ends.extend(settled.ended.iter().map(|(_, end)| *end));
    ends
}

#[tokio::test]
async fn what_is_under_way_does_not_leave_again_after_a_stop() {
    let ends = ends_under_way(async |store, now| {
        says(store, now, "a", 1, "STOP").await;
    });
    let stopped = Settlement::NotSent(ExpiredReason::ConsentWithdrawn);
    assert_eq!(ends.await, [Settlement::InDoubt, stopped]);
}

#[tokio::test]
async fn what_is_under_way_does_not_leave_again_for_an_address_that_was_corrected() {
    let ends = ends_under_way(async |store, now| {
        let mut corrected = change(
            "a",
            &format!("wechat = \"openid-of-another-phone\"\n{TWICE}"),
        );
        corrected.address = Some(address("b"));
        apply(store, now, vec![corrected]).await;
    });
    let refused = Settlement::NotSent(ExpiredReason::Throttled);
    assert_eq!(ends.await, [Settlement::InDoubt, refused]);
}

#[tokio::test]
async fn alarms_of_one_patient_in_one_moment_are_told_each() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    super::talk::staffed(&store, hour(0)).await;
    apply(&store, hour(0), vec![change("a", TWICE)]).await;
    let batch = [(1, "chest pain"), (2, "taken"), (3, "still chest pain")]
        .map(|(key, text)| pushed("a", key, What::Words(text.to_owned())));
    let received = receive(&store, hour(9), batch.to_vec()).await;
    let alarms = received.queued.iter();
    let alarms = alarms.filter(|it| matches!(it.message.to, crate::engine::Recipient::Staff(_)));
    let ids: std::collections::BTreeSet<_> = alarms.map(|it| it.message.key.id).collect();
    // With nothing to be taken the second is a message to the doctor.
    assert_eq!(ids.len(), 3);
    assert_eq!(may_leave(&store, 9, hour(9)).await.found.len(), 3);
}

#[tokio::test]
async fn a_push_is_known_for_two_days_and_then_forgotten() {
    use super::super::records::{INBOUND_SEEN, INBOUND_TIMES};
    let directory = tempfile::tempdir().unwrap();
    let store = answering(&directory).await;
    apply(&store, hour(7), vec![change("a", TWICE)]).await;
    says(&store, hour(8), "a", 1, "hello").await;
    says(&store, hour(55), "a", 2, "hello").await;
    says(&store, hour(57), "a", 3, "hello").await;
    let rows = async || {
        let rows = store.read(|snapshot, _| {
            let seen = snapshot.open_table(INBOUND_SEEN)?.len()?;
            Ok((seen, snapshot.open_table(INBOUND_TIMES)?.len()?))
        });
        rows.await.unwrap()
    };
    assert_eq!(rows().await, (3, 3), "nobody has noted a clock yet");
    store.note_seen(hour(57), hour(57), None).await.unwrap();
    says(&store, hour(57), "a", 4, "hello").await;
    assert_eq!(rows().await, (3, 3));
}

#[tokio::test]
async fn a_push_is_known_for_two_days_also_where_the_clock_is_set_ahead_by_more() {
    let directory = tempfile::tempdir().unwrap();
    let store = answering(&directory).await;
    apply(&store, hour(7), vec![change("a", TWICE)]).await;
    let again = async |at, key: u8| {
        let words = What::Words("hello".to_owned());
        let received = receive(&store, at, vec![pushed("a", key, words)]).await;
        received.repeated[0]
    };
    store.note_seen(hour(8), hour(8), None).await.unwrap();
    assert!(!again(hour(8), 1).await);
    // Six days ahead: whoever comes first, and after it was noted.
    let ahead = hour(8 + 6 * 24);
    assert!(!again(ahead, 2).await);
    store.note_set_ahead(ahead, hour(8), ahead).await.unwrap();
    store.note_seen(ahead, ahead, None).await.unwrap();
    assert!(!again(ahead, 3).await);
    assert!(again(ahead, 1).await, "seconds have passed");
    let then = hour(8 + 8 * 24 + 1);
    store.note_seen(then, then, None).await.unwrap();
    again(then, 4).await;
    assert!(!again(then, 1).await, "two days have");
}

#[tokio::test]
async fn each_of_a_group_is_answered_in_its_order() {
    let directory = tempfile::tempdir().unwrap();
    let store = answering(&directory).await;
    let changes = ["a", "b", "c"].map(|patient| change(patient, TWICE));
    apply(&store, hour(7), changes.into()).await;
    send(&store, hour(8)).await;
    let words = |patient: &str, key, text: &str| pushed(patient, key, What::Words(text.to_owned()));
    let batch = vec![
        words("c", 1, "3"),
        words("nobody", 2, "hello"),
        words("a", 3, "1"),
        words("c", 1, "3"),
        words("b", 4, "chest pain"),
        pushed("b", 5, What::Acted),
    ];
    let received = receive(&store, at(8 * 3600 + 60), batch).await;
    let answers: Vec<_> = received.answers.iter().map(Option::as_deref).collect();
    assert_eq!(
        answers,
        [
            Some("Skipped"),
            Some("Welcome"),
            Some("Taken"),
            Some("Skipped"),
            Some("RedFlag"),
            None
        ]
    );
    let strangers = store.read(|snapshot, _| Ok(snapshot.open_table(STRANGERS)?.len()?));
    assert_eq!(strangers.await.unwrap(), 1);
}

#[tokio::test]
async fn an_answer_and_the_settling_of_its_own_reminder_come_in_any_order() {
    for answer_first in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        let store = answering(&directory).await;
        apply(&store, hour(7), vec![change("a", TWICE)]).await;
        let queued = fire(&store, hour(8)).await.queued;
        let claimed = store.claim(hour(8), queued).await.unwrap().messages;
        // It is on its way, and the patient is quick.
        if answer_first {
            assert_eq!(says(&store, at(8 * 3600 + 1), "a", 1, "1").await, "Taken");
            settle(&store, at(8 * 3600 + 2), &claimed[0], accepted(hour(8))).await;
        } else {
            settle(&store, at(8 * 3600 + 1), &claimed[0], accepted(hour(8))).await;
            assert_eq!(says(&store, at(8 * 3600 + 2), "a", 1, "1").await, "Taken");
        }
        assert!(waiting(&store).await.is_empty());
        assert_eq!(send(&store, hour(10)).await, [""; 0], "no nudge");
        let mut closed = closings(&directory, store, "a").await;
        // The same state twice where the outcome came later: then the reminder stands in it.
        closed.dedup();
        assert_eq!(closed, ["8 taken by the patient"], "{answer_first}");
    }
}

#[tokio::test]
async fn a_question_is_answered_before_its_own_message_is_settled() {
    let directory = tempfile::tempdir().unwrap();
    let store = answering(&directory).await;
    let text = "name = \"Wang\"\n[[check_in]]\nask = \"Q?\"\nanswer = \"blood pressure\"\n\
                at = \"08:00\"\n";
    apply(&store, hour(7), vec![change("a", text)]).await;
    let queued = fire(&store, hour(8)).await.queued;
    let claimed = store.claim(hour(8), queued).await.unwrap().messages;
    let told = says(&store, at(8 * 3600 + 1), "a", 1, "130/85").await;
    assert_eq!(told, "Noted");
    settle(&store, at(8 * 3600 + 2), &claimed[0], accepted(hour(8))).await;
    assert_eq!(
        send(&store, hour(12)).await,
        [""; 0],
        "nothing is asked again"
    );
}

#[tokio::test]
async fn a_nudge_that_waits_in_the_outbox_is_taken_back_by_the_answer() {
    let directory = tempfile::tempdir().unwrap();
    let store = answering(&directory).await;
    apply(&store, hour(7), vec![change("a", TWICE)]).await;
    assert_eq!(send(&store, hour(8)).await, ["openid-a"]);
    let nudge = fire(&store, at(8 * 3600 + 900)).await.queued;
    assert_eq!(nudge.len(), 1);
    assert_eq!(waiting(&store).await.len(), 1);
    assert_eq!(says(&store, at(8 * 3600 + 901), "a", 1, "1").await, "Taken");
    assert!(waiting(&store).await.is_empty());
    let claimed = store.claim(at(8 * 3600 + 902), nudge).await.unwrap();
    assert!(claimed.messages.is_empty(), "it is not claimed any more");
}

#[tokio::test]
async fn who_follows_no_more_is_forgotten_by_address_and_is_back_with_the_next_follow() {
    let directory = tempfile::tempdir().unwrap();
    let store = answering(&directory).await;
    apply(&store, hour(7), vec![change("a", TWICE)]).await;
    assert_eq!(send(&store, hour(8)).await, ["openid-a"]);
    says(&store, at(8 * 3600 + 60), "a", 1, "1").await;
    assert_eq!(hear(&store, hour(9), "a", 2, What::Unfollowed).await, "");
    let kept = store.read(|snapshot, _| {
        let numbers = snapshot.open_table(CONTACT_NUMBERS)?.len()?;
        let mut texts = Vec::new();
        for row in snapshot.open_table(CONTACTS)?.iter()? {
            texts.push(String::from_utf8_lossy(row?.1.value()).into_owned());
        }
        Ok((numbers, texts.concat()))
    });
    let (numbers, texts) = kept.await.unwrap();
    assert_eq!(numbers, 0);
    assert!(!texts.contains("openid"), "{texts}");
    // The plan names it still: it is not written down again.
    apply(&store, hour(10), vec![change("a", TWICE)]).await;
    assert_eq!(send(&store, hour(20)).await, [""; 0]);
    fire(&store, hour(27)).await;
    let back = hear(&store, hour(28), "a", 3, What::Followed { secret: None }).await;
    assert_eq!(back, "Started");
    assert_eq!(send(&store, hour(32)).await, ["openid-a"]);
    assert_eq!(says(&store, at(32 * 3600 + 60), "a", 4, "1").await, "Taken");
    let closed = closings(&directory, store, "a").await;
    assert_eq!(
        closed,
        [
            "8 taken by the patient",
            "20 expired(unreachable)",
            "32 taken by the patient"
        ]
    );
}

#[tokio::test]
async fn a_code_binds_and_nothing_medical_is_sent_before_consent() {
    let directory = tempfile::tempdir().unwrap();
    let store = answering(&directory).await;
    let mut unbound = change("a", TWICE);
    unbound.address = None;
    apply(&store, hour(7), vec![unbound]).await;
    let enrolment = Enrolment {
        patient: "a".to_owned(),
        caregiver: None,
        expires: hour(24),
    };
    let secret = || "s3cret".to_owned();
    store.enrol(hour(7), enrolment, secret()).await.unwrap();
    let scan = || What::Followed {
        secret: Some(secret()),
    };
    assert_eq!(
        hear(&store, hour(7), "a", 1, scan()).await,
        "Bound\nConsentAsked"
    );
    assert_eq!(send(&store, hour(8)).await, [""; 0], "not before consent");
    let told = says(&store, at(8 * 3600 + 60), "a", 2, "1").await;
    assert_eq!(told, "PassedOn\nConsentAsked");
    // Of somebody else who finds the code nothing follows.
    let other = What::Scanned { secret: secret() };
    assert_eq!(hear(&store, hour(8), "b", 3, other).await, "CodeExpired");
    let agreed = says(&store, at(8 * 3600 + 120), "a", 4, "同意").await;
    assert_eq!(agreed, "ConsentGiven");
    // The dose is open yet, and is reminded of now.
    assert_eq!(send(&store, at(8 * 3600 + 125)).await, ["openid-a"]);
    assert_eq!(says(&store, at(8 * 3600 + 180), "a", 5, "1").await, "Taken");
    // Whoever was bound by a scan and leaves scans again.
    hear(&store, hour(9), "a", 6, What::Unfollowed).await;
    let back = hear(&store, hour(10), "a", 7, What::Followed { secret: None }).await;
    assert_eq!(back, "Welcome");
    assert_eq!(send(&store, hour(20)).await, [""; 0]);
    let closed = closings(&directory, store, "a").await;
    assert_eq!(closed, ["8 taken by the patient"]);
}

#[tokio::test]
async fn a_caregiver_answers_where_the_plan_lets_them() {
    for answers in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        let store = answering(&directory).await;
        let text = format!(
            "name = \"Wang\"\n[[caregiver]]\nid = \"lei\"\nname = \"Lei\"\nrelation = \"son\"\n\
             answers = {answers}\n{}",
            TWICE.split_once('\n').unwrap().1
        );
        let mut cared = change("a", &text);
        cared.caregivers = vec![("lei".to_owned(), address("lei"))];
        if answers {
            // The patient has no phone: what is asked goes to the son.
            cared.address = None;
        }
        apply(&store, hour(7), vec![cared]).await;
        let to = if answers { "openid-lei" } else { "openid-a" };
        assert_eq!(send(&store, hour(8)).await, [to], "{answers}");
        let told = says(&store, at(8 * 3600 + 60), "lei", 1, "吃了").await;
        let (reply, state) = if answers {
            ("Taken", vec!["8 taken by lei"])
        } else {
            ("PassedOn", Vec::new())
        };
        assert_eq!(told, reply, "{answers}");
        assert_eq!(closings(&directory, store, "a").await, state, "{answers}");
    }
}

#[tokio::test]
async fn a_red_flag_reaches_the_staff_and_the_call_list() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    let member = StaffMember {
        name: "Hao".to_owned(),
        language: Language::En,
        alerts: vec!["red_flag".to_owned()],
        quiet_hours: None,
        refuses: false,
    };
    let desk = vec![(member, Some(address("hao")))];
    store.set_desk(hour(7), true, desk).await.unwrap();
    apply(&store, hour(7), vec![change("a", TWICE)]).await;
    assert_eq!(send(&store, hour(8)).await, ["openid-a"]);
    let told = says(&store, at(8 * 3600 + 60), "a", 1, "1, chest pain").await;
    assert_eq!(told, "RedFlag");
    assert_eq!(send(&store, at(8 * 3600 + 61)).await, ["openid-hao"]);
    let calls = store.read(|snapshot, _| {
        let calls = snapshot.open_table(super::super::records::CALLS)?;
        Ok(calls.len()?)
    });
    assert_eq!(calls.await.unwrap(), 1);
    let closed = closings(&directory, store, "a").await;
    assert_eq!(closed, [""; 0], "the dose is open");
}
