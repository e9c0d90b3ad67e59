//! Enrolment, advice, reports and the end of a contact, as transactions.

use super::super::records::{
    CALLS, CONTACT_NUMBERS, CONTACT_PATIENTS, CONTACTS, CONVERSATIONS, DELIVERIES, DELIVERY_TIMES,
    ENROLMENTS, INBOUND_SEEN, JOURNAL, OUTBOX, OUTBOX_LATER, PATIENTS, PLAN_HISTORY, PLANS,
    STRANGERS, TOLD, UNFOLLOWED, decode,
};
use super::*;
use crate::engine::{
    Adviser, Body, CallReason, Conversation, Delivery, Entry, Recipient, Reply, StaffMember, Window,
};
use redb::{ReadableTable, ReadableTableMetadata};

pub(super) const WANG: &str = "openid-wang";

pub(super) fn talk() -> Talk {
    Talk {
        red_flags: Arc::from(["chest pain".to_owned()]),
        consent_version: Arc::from("cafe"),
        is_open: true,
        language: Language::En,
        zone: Zone::get("UTC").unwrap(),
        words: Arc::new(|reply: &Reply, _, _: &Zone| format!("{reply:?}")),
        links: None,
    }
}

/// Staff with one member, whose alerts are all kinds of news.
pub(super) async fn staffed(store: &Store, now: Timestamp) {
    let member = StaffMember {
        name: "Hao".to_owned(),
        language: Language::En,
        alerts: crate::engine::News::NAMES.map(str::to_owned).to_vec(),
        quiet_hours: None,
        refuses: false,
    };
    let staff = vec![(member, Some(address("openid-hao")))];
    store.set_desk(now, true, staff).await.unwrap();
}

pub(super) fn address(openid: &str) -> Address {
    Address {
        channel: "wechat".to_owned(),
        address: openid.to_owned(),
    }
}

pub(super) async fn push(store: &Store, now: Timestamp, openid: &str, what: What) -> Received {
    let mut dedupe_key = [0; 16];
    dedupe_key[..8].copy_from_slice(&now.as_millisecond().to_le_bytes());
    for (place, byte) in dedupe_key[8..].iter_mut().zip(openid.bytes().rev()) {
        *place = byte;
    }
    let pushed = Pushed {
        address: address(openid),
        dedupe_key,
        what,
    };
    let fits = Arc::new(Unlimited);
    let received = store.receive(now, vec![pushed], talk(), fits, DAY);
    received.await.unwrap()
}

pub(super) async fn write(store: &Store, now: Timestamp, openid: &str, words: &str) -> String {
    let received = push(store, now, openid, What::Words(words.to_owned())).await;
    received.answers[0].clone().unwrap_or_default()
}

async fn enrol(store: &Store, now: Timestamp, secret: &str, caregiver: Option<&str>) {
    let enrolment = Enrolment {
        patient: "wang".to_owned(),
        caregiver: caregiver.map(str::to_owned),
        expires: now + SignedDuration::from_mins(30),
    };
    store
        .enrol(now, enrolment, secret.to_owned())
        .await
        .unwrap();
}

fn scan(secret: &str) -> What {
    What::Followed {
        secret: Some(secret.to_owned()),
    }
}

pub(super) fn without_address(patient: &str, text: &str) -> PlanChange {
    PlanChange {
        address: None,
        ..change(patient, text)
    }
}

pub(super) async fn entries(store: &Store) -> Vec<Entry> {
    let read = store.read(|snapshot, _| {
        let mut entries = Vec::new();
        for row in snapshot.open_table(JOURNAL)?.iter()? {
            let row: JournalRow = decode(&JOURNAL, row?.1.value())?;
            entries.extend(row.entries);
        }
        Ok(entries)
    });
    read.await.unwrap()
}

async fn window(store: &Store, contact: u32) -> Window {
    let read = store.read(move |snapshot, _| {
        let row = snapshot.open_table(CONVERSATIONS)?.get(contact)?.unwrap();
        let talk: Conversation = decode(&CONVERSATIONS, row.value())?;
        Ok(talk.window)
    });
    read.await.unwrap()
}

pub(super) async fn reasons(store: &Store) -> Vec<u8> {
    let read = store.read(|snapshot, _| {
        let mut reasons = Vec::new();
        for row in snapshot.open_table(CALLS)?.iter()? {
            reasons.push(row?.0.value().1);
        }
        Ok(reasons)
    });
    read.await.unwrap()
}

