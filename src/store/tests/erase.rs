//! Somebody is erased: nothing in the store names them any more, and nobody else loses anything.

use super::super::records::{CONTACTS, CONVERSATIONS, PATIENT_IDS, UNFOLLOWED};
use super::talk::{address, claim, entries, push, settle_with, staffed, write};
use super::*;
use crate::engine::{Adviser, CallReason, DoseState, Entry, Teller};
use redb::{ReadableTable, ReadableTableMetadata};

/// All that names the patient, or was said by or of them.
const TRACES: [&str; 9] = [
    "wang-xiulan",
    "Wang Xiulan",
    "openid-own",
    "openid-lei",
    "Lei Wang",
    "I feel dizzy",
    "Drink more water",
    "spoke to her son",
    "Eye clinic",
];

const PLAN: &str = "name = \"Wang Xiulan\"\nwechat = \"openid-own\"\n[[medication]]\n\
    name = \"Metformin\"\ntake = \"1 tablet\"\nat = \"08:00, 20:00\"\n[[caregiver]]\nid = \"lei\"\n\
    name = \"Lei Wang\"\nrelation = \"son\"\nwechat = \"openid-lei\"\n[[appointment]]\n\
    what = \"Eye clinic\"\nat = 2026-03-04T09:00:00\nremind = [\"2 days before\"]\n";

/// A mother, whose son is also told of another patient.
async fn lived(store: &Store) {
    staffed(store, hour(0)).await;
    let own = PlanChange {
        address: Some(address("openid-own")),
        caregivers: vec![("lei".to_owned(), address("openid-lei"))],
        ..change("wang-xiulan", PLAN)
    };
    let other = format!(
        "{TWICE}[[caregiver]]\nid = \"tom\"\nname = \"Tom\"\nrelation = \"son\"\n\
         wechat = \"openid-tom\"\n"
    );
    let other = PlanChange {
        caregivers: vec![("tom".to_owned(), address("openid-tom"))],
        ..change("li", &other)
    };
    apply(store, hour(1), vec![own, other]).await;
    for at in [8, 9] {
        fire(store, hour(at)).await;
        for queued in claim(store, hour(at)).await {
            let receipt = Receipt {
                number: Some(queued.message.due.as_second() + i64::from(queued.patient)),
                ..Receipt::default()
            };
            settle_with(store, hour(at), &queued, receipt).await;
        }
    }
    write(store, at(9 * 3600 + 60), "openid-own", "I feel dizzy").await;
    write(
        store,
        at(9 * 3600 + 61),
        "openid-own",
        "I feel dizzy, chest pain",
    )
    .await;
    write(
        store,
        at(9 * 3600 + 90),
        "openid-lei",
        "she skipped it, I feel dizzy",
    )
    .await;
    let deed = Deed {
        at: hour(10),
        account: "hao".to_owned(),
        what: "patient",
        patient: Some("wang-xiulan".to_owned()),
        outcome: "",
    };
    store.note_deeds(hour(10), vec![deed]).await.unwrap();
    let fits = Arc::new(Unlimited);
    let audience = Audience::Patient("wang-xiulan".to_owned());
    let patients = store.audience(audience).await.unwrap();
    let words = "Drink more water".to_owned();
    store
        .advise(hour(10), patients, words, Adviser::Operator, fits, DAY)
        .await
        .unwrap();
    let seen_to = SeenTo {
        patient: "wang-xiulan".to_owned(),
        reason: Some(CallReason::RedFlag),
        note: "spoke to her son".to_owned(),
        by: Adviser::Operator,
    };
    let done = store.end_call(hour(10), seen_to, Arc::new(Unlimited), DAY);
    assert!(matches!(done.await.unwrap(), CallEnd::Done(_)));
    let code = Enrolment {
        patient: "wang-xiulan".to_owned(),
        caregiver: None,
        expires: hour(11),
    };
    store
        .enrol(hour(10), code, "secret".to_owned())
        .await
        .unwrap();
    fire(store, hour(16)).await;
    for queued in claim(store, hour(16)).await {
        settle_with(store, hour(16), &queued, Receipt::default()).await;
    }
}

