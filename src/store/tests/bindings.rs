//! Who answers for whom, whichever way they were bound and let go; and that looking the store over
//! agrees at each step.

use super::super::open::begin_write;
use super::super::records::{
    Address, CALLS, CONTACT_NUMBERS, CONTACT_PATIENTS, CONTACTS, CONVERSATIONS, DELIVERIES,
    DELIVERY_TIMES, ENROLMENTS, INBOUND_SEEN, INBOUND_TIMES, PATIENTS, PatientRecord, STRANGERS,
    TOLD, UNFOLLOWED, decode, encode,
};
use super::receive::talk;
use super::*;
use crate::engine::{Delivery, StaffMember};
use redb::{Database, ReadableTable, ReadableTableMetadata, WriteTransaction};

const BROKEN: &[u8] = &[9, 9, 9];

fn address(openid: &str) -> Address {
    Address {
        channel: "wechat".to_owned(),
        address: openid.to_owned(),
    }
}

/// A plan that names these openids: the patient's own, and that of the caregiver `lei`.
fn named(own: Option<&str>, caregiver: Option<&str>) -> PlanChange {
    let line = |openid: Option<&str>| {
        openid.map_or(String::new(), |openid| format!("wechat = \"{openid}\"\n"))
    };
    let lei = "[[caregiver]]\nid = \"lei\"\nname = \"Lei\"\nrelation = \"son\"\nanswers = true\n";
    let text = format!("{}{TWICE}{lei}{}", line(own), line(caregiver));
    PlanChange {
        address: own.map(address),
        caregivers: caregiver
            .map(|it| ("lei".to_owned(), address(it)))
            .into_iter()
            .collect(),
        ..change("wang", &text)
    }
}

struct Clinic {
    directory: tempfile::TempDir,
    store: Store,
    minute: i64,
}

impl Clinic {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&options(&directory));
        let member = StaffMember {
            name: "Hao".to_owned(),
            language: Language::En,
            alerts: crate::engine::News::NAMES.map(str::to_owned).to_vec(),
            quiet_hours: None,
            refuses: false,
        };
        let staff = vec![(member, Some(address("openid-hao")))];
        store.set_desk(hour(0), true, staff).await.unwrap();
        Self {
            directory,
            store,
            minute: 0,
        }
    }

    /// Each thing happens a minute after the last.
    fn now(&mut self) -> Timestamp {
        self.minute += 1;
        at(self.minute * 60)
    }

    async fn apply(&mut self, change: PlanChange) {
        let now = self.now();
        apply(&self.store, now, vec![change]).await;
    }

    async fn end(&mut self) {
        let now = self.now();
        end(&self.store, now, "wang").await;
    }

    async fn push(&mut self, openid: &str, what: What) -> String {
        let now = self.now();
        let mut dedupe_key = [0; 16];
        dedupe_key[..8].copy_from_slice(&self.minute.to_le_bytes());
        let pushed = Pushed {
            address: address(openid),
            dedupe_key,
            what,
        };
        let fits = Arc::new(Unlimited);
        let received = self.store.receive(now, vec![pushed], talk(), fits, DAY);
        received.await.unwrap().answers[0]
            .clone()
            .unwrap_or_default()
    }

    /// Enrols by a code that is scanned, and agrees.
    async fn scan(&mut self, openid: &str, caregiver: Option<&str>) {
        let now = self.now();
        let secret = format!("secret-{}", self.minute);
        let enrolment = Enrolment {
            patient: "wang".to_owned(),
            caregiver: caregiver.map(str::to_owned),
            expires: now + SignedDuration::from_mins(30),
        };
        let kept = self.store.enrol(now, enrolment, secret.clone());
        kept.await.unwrap();
        let scanned = What::Followed {
            secret: Some(secret),
        };
        assert!(self.push(openid, scanned).await.contains("Bound"));
        self.push(openid, What::Words("agree".to_owned())).await;
    }

    /// Whether a contact's words are those of somebody whom nobody knows.
    async fn is_stranger(&mut self, openid: &str) -> bool {
        let count = async |store: &Store| {
            let read = store.read(|snapshot, _| Ok(snapshot.open_table(STRANGERS)?.len()?));
            read.await.unwrap()
        };
        let before = count(&self.store).await;
        self.push(openid, What::Words("hello there".to_owned()))
            .await;
        count(&self.store).await > before
    }

    /// The contacts that are bound.
    async fn bound(&self) -> Vec<String> {
        let read = self.store.read(|snapshot, _| {
            let contacts = snapshot.open_table(CONTACTS)?;
            let mut bound = Vec::new();
            for row in snapshot.open_table(CONTACT_PATIENTS)?.iter()? {
                let (contact, _) = row?.0.value();
                let row = contacts.get(contact)?.expect("the contact exists");
                let address: Address = decode(&CONTACTS, row.value())?;
                bound.push(address.address);
            }
            Ok(bound)
        });
        let mut bound = read.await.unwrap();
        bound.sort();
        bound
    }

    fn looked_over(&self) -> Report {
        fsck(&options(&self.directory)).unwrap()
    }

    fn is_clean(&self) {
        let report = self.looked_over();
        assert!(report.is_clean(), "{report:?}");
    }
}