async fn advise(store: &Store, now: Timestamp, text: &str) -> Advised {
    let patients = store.audience(Audience::All).await.unwrap();
    let fits = Arc::new(Unlimited);
    let by = Adviser::Operator;
    let advised = store.advise(now, patients, text.to_owned(), by, fits, DAY);
    advised.await.unwrap()
}

pub(super) async fn claim(store: &Store, now: Timestamp) -> Vec<Queued> {
    let wanted = waiting(store).await;
    let ready = wanted.into_iter().filter(|it| it.not_before <= now);
    store.claim(now, ready.collect()).await.unwrap().messages
}

pub(super) async fn settle_with(store: &Store, now: Timestamp, queued: &Queued, receipt: Receipt) {
    let tried = Tried {
        key: queued.message.key,
        patient: queued.patient,
        outcome: accepted(now),
        receipt,
    };
    let fits = Arc::new(Unlimited);
    store.settle(now, vec![tried], fits, DAY).await.unwrap();
}

#[tokio::test]
async fn a_scan_binds_and_nothing_medical_is_sent_before_consent() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    staffed(&store, hour(0)).await;
    apply(&store, hour(0), vec![without_address("wang", TWICE)]).await;
    enrol(&store, hour(1), "s1", None).await;
    let scanned = push(&store, hour(1), "openid-a", scan("s1")).await;
    let said = scanned.answers[0].as_deref().unwrap();
    assert!(
        said.contains("Bound") && said.contains("ConsentAsked"),
        "{said}"
    );
    fire(&store, hour(8)).await;
    assert!(waiting(&store).await.is_empty(), "no consent yet");
    let said = write(&store, hour(9), "openid-a", "Agree").await;
    assert!(said.contains("ConsentGiven"), "{said}");
    let queued = waiting(&store).await;
    assert_eq!(&*queued[0].address, "openid-a");
    let noted = Entry::ConsentGiven {
        version: "cafe".to_owned(),
        at: crate::engine::Millis(hour(9)),
        by: crate::engine::Teller::Patient,
    };
    assert!(entries(&store).await.contains(&noted));
}

#[tokio::test]
async fn a_code_is_good_once_and_in_time_and_enrolling_again_moves_the_binding() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    staffed(&store, hour(0)).await;
    apply(&store, hour(0), vec![without_address("wang", TWICE)]).await;
    enrol(&store, hour(1), "s1", None).await;
    let said = async |minutes: i64, openid: &'static str, secret: &'static str| {
        let received = push(&store, at(3600 + minutes * 60), openid, scan(secret)).await;
        received.answers[0].clone().unwrap()
    };
    assert!(said(1, "openid-a", "s1").await.contains("Bound"));
    assert!(said(2, "openid-b", "s1").await.contains("CodeExpired"));
    assert!(
        said(3, "openid-a", "s1").await.contains("Bound"),
        "a second look"
    );
    assert!(said(30, "openid-a", "s1").await.contains("CodeExpired"));
    assert!(said(4, "openid-b", "guess").await.contains("CodeExpired"));
    write(&store, hour(2), "openid-a", "agree").await;
    enrol(&store, hour(3), "s2", None).await;
    push(&store, hour(3), "openid-b", scan("s2")).await;
    write(&store, at(3 * 3600 + 1), "openid-b", "agree").await;
    fire(&store, hour(8)).await;
    let to: Vec<String> = waiting(&store)
        .await
        .iter()
        .map(|it| it.address.to_string())
        .collect();
    assert_eq!(to, ["openid-b"], "the old phone is let go");
}

#[tokio::test]
async fn an_enrolment_of_nobody_is_refused_and_keeps_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    apply(&store, hour(0), vec![without_address("wang", TWICE)]).await;
    for (patient, caregiver) in [("li", None), ("wang", Some("lei"))] {
        let enrolment = Enrolment {
            patient: patient.to_owned(),
            caregiver: caregiver.map(str::to_owned),
            expires: hour(9),
        };
        let refused = store.enrol(hour(1), enrolment, "s".to_owned()).await;
        assert!(refused.is_err(), "{patient}");
    }
    let kept = store.read(|snapshot, _| Ok(snapshot.open_table(ENROLMENTS)?.len()?));
    assert_eq!(kept.await.unwrap(), 0);
}