/// The bytes of the rows that there are: a copy has no pages that were freed.
fn bytes(options: &Options) -> Vec<u8> {
    let to = options.path.with_extension("copy");
    let reader = open_reader(options).unwrap();
    reader
        .backup(&options.path, &to, hour(40), &mut |_, _| true)
        .unwrap();
    std::fs::read(&to).unwrap()
}

fn traces(bytes: &[u8]) -> Vec<&'static str> {
    let is_there = |trace: &&&str| {
        bytes
            .windows(trace.len())
            .any(|window| window == trace.as_bytes())
    };
    TRACES.iter().filter(is_there).copied().collect()
}

async fn erase(store: &Store, now: Timestamp, fate: JournalFate) -> Erasure {
    let erased = store.erase(now, "wang-xiulan".to_owned(), fate);
    erased.await.unwrap()
}

async fn addresses(store: &Store) -> Vec<String> {
    let read = store.read(|snapshot, _| {
        let mut all = Vec::new();
        for row in snapshot.open_table(CONTACTS)?.iter()? {
            let address: Address = super::super::records::decode(&CONTACTS, row?.1.value())?;
            all.push(address.address);
        }
        Ok(all)
    });
    let mut all = read.await.unwrap();
    all.sort();
    all
}

fn is_clean(options: &Options) {
    let report = fsck(options).unwrap();
    assert!(report.is_clean(), "{report:?}");
}

#[tokio::test]
async fn nothing_names_who_was_erased_and_the_doses_stay_as_those_of_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(&directory);
    let store = open(&options);
    lived(&store).await;
    assert_eq!(traces(&bytes(&options)), TRACES, "all of it was there");
    let in_force = erase(&store, hour(17), JournalFate::Anonymous).await;
    assert_eq!(in_force, Erasure::InForce);
    end(&store, hour(17), "wang-xiulan").await;
    // What is left to be said of it is said, or taken back.
    for queued in claim(&store, hour(17)).await {
        settle_with(&store, hour(17), &queued, Receipt::default()).await;
    }
    let closed = |entries: Vec<Entry>| {
        let all = entries.into_iter().filter_map(|entry| match entry {
            Entry::DoseClosed(dose) => Some((dose.medication, dose.due, dose.state)),
            _ => None,
        });
        all.collect::<Vec<_>>()
    };
    let before = closed(entries(&store).await);
    assert!(!before.is_empty());

    let erased = erase(&store, hour(18), JournalFate::Anonymous).await;
    let Erasure::Erased(erased) = erased else {
        panic!("{erased:?}");
    };
    assert_eq!(erased.known_as, "erased-1");
    assert_eq!(
        (erased.texts, erased.contacts, erased.contacts_kept),
        (1, 2, 0)
    );
    assert!(erased.journal > 3 && erased.rows > 1, "{erased:?}");
    assert_eq!(traces(&bytes(&options)), [""; 0]);
    assert_eq!(
        addresses(&store).await,
        ["openid-hao", "openid-li", "openid-tom"]
    );
    is_clean(&options);
    let left = entries(&store).await;
    assert!(left.contains(&Entry::Erased));
    let spoken = left
        .iter()
        .filter(|entry| matches!(entry, Entry::Wrote { .. }));
    for entry in spoken {
        assert!(
            matches!(entry, Entry::Wrote { text, by, .. } if text == "erased"
                && (*by == Teller::Patient || *by == Teller::Caregiver("erased".to_owned()))),
            "{entry:?}"
        );
    }
    assert_eq!(closed(left), before);
    let reader = open_reader(&options).unwrap();
    let audit = reader.audit_before(None, 10).unwrap();
    assert_eq!(audit[0].patient.as_deref(), Some("erased-1"));
    assert_eq!(audit[0].account, "hao");
    drop(reader);

    // The others go on, and a second try finds nobody.
    assert_eq!(
        erase(&store, hour(19), JournalFate::Anonymous).await,
        Erasure::NoPatient
    );
    let evening = fire(&store, hour(20)).await.queued;
    assert!(evening.iter().any(|it| &*it.address == "openid-li"));
    assert!(evening.iter().all(|it| it.patient == 2));
}

