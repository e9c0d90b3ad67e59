//! What the pages read and keep: the last days, accounts, the audit.

use super::super::records::{ACCOUNTS, AUDIT};
use super::*;
use crate::engine::{DoseState, Entry, Role};

fn account(role: Role, salt: u8) -> Account {
    Account {
        role,
        language: None,
        since: hour(0).as_millisecond(),
        password: password(salt),
    }
}

fn password(salt: u8) -> PasswordHash {
    PasswordHash {
        memory: 8,
        passes: 1,
        lanes: 1,
        salt: [salt; 16],
        hash: [salt; 32],
    }
}

#[tokio::test]
async fn an_account_is_made_once_changed_and_ended() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    let change = async |name: &str, change| {
        let changed = store.change_account(hour(1), name.to_owned(), change);
        changed
            .await
            .unwrap()
            .map(|it| it.into_keys().collect::<Vec<_>>())
    };
    let hao = account(Role::Doctor, 1);
    let add = AccountChange::Add(hao.clone());
    assert_eq!(change("hao", add.clone()).await.unwrap(), ["hao"]);
    assert_eq!(change("hao", add).await, None, "there is one already");
    let lin = AccountChange::Add(account(Role::Nurse, 2));
    assert_eq!(change("lin", lin).await.unwrap(), ["hao", "lin"]);
    assert_eq!(
        change("chen", AccountChange::Password(password(9))).await,
        None
    );
    assert_eq!(change("chen", AccountChange::Remove).await, None);
    change("hao", AccountChange::Password(password(9)))
        .await
        .unwrap();
    let known = store.accounts().await.unwrap();
    assert_eq!(known["hao"].password, password(9));
    assert_eq!(known["hao"].role, Role::Doctor);
    assert_eq!(change("lin", AccountChange::Remove).await.unwrap(), ["hao"]);
    let reader = open_reader(&options(&directory)).unwrap();
    assert_eq!(reader.accounts().unwrap(), store.accounts().await.unwrap());
}

#[tokio::test]
async fn a_store_from_before_there_were_accounts_is_read_and_written() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    store
        .write(hour(0), |scope| {
            scope.transaction.delete_table(ACCOUNTS)?;
            scope.transaction.delete_table(AUDIT)?;
            Ok(())
        })
        .await
        .unwrap();
    let reader = open_reader(&options(&directory)).unwrap();
    assert!(reader.accounts().unwrap().is_empty());
    assert!(store.accounts().await.unwrap().is_empty());
    assert!(reader.audit_before(None, 10).unwrap().is_empty());
    assert_eq!(reader.audit_from((0, 0), 10).unwrap(), (Vec::new(), None));
    assert!(fsck(&options(&directory)).unwrap().is_clean());
    let add = AccountChange::Add(account(Role::Viewer, 1));
    let added = store.change_account(hour(1), "hao".to_owned(), add);
    assert_eq!(added.await.unwrap().unwrap().len(), 1);
}

fn deed(now: Timestamp, account: &str, what: &'static str) -> Deed {
    Deed {
        at: now,
        account: account.to_owned(),
        what,
        patient: None,
        outcome: "done",
    }
}