#[tokio::test]
async fn a_contact_that_is_bound_in_two_ways_stays_bound_in_the_other() {
    // The plan names her, she scans a code as well, and the plan stops naming her.
    let mut clinic = Clinic::new().await;
    clinic.apply(named(Some("o-wang"), None)).await;
    clinic.scan("o-wang", None).await;
    clinic.apply(named(None, None)).await;
    assert_eq!(clinic.bound().await, ["o-wang"]);
    clinic.is_clean();

    // The other way round: she leaves, which undoes the scan, and the plan still names her.
    let mut clinic = Clinic::new().await;
    clinic.apply(named(Some("o-wang"), None)).await;
    clinic.scan("o-wang", None).await;
    clinic.push("o-wang", What::Unfollowed).await;
    clinic.is_clean();
    clinic.push("o-wang", What::Followed { secret: None }).await;
    assert_eq!(
        clinic.bound().await,
        ["o-wang"],
        "heard without another scan"
    );
    clinic.is_clean();

    // She was her own caregiver, too, until somebody else was enrolled as that.
    let mut clinic = Clinic::new().await;
    clinic.apply(named(Some("o-wang"), None)).await;
    clinic.scan("o-wang", Some("lei")).await;
    clinic.scan("o-lei", Some("lei")).await;
    assert_eq!(clinic.bound().await, ["o-lei", "o-wang"]);
    clinic.is_clean();
}

#[tokio::test]
async fn a_contact_whom_nothing_names_any_more_is_heard_as_a_stranger() {
    let mut clinic = Clinic::new().await;
    clinic.apply(named(Some("o-wang"), Some("o-lei"))).await;
    assert_eq!(clinic.bound().await, ["o-lei", "o-wang"]);
    assert!(!clinic.is_stranger("o-wang").await);
    // The plan ends, and comes back with another phone.
    clinic.end().await;
    clinic.is_clean();
    clinic.apply(named(Some("o-new"), None)).await;
    assert_eq!(clinic.bound().await, ["o-new"]);
    assert!(!clinic.is_stranger("o-new").await);
    assert!(
        clinic.is_stranger("o-wang").await,
        "the old phone is not hers any more"
    );
    clinic.is_clean();
    // The same phone, after an end: it is heard again.
    clinic.end().await;
    clinic.apply(named(Some("o-new"), Some("o-lei"))).await;
    assert_eq!(clinic.bound().await, ["o-lei", "o-new"]);
    // Caregiver and patient change places.
    clinic.apply(named(Some("o-lei"), Some("o-new"))).await;
    assert_eq!(clinic.bound().await, ["o-lei", "o-new"]);
    clinic.is_clean();
    clinic.apply(named(None, None)).await;
    assert_eq!(clinic.bound().await, [""; 0]);
    clinic.is_clean();
}