#[tokio::test]
async fn advice_goes_in_free_words_while_the_contact_allows_it_and_then_as_a_template() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    staffed(&store, hour(0)).await;
    apply(&store, hour(0), vec![change("wang", TWICE)]).await;
    advise(&store, hour(1), "before anything was written").await;
    let first = claim(&store, hour(1)).await;
    assert!(!first[0].attempts.words, "no window was opened");
    settle_with(&store, hour(1), &first[0], Receipt::default()).await;

    write(&store, hour(2), WANG, "hello").await;
    for n in 0..6 {
        advise(&store, at(7200 + n), "words").await;
    }
    let claimed = claim(&store, at(7_210)).await;
    let to_wang: Vec<&Queued> = claimed.iter().filter(|it| &*it.address == WANG).collect();
    let in_words = to_wang.iter().filter(|it| it.attempts.words).count();
    assert_eq!((to_wang.len(), in_words), (6, 5), "five after they wrote");
    let said = Receipt {
        in_words: true,
        ..Receipt::default()
    };
    let spoken: Vec<&&Queued> = to_wang.iter().filter(|it| it.attempts.words).collect();
    settle_with(&store, at(7_211), spoken[0], said).await;
    settle_with(&store, at(7_211), spoken[1], said).await;
    let contact = 2;
    assert_eq!(window(&store, contact).await.since_wrote, 2);

    // The channel says that it is closed, whatever was counted: the next goes as a template.
    let closed = Tried {
        key: spoken[2].message.key,
        patient: spoken[2].patient,
        outcome: TriedOutcome::Later(at(7_212), spoken[2].attempts),
        receipt: Receipt {
            closed: true,
            ..Receipt::default()
        },
    };
    let fits = Arc::new(Unlimited);
    store
        .settle(at(7_212), vec![closed], fits, DAY)
        .await
        .unwrap();
    assert!(!window(&store, contact).await.is_open(at(7_212)));
    let again = store.claim(at(7_213), vec![(**spoken[2]).clone()]).await;
    assert!(!again.unwrap().messages[0].attempts.words);
}

#[tokio::test]
async fn free_words_under_way_at_a_crash_are_known_as_such_afterwards() {
    let directory = tempfile::tempdir().unwrap();
    {
        let store = open(&options(&directory));
        staffed(&store, hour(0)).await;
        apply(&store, hour(0), vec![change("wang", TWICE)]).await;
        write(&store, hour(1), WANG, "hello").await;
        advise(&store, at(3_601), "rest").await;
        let claimed = claim(&store, at(3_602)).await;
        assert!(claimed.iter().any(|it| it.attempts.words));
        store.close().await;
    }
    let store = open(&options(&directory));
    let left = store.left_claimed().await.unwrap();
    let spoken = left
        .iter()
        .find(|it| matches!(it.message.body, Body::Notice(_)));
    let attempts = spoken.unwrap().attempts;
    assert!(attempts.words && attempts.first_unknown.is_some());
}

#[tokio::test]
async fn doses_are_never_sent_in_free_words() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    staffed(&store, hour(0)).await;
    apply(&store, hour(0), vec![change("wang", TWICE)]).await;
    write(&store, hour(7), WANG, "hello").await;
    fire(&store, hour(8)).await;
    let claimed = claim(&store, hour(8)).await;
    let dose = claimed
        .iter()
        .find(|it| matches!(it.message.body, Body::Dose(_)));
    assert!(!dose.unwrap().attempts.words);
}

#[tokio::test]
async fn an_alarm_is_never_sent_in_free_words_and_other_news_is() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    staffed(&store, hour(0)).await;
    apply(&store, hour(0), vec![change("wang", TWICE)]).await;
    write(&store, hour(1), "openid-hao", "good morning").await;
    write(&store, hour(2), WANG, "chest pain").await;
    write(&store, at(7_201), WANG, "may I eat grapefruit?").await;
    let claimed = claim(&store, at(7_202)).await;
    let mut news: Vec<(&str, bool)> = claimed
        .iter()
        .filter_map(|it| match &it.message.body {
            Body::Alert(alert) => Some((alert.news.name(), it.attempts.words)),
            _ => None,
        })
        .collect();
    news.sort_unstable();
    assert_eq!(news, [("message", true), ("red_flag", false)]);
}