#[tokio::test]
async fn who_comes_back_is_somebody_else_and_numbers_are_never_given_out_again() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(&directory);
    let store = open(&options);
    lived(&store).await;
    end(&store, hour(17), "wang-xiulan").await;
    for queued in claim(&store, hour(17)).await {
        settle_with(&store, hour(17), &queued, Receipt::default()).await;
    }
    let rows = entries(&store).await.len();
    let erased = erase(&store, hour(18), JournalFate::Removed).await;
    assert!(matches!(erased, Erasure::Erased(_)));
    let left = entries(&store).await;
    assert!(!left.contains(&Entry::Erased) && left.len() < rows);
    assert_eq!(traces(&bytes(&options)), [""; 0]);
    is_clean(&options);

    let back = PlanChange {
        address: Some(address("openid-own")),
        ..change("wang-xiulan", PLAN)
    };
    apply(&store, hour(19), vec![back]).await;
    let number = store.read(|snapshot, _| {
        let ids = snapshot.open_table(PATIENT_IDS)?;
        Ok(ids.get("wang-xiulan")?.map(|row| row.value()))
    });
    assert_eq!(number.await.unwrap(), Some(3));
    is_clean(&options);
    let evening = fire(&store, hour(20)).await.queued;
    assert!(evening.iter().any(|it| &*it.address == "openid-own"));
}

#[tokio::test]
async fn a_contact_who_answers_for_another_stays_and_forgets_the_erased() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(&directory);
    let store = open(&options);
    staffed(&store, hour(0)).await;
    let text = format!("wechat = \"openid-mother\"\n{TWICE}");
    let child = |id: &str| PlanChange {
        address: Some(address("openid-mother")),
        ..change(id, &text)
    };
    apply(&store, hour(1), vec![child("wang-xiulan"), child("li")]).await;
    fire(&store, hour(8)).await;
    for queued in claim(&store, hour(8)).await {
        settle_with(&store, hour(8), &queued, Receipt::default()).await;
    }
    // Of which of the two children is asked back: the list names both.
    let said = write(&store, hour(9), "openid-mother", "taken").await;
    assert!(said.contains("Which"), "{said}");
    end(&store, hour(9), "wang-xiulan").await;
    // A number that came now would be taken for a new answer, of the other child.
    let waits = erase(&store, hour(10), JournalFate::Anonymous).await;
    assert_eq!(waits, Erasure::UnderWay(1));
    let erased = erase(&store, hour(11), JournalFate::Anonymous).await;
    let Erasure::Erased(erased) = erased else {
        panic!("{erased:?}");
    };
    assert_eq!((erased.contacts, erased.contacts_kept), (0, 1));
    is_clean(&options);
    let talks = store.read(|snapshot, _| Ok(snapshot.open_table(CONVERSATIONS)?.len()?));
    assert_eq!(talks.await.unwrap(), 1);
    let taken = |entry: &Entry| match entry {
        Entry::DoseClosed(dose) => dose.state == DoseState::Taken,
        _ => false,
    };
    write(&store, at(11 * 3600 + 9), "openid-mother", "taken").await;
    assert_eq!(
        entries(&store).await.iter().filter(|it| taken(it)).count(),
        1,
        "of the other child"
    );
}

#[tokio::test]
async fn a_message_that_may_have_left_is_settled_first() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(&directory);
    let store = open(&options);
    apply(&store, hour(1), vec![change("wang-xiulan", TWICE)]).await;
    fire(&store, hour(8)).await;
    let claimed = claim(&store, hour(8)).await;
    end(&store, hour(8), "wang-xiulan").await;
    let waits = erase(&store, hour(8), JournalFate::Removed).await;
    assert_eq!(waits, Erasure::UnderWay(1));
    settle_with(&store, hour(8), &claimed[0], Receipt::default()).await;
    let erased = erase(&store, hour(8), JournalFate::Removed).await;
    assert!(matches!(erased, Erasure::Erased(_)), "{erased:?}");
    is_clean(&options);
}