/// A clinic where everything has happened: scans, talks, news, advice, reports, somebody who left.
async fn talked() -> Clinic {
    let mut clinic = Clinic::new().await;
    clinic.apply(named(Some("o-wang"), Some("o-lei"))).await;
    clinic.scan("o-phone", None).await;
    clinic
        .push("o-phone", What::Words("chest pain".to_owned()))
        .await;
    clinic
        .push("o-who", What::Words("who are you".to_owned()))
        .await;
    clinic.push("o-who", What::Unfollowed).await;
    let early = What::Reported {
        number: 77,
        delivery: Delivery::Refused,
    };
    clinic.push("o-phone", early).await;
    let now = clinic.now();
    let waiting = waiting(&clinic.store).await;
    let claimed = clinic.store.claim(now, waiting).await.unwrap().messages;
    for (number, queued) in claimed.iter().enumerate() {
        let tried = Tried {
            key: queued.message.key,
            patient: queued.patient,
            outcome: accepted(now),
            receipt: Receipt {
                number: Some(number as i64),
                ..Receipt::default()
            },
        };
        let fits = Arc::new(Unlimited);
        let settled = clinic.store.settle(now, vec![tried], fits, DAY);
        settled.await.unwrap();
    }
    clinic
}

#[tokio::test]
async fn a_clinic_in_use_is_clean_with_its_people() {
    let clinic = talked().await;
    clinic.is_clean();
    clinic.store.close().await;
    let report = clinic.looked_over();
    assert!(report.is_clean(), "{report:?}");
    for table in [
        "contacts",
        "contact_numbers",
        "contact_patients",
        "conversations",
        "deliveries",
        "delivery_times",
        "enrolments",
        "inbound_seen",
        "inbound_times",
        "told",
        "calls",
        "strangers",
        "unfollowed",
    ] {
        let rows = report.rows.get(table).copied().unwrap_or(0);
        assert!(rows > 0, "nothing was looked at in {table}: {report:?}");
    }
}

/// Changes a patient's record.
fn edit_patient(transaction: &WriteTransaction, edit: impl FnOnce(&mut PatientRecord)) {
    let mut patients = transaction.open_table(PATIENTS).unwrap();
    let bytes = patients.get(1).unwrap().unwrap().value().to_vec();
    let mut record: PatientRecord = decode(&PATIENTS, &bytes).unwrap();
    edit(&mut record);
    let bytes = encode(&record).unwrap();
    patients.insert(1, bytes.as_slice()).unwrap();
}