#[tokio::test]
async fn a_report_is_joined_to_its_message_whichever_comes_first() {
    for report_first in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&options(&directory));
        staffed(&store, hour(0)).await;
        apply(&store, hour(0), vec![change("wang", TWICE)]).await;
        fire(&store, hour(8)).await;
        let claimed = claim(&store, hour(8)).await;
        let number = (1 << 60) + 7;
        let reported = What::Reported {
            number,
            delivery: Delivery::Refused,
        };
        let receipt = Receipt {
            number: Some(number),
            ..Receipt::default()
        };
        if report_first {
            push(&store, at(8 * 3600 + 1), WANG, reported).await;
            settle_with(&store, at(8 * 3600 + 2), &claimed[0], receipt).await;
        } else {
            settle_with(&store, at(8 * 3600 + 1), &claimed[0], receipt).await;
            push(&store, at(8 * 3600 + 2), WANG, reported).await;
        }
        let message = claimed[0].message.key.id;
        let entries = entries(&store).await;
        let not_delivered = |it: &Entry| matches!(it, Entry::NotDelivered { message: id, reason, .. } if *id == message && *reason == ExpiredReason::Unreachable);
        assert_eq!(entries.iter().filter(|it| not_delivered(it)).count(), 1);
        assert_eq!(reasons(&store).await, [CallReason::Unreachable as u8]);
        let left = store.read(|snapshot, _| Ok(snapshot.open_table(DELIVERIES)?.len()?));
        assert_eq!(left.await.unwrap(), 0, "nothing is awaited any more");

        // Two days later its place in the order of time is gone, too.
        store.note_seen(hour(60), hour(60), None).await.unwrap();
        settle_something(&store, hour(60)).await;
        let times = store.read(|snapshot, _| Ok(snapshot.open_table(DELIVERY_TIMES)?.len()?));
        assert_eq!(times.await.unwrap(), 0);
    }
}

/// Settles a message of advice, whatever it takes.
async fn settle_something(store: &Store, now: Timestamp) {
    advise(store, now, "words").await;
    let claimed = claim(store, now).await;
    for queued in &claimed {
        settle(store, now, queued, accepted(now)).await;
    }
}

/// All live rows of the tables that could hold a text, as bytes.
async fn live_bytes(store: &Store) -> Vec<u8> {
    let read = store.read(|snapshot, _| {
        let mut bytes = Vec::new();
        for table in [CONTACTS, CONVERSATIONS, PATIENTS, PLANS] {
            for row in snapshot.open_table(table)?.iter()? {
                bytes.extend_from_slice(row?.1.value());
            }
        }
        for row in snapshot.open_table(CONTACT_NUMBERS)?.iter()? {
            bytes.extend_from_slice(row?.0.value().as_bytes());
        }
        for row in snapshot.open_table(PLAN_HISTORY)?.iter()? {
            bytes.extend_from_slice(row?.1.value());
        }
        for row in snapshot.open_table(JOURNAL)?.iter()? {
            bytes.extend_from_slice(row?.1.value());
        }
        for row in snapshot.open_table(OUTBOX)?.iter()? {
            bytes.extend_from_slice(row?.1.value());
        }
        for row in snapshot.open_table(OUTBOX_LATER)?.iter()? {
            bytes.extend_from_slice(row?.1.value());
        }
        for row in snapshot.open_table(CONTACT_PATIENTS)?.iter()? {
            bytes.extend_from_slice(row?.1.value());
        }
        for table in [ENROLMENTS, INBOUND_SEEN] {
            for row in snapshot.open_table(table)?.iter()? {
                let (key, row) = row?;
                bytes.extend_from_slice(key.value());
                bytes.extend_from_slice(row.value());
            }
        }
        for row in snapshot.open_table(UNFOLLOWED)?.iter()? {
            bytes.extend_from_slice(row?.0.value());
        }
        for row in snapshot.open_table(STRANGERS)?.iter()? {
            bytes.extend_from_slice(row?.1.value());
        }
        for row in snapshot.open_table(DELIVERIES)?.iter()? {
            bytes.extend_from_slice(row?.1.value());
        }
        Ok(bytes)
    });
    read.await.unwrap()
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|it| it == text.as_bytes())
}

#[tokio::test]
async fn after_an_unfollow_no_live_row_holds_the_address_until_they_follow_again() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    staffed(&store, hour(0)).await;
    let text = format!("wechat = \"{WANG}\"\n{TWICE}");
    let named = || PlanChange {
        address: Some(address(WANG)),
        ..change("wang", &text)
    };
    apply(&store, hour(0), vec![named()]).await;
    write(&store, hour(1), WANG, "hello").await;
    fire(&store, hour(8)).await;
    assert!(
        holds(&live_bytes(&store).await, WANG),
        "the test can see it"
    );

    push(&store, hour(9), WANG, What::Unfollowed).await;
    assert!(!holds(&live_bytes(&store).await, WANG));
    assert!(waiting(&store).await.iter().all(|it| &*it.address != WANG));
    // The plan is read again as it stands, and again with other words: it stays ignored.
    apply(&store, hour(10), vec![named()]).await;
    let reworded = format!("{text}# a comment\n");
    let renamed = format!("{text}note = \"with food\"\n");
    for text in [reworded, renamed] {
        let change = PlanChange {
            address: Some(address(WANG)),
            ..change("wang", &text)
        };
        apply(&store, hour(11), vec![change]).await;
        assert!(!holds(&live_bytes(&store).await, WANG), "{text}");
    }
    fire(&store, hour(20)).await;
    assert!(waiting(&store).await.iter().all(|it| &*it.address != WANG));

    push(&store, hour(21), WANG, What::Followed { secret: None }).await;
    let to: Vec<Queued> = waiting(&store).await;
    let to_patient = to.iter().find(|it| it.message.to == Recipient::Patient);
    assert_eq!(&*to_patient.unwrap().address, WANG, "the evening's dose");
}