#[tokio::test]
async fn of_who_has_left_no_address_was_kept() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(&directory);
    let store = open(&options);
    let own = PlanChange {
        address: Some(address("openid-own")),
        ..change("wang-xiulan", PLAN)
    };
    apply(&store, hour(1), vec![own]).await;
    push(&store, hour(2), "openid-own", What::Unfollowed).await;
    end(&store, hour(3), "wang-xiulan").await;
    let erased = erase(&store, hour(4), JournalFate::Anonymous).await;
    assert!(matches!(erased, Erasure::Erased(_)), "{erased:?}");
    // Nor what would say who they were if they came back.
    assert_eq!(addresses(&store).await, [""; 0]);
    let hashes = store.read(|snapshot, _| Ok(snapshot.open_table(UNFOLLOWED)?.len()?));
    assert_eq!(hashes.await.unwrap(), 0);
    assert_eq!(traces(&bytes(&options)), [""; 0]);
    is_clean(&options);
}

#[tokio::test]
async fn who_was_bound_by_a_scan_is_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(&directory);
    let store = open(&options);
    apply(&store, hour(1), vec![change("li", TWICE)]).await;
    let unnamed = PlanChange {
        address: None,
        ..change("wang-xiulan", TWICE)
    };
    apply(&store, hour(1), vec![unnamed]).await;
    let code = Enrolment {
        patient: "wang-xiulan".to_owned(),
        caregiver: None,
        expires: hour(3),
    };
    store
        .enrol(hour(2), code, "secret".to_owned())
        .await
        .unwrap();
    let scanned = What::Followed {
        secret: Some("secret".to_owned()),
    };
    push(&store, hour(2), "openid-own", scanned).await;
    write(&store, at(7_260), "openid-own", "agree").await;
    end(&store, hour(3), "wang-xiulan").await;
    let erased = erase(&store, hour(4), JournalFate::Removed).await;
    let Erasure::Erased(erased) = erased else {
        panic!("{erased:?}");
    };
    assert_eq!((erased.contacts, erased.contacts_kept), (1, 0));
    assert_eq!(addresses(&store).await, ["openid-li"]);
    is_clean(&options);
}

/// Somebody scans a code of the patient at that hour.
async fn scanned(store: &Store, at: i64, openid: &str) {
    let code = Enrolment {
        patient: "wang-xiulan".to_owned(),
        caregiver: None,
        expires: hour(at + 1),
    };
    let secret = format!("secret-{at}");
    store.enrol(hour(at), code, secret.clone()).await.unwrap();
    let scan = What::Followed {
        secret: Some(secret),
    };
    push(store, hour(at), openid, scan).await;
}

#[tokio::test]
async fn an_address_that_another_scan_has_replaced_is_forgotten_as_well() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(&directory);
    let store = open(&options);
    staffed(&store, hour(0)).await;
    let own = PlanChange {
        address: None,
        ..change("wang-xiulan", TWICE)
    };
    apply(&store, hour(1), vec![own]).await;
    for (at, openid) in [(2, "openid-first"), (4, "openid-second"), (6, "openid-own")] {
        scanned(&store, at, openid).await;
    }
    write(&store, hour(7), "openid-first", "who are you?").await;
    // This one is heard no more, and its address is not there any more.
    push(&store, hour(7), "openid-second", What::Unfollowed).await;
    is_clean(&options);
    let count = async |store: &Store| {
        let read = store.read(|snapshot, _| Ok(snapshot.open_table(CONVERSATIONS)?.len()?));
        read.await.unwrap()
    };
    assert_eq!(count(&store).await, 3);
    let known = ["", "openid-first", "openid-hao", "openid-own"];
    assert_eq!(addresses(&store).await, known);
    end(&store, hour(8), "wang-xiulan").await;
    for queued in claim(&store, hour(8)).await {
        settle_with(&store, hour(8), &queued, Receipt::default()).await;
    }
    let erased = erase(&store, hour(9), JournalFate::Removed).await;
    let Erasure::Erased(erased) = erased else {
        panic!("{erased:?}");
    };
    assert_eq!((erased.contacts, erased.contacts_kept), (3, 0));
    assert_eq!(addresses(&store).await, ["openid-hao"]);
    assert_eq!(count(&store).await, 0, "with their talks");
    is_clean(&options);
}