/// The number of a contact.
fn number(transaction: &WriteTransaction, openid: &str) -> u32 {
    let numbers = transaction.open_table(CONTACT_NUMBERS).unwrap();
    let key = address(openid).index_key();
    let number = numbers.get(key.as_str()).unwrap();
    number.expect("the contact has a number").value()
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn each_thing_that_does_not_hold_between_people_is_found_in_its_table() {
    type Spoil = fn(&WriteTransaction);
    const NOBODY: u32 = 99;
    let cases: &[(&str, &str, Spoil)] = &[
        (
            "contact_numbers",
            "an address with another's number",
            |it| {
                let other = number(it, "o-lei");
                let mut numbers = it.open_table(CONTACT_NUMBERS).unwrap();
                numbers.insert("wechat:o-wang", other).unwrap();
            },
        ),
        ("contacts", "an address lost without a trace", |it| {
            let lei = number(it, "o-lei");
            let lost = encode(&address("")).unwrap();
            let mut contacts = it.open_table(CONTACTS).unwrap();
            contacts.insert(lei, lost.as_slice()).unwrap();
        }),
        ("unfollowed", "somebody left who is no contact", |it| {
            let mut gone = it.open_table(UNFOLLOWED).unwrap();
            gone.insert(&[7; 16], NOBODY).unwrap();
        }),
        ("unfollowed", "somebody left and is written down", |it| {
            let lei = number(it, "o-lei");
            let mut gone = it.open_table(UNFOLLOWED).unwrap();
            gone.insert(&[7; 16], lei).unwrap();
        }),
        ("unfollowed", "one contact under two addresses", |it| {
            let mut gone = it.open_table(UNFOLLOWED).unwrap();
            let known = gone.first().unwrap().unwrap().1.value();
            gone.insert(&[7; 16], known).unwrap();
        }),
        ("contact_patients", "a role that cannot be read", |it| {
            let lei = number(it, "o-lei");
            let mut table = it.open_table(CONTACT_PATIENTS).unwrap();
            table.insert((lei, 1), BROKEN).unwrap();
        }),
        ("contact_patients", "somebody whom nobody names", |it| {
            let lei = number(it, "o-lei");
            let hao = number(it, "openid-hao");
            let mut table = it.open_table(CONTACT_PATIENTS).unwrap();
            let bytes = table.get((lei, 1)).unwrap().unwrap().value().to_vec();
            table.insert((hao, 1), bytes.as_slice()).unwrap();
        }),
        ("contact_patients", "one who is no contact", |it| {
            let lei = number(it, "o-lei");
            let mut table = it.open_table(CONTACT_PATIENTS).unwrap();
            let bytes = table.get((lei, 1)).unwrap().unwrap().value().to_vec();
            table.insert((NOBODY, 1), bytes.as_slice()).unwrap();
        }),
        ("contact_patients", "one who answers for nobody", |it| {
            let lei = number(it, "o-lei");
            let mut table = it.open_table(CONTACT_PATIENTS).unwrap();
            let bytes = table.get((lei, 1)).unwrap().unwrap().value().to_vec();
            table.insert((lei, NOBODY), bytes.as_slice()).unwrap();
        }),
        ("contact_patients", "a caregiver who cannot answer", |it| {
            let lei = number(it, "o-lei");
            let mut table = it.open_table(CONTACT_PATIENTS).unwrap();
            table.remove((lei, 1)).unwrap();
        }),
        ("contact_patients", "a patient who cannot answer", |it| {
            let phone = number(it, "o-phone");
            let mut table = it.open_table(CONTACT_PATIENTS).unwrap();
            table.remove((phone, 1)).unwrap();
        }),
        ("patients", "a record that names no contact", |it| {
            edit_patient(it, |record| record.contacts.bound = Some(NOBODY));
        }),
        ("patients", "a caregiver who is no contact", |it| {
            edit_patient(it, |record| record.contacts.caregivers[0].contact = NOBODY);
        }),
        ("conversations", "a talk that cannot be read", |it| {
            let lei = number(it, "o-phone");
            let mut talks = it.open_table(CONVERSATIONS).unwrap();
            talks.insert(lei, BROKEN).unwrap();
        }),
        ("conversations", "a talk with nobody", |it| {
            let phone = number(it, "o-phone");
            let mut talks = it.open_table(CONVERSATIONS).unwrap();
            let bytes = talks.get(phone).unwrap().unwrap().value().to_vec();
            talks.insert(NOBODY, bytes.as_slice()).unwrap();
        }),
        ("enrolments", "a code that cannot be read", |it| {
            let mut codes = it.open_table(ENROLMENTS).unwrap();
            codes.insert(&[7; 16], BROKEN).unwrap();
        }),
        ("enrolments", "a code for nobody", |it| {
            spoil_code(it, |code| code.patient = NOBODY);
        }),
        ("enrolments", "a code that nobody scanned", |it| {
            spoil_code(it, |code| code.used_by = Some(NOBODY));
        }),
        ("inbound_seen", "a push that cannot be read", |it| {
            let mut seen = it.open_table(INBOUND_SEEN).unwrap();
            seen.insert(&[7; 16], BROKEN).unwrap();
        }),
        ("inbound_seen", "a push without its time", |it| {
            let mut times = it.open_table(INBOUND_TIMES).unwrap();
            times.pop_first().unwrap().unwrap();
        }),
        ("deliveries", "a report that cannot be read", |it| {
            let mut reports = it.open_table(DELIVERIES).unwrap();
            reports.insert(77, BROKEN).unwrap();
        }),
        ("deliveries", "a report without its time", |it| {
            let mut times = it.open_table(DELIVERY_TIMES).unwrap();
            times.retain(|(_, number), ()| number != 77).unwrap();
        }),
        ("deliveries", "a message of nobody", |it| {
            let mut reports = it.open_table(DELIVERIES).unwrap();
            let bytes = reports.get(0).unwrap().unwrap().value().to_vec();
            let mut record = decode(&DELIVERIES, &bytes).unwrap();
            let super::super::records::DeliveryRecord::Taken(taken) = &mut record else {
                panic!("the first message was taken")
            };
            taken.patient = NOBODY;
            let bytes = encode(&record).unwrap();
            reports.insert(0, bytes.as_slice()).unwrap();
        }),
        ("told", "news of nobody", |it| {
            let hao = number(it, "openid-hao");
            let mut told = it.open_table(TOLD).unwrap();
            told.insert((hao, NOBODY), 0).unwrap();
        }),
        ("told", "news to nobody", |it| {
            let mut told = it.open_table(TOLD).unwrap();
            told.insert((NOBODY, 1), 0).unwrap();
        }),
        ("calls", "a call that cannot be read", |it| {
            let mut calls = it.open_table(CALLS).unwrap();
            calls.insert((1, 0), BROKEN).unwrap();
        }),
        ("calls", "a call to nobody", |it| {
            spoil_call(it, (NOBODY, 0));
        }),
        ("calls", "a call for no reason", |it| {
            spoil_call(it, (1, 200));
        }),
        ("strangers", "words that cannot be read", |it| {
            let mut strangers = it.open_table(STRANGERS).unwrap();
            strangers.insert((0, 0), BROKEN).unwrap();
        }),
        ("strangers", "words of nobody", |it| {
            let words = super::super::records::StrangerRecord {
                contact: NOBODY,
                text: "who".to_owned(),
            };
            let mut strangers = it.open_table(STRANGERS).unwrap();
            let bytes = encode(&words).unwrap();
            strangers.insert((0, 0), bytes.as_slice()).unwrap();
        }),
    ];
    let clinic = talked().await;
    clinic.store.close().await;
    let path = options(&clinic.directory).path;
    let whole = std::fs::read(&path).unwrap();
    for (table, what, spoil) in cases {
        std::fs::write(&path, &whole).unwrap();
        let database = Database::open(&path).unwrap();
        let transaction = begin_write(&database).unwrap();
        spoil(&transaction);
        transaction.commit().unwrap();
        drop(database);
        let report = clinic.looked_over();
        assert!(!report.is_clean(), "{what}");
        let found = report.findings.iter().any(|it| it.table == *table);
        assert!(found, "{what}: {:?}", report.findings);
        let text = format!("{:?}", report.findings);
        for private in ["o-", "Wang", "Lei", "chest"] {
            assert!(!text.contains(private), "{what}: {text}");
        }
    }
}

fn spoil_code(
    transaction: &WriteTransaction,
    edit: impl FnOnce(&mut super::super::records::EnrolmentRecord),
) {
    let mut codes = transaction.open_table(ENROLMENTS).unwrap();
    let (key, bytes) = {
        let (key, row) = codes.first().unwrap().unwrap();
        (*key.value(), row.value().to_vec())
    };
    let mut code = decode(&ENROLMENTS, &bytes).unwrap();
    edit(&mut code);
    let bytes = encode(&code).unwrap();
    codes.insert(&key, bytes.as_slice()).unwrap();
}

fn spoil_call(transaction: &WriteTransaction, key: (u32, u8)) {
    let mut calls = transaction.open_table(CALLS).unwrap();
    let bytes = calls.first().unwrap().unwrap().1.value().to_vec();
    calls.insert(key, bytes.as_slice()).unwrap();
}