#[tokio::test]
async fn the_doctors_words_after_an_alert_go_to_its_patient_and_of_several_it_is_asked_which() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    staffed(&store, hour(0)).await;
    let li = TWICE.replace("Wang", "Li");
    apply(
        &store,
        hour(0),
        vec![change("wang", TWICE), change("li", &li)],
    )
    .await;
    let said = write(&store, hour(1), "openid-hao", "hello").await;
    assert!(said.contains("NobodyToAdvise"), "{said}");
    write(&store, hour(2), WANG, "is that right?").await;
    for queued in claim(&store, hour(2)).await {
        settle(&store, hour(2), &queued, accepted(hour(2))).await;
    }
    let said = write(&store, at(2 * 3600 + 60), "openid-hao", "Yes, it is").await;
    assert!(said.contains("Advised") && said.contains("Wang"), "{said}");
    let advice = waiting(&store).await;
    let advice: Vec<_> = advice
        .iter()
        .map(|it| (&*it.address, &it.message.body))
        .collect();
    let [(to, Body::Notice(text))] = advice[..] else {
        panic!("{} messages", advice.len())
    };
    assert_eq!((to, text.text.as_str()), (WANG, "Yes, it is"));

    write(&store, at(2 * 3600 + 120), "openid-li", "and I?").await;
    let now = at(2 * 3600 + 180);
    for queued in claim(&store, now).await {
        settle(&store, now, &queued, accepted(now)).await;
    }
    let said = write(&store, at(2 * 3600 + 240), "openid-hao", "You too").await;
    assert!(
        said.contains("AdviseWhom") && said.contains("[\"Li\", \"Wang\"]"),
        "{said}"
    );
    assert!(waiting(&store).await.is_empty(), "nobody is told yet");
    let said = write(&store, at(2 * 3600 + 300), "openid-hao", "1").await;
    assert!(said.contains("Li"), "{said}");
    let advice = waiting(&store).await;
    assert_eq!(&*advice[0].address, "openid-li");
    let by =
        |it: &Entry| matches!(it, Entry::Advised { by: Adviser::Staff(name), .. } if name == "Hao");
    assert_eq!(entries(&store).await.iter().filter(|it| by(it)).count(), 2);
    let told = store.read(|snapshot, _| Ok(snapshot.open_table(TOLD)?.len()?));
    assert_eq!(told.await.unwrap(), 2);
}

#[tokio::test]
async fn advice_to_all_or_to_those_who_take_something_finds_them_and_counts_whom_to_ring() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    staffed(&store, hour(0)).await;
    let aspirin = TWICE.replace("Metformin", "Aspirin");
    let changes = vec![
        change("wang", TWICE),
        change("li", &aspirin),
        without_address("zhao", TWICE),
    ];
    apply(&store, hour(0), changes).await;
    end(&store, hour(1), "li").await;
    apply(&store, hour(2), vec![change("sun", &aspirin)]).await;
    for (audience, count) in [
        (Audience::All, 3),
        (Audience::Taking("Metformin".to_owned()), 2),
        (Audience::Taking("Aspirin".to_owned()), 1),
        (Audience::Taking("Ibuprofen".to_owned()), 0),
        (Audience::Patient("wang".to_owned()), 1),
        (Audience::Patient("li".to_owned()), 0),
        (Audience::Patient("nobody".to_owned()), 0),
    ] {
        let found = store.audience(audience.clone()).await.unwrap();
        assert_eq!(found.len(), count, "{audience:?}");
    }
    let advised = advise(&store, hour(3), "closed tomorrow").await;
    assert_eq!((advised.sent, advised.to_call), (2, 1));
    assert_eq!(reasons(&store).await, [CallReason::Advice as u8]);
}