#[tokio::test]
async fn the_audit_is_turned_both_ways_and_cut_by_days() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    for day in 0..3 {
        for number in 0..3 {
            let now = hour(24 * day + number);
            let deeds = vec![deed(now, "hao", "today"), deed(now, "lin", "answer")];
            store.note_deeds(now, deeds).await.unwrap();
        }
    }
    let reader = open_reader(&options(&directory)).unwrap();
    let mut forward = Vec::new();
    let mut place = Some((0, 0));
    while let Some(from) = place {
        let (lines, next) = reader.audit_from(from, 4).unwrap();
        assert!(lines.len() <= 4);
        forward.extend(lines);
        place = next;
    }
    assert_eq!(forward.len(), 18);
    assert!(forward.is_sorted_by_key(|line| line.at));
    let mut backward = Vec::new();
    let mut before = None;
    loop {
        let lines = reader.audit_before(before, 5).unwrap();
        let Some(last) = lines.last() else { break };
        before = Some(last.place);
        backward.extend(lines);
    }
    backward.reverse();
    assert_eq!(forward, backward);
    assert_eq!((&*forward[1].account, &*forward[1].what), ("lin", "answer"));

    assert_eq!(
        store.forget_audit_before(hour(72), hour(30)).await.unwrap(),
        6
    );
    let (left, _) = reader.audit_from((0, 0), 100).unwrap();
    assert_eq!(left, forward[6..], "whole days go");
    assert!(fsck(&options(&directory)).unwrap().is_clean());
}

#[tokio::test]
async fn recent_doses_are_those_that_the_whole_journal_tells_of() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    let changes = vec![change("a", TWICE), change("b", TWICE)];
    apply(&store, hour(7), changes).await;
    // Some are reminded of and missed, some expire, the last ones are open.
    for hours in (8..24 * 6).step_by(12) {
        while fire(&store, hour(hours)).await.stepped > 0 {}
        if hours % 24 == 8 {
            for queued in waiting(&store).await {
                settle(&store, hour(hours), &queued, accepted(hour(hours))).await;
            }
        }
    }
    let reader = Reader::of_store(&store);
    let mut states = HashSet::new();
    for day in 0..6 {
        let (from, until) = (hour(24 * day), hour(24 * (day + 1)));
        let now = hour(24 * 6);
        let (recent, _) = reader.recent(from, until, now).unwrap();
        assert_eq!(
            recent,
            reader.doses(None, from, until, now).unwrap(),
            "{day}"
        );
        assert_eq!(recent.len(), 4, "{day}");
        states.extend(recent.into_iter().map(|line| line.state));
    }
    assert!(states.contains(&DoseState::Missed), "{states:?}");
    assert!(states.contains(&DoseState::Open), "{states:?}");
}

#[tokio::test]
async fn plans_and_people_come_in_the_order_of_ids_page_by_page() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&options(&directory));
    let ids = ["c", "a", "e", "b", "d"];
    let changes = Vec::from(ids.map(|id| change(id, TWICE)));
    apply(&store, hour(0), changes).await;
    end(&store, hour(1), "b").await;
    let reader = Reader::of_store(&store);
    let mut seen = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let (lines, more) = reader.plan_lines(after.as_deref(), 3).unwrap();
        seen.extend(lines.iter().map(|line| line.patient.clone()));
        after = lines.last().map(|line| line.patient.clone());
        assert!(lines.iter().all(|line| line.plan.is_some()));
        if !more {
            break;
        }
    }
    assert_eq!(
        seen,
        ["a", "c", "d", "e"],
        "whose plan has ended is not in force"
    );
    let mut plans = Vec::new();
    let each = reader.each_plan(|id, plan| plans.push((id.to_owned(), plan.name.clone())));
    each.unwrap();
    assert_eq!(plans.len(), 4);
    let people = reader.people(0..20).unwrap();
    assert_eq!(people.len(), 5);
    let ended = people.values().find(|it| it.patient == "b").unwrap();
    assert_eq!(ended.name, None);
    assert!(people.values().any(|it| it.name.as_deref() == Some("Wang")));

    let days = reader.journal_days(hour(0)).unwrap();
    assert_eq!(days.len(), 1);
    let applied = |entry: &Entry| matches!(entry, Entry::PlanApplied { .. });
    assert_eq!(reader.journal_of_day(days[0], applied).unwrap().len(), 5);
    let ended = |entry: &Entry| matches!(entry, Entry::PlanEnded);
    assert_eq!(reader.journal_of_day(days[0], ended).unwrap().len(), 1);
    assert!(reader.journal_days(hour(24)).unwrap().is_empty());
}
