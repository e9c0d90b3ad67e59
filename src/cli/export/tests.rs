//! The report's figures over random histories, computed again from the exported journal by a
//! program of its own (`tests/adherence/recompute.py`).

use super::*;
use crate::engine::{
    About, CallReason, ClosedDose, DoseState, Entry, ExpiredReason, GivenAnswer, Millis, Teller,
    Unlimited,
};
use crate::plan::{Day, Defaults, Language, Zone, diagnostic::Source, read};
use crate::store::{JournalRow, Options, PlanChange, Store, Telemetry};
use jiff::{SignedDuration, Timestamp};
use std::process::Command;
use std::sync::Arc;

const ZONES: [&str; 5] = [
    "Asia/Shanghai",
    "Europe/Berlin",
    "America/New_York",
    "Pacific/Apia",
    "Australia/Lord_Howe",
];

/// Chance with a seed (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }

    fn within(&mut self, from: i64, until: i64) -> i64 {
        from + self.below((until - from).unsigned_abs()).cast_signed()
    }
}

/// 2026-03-20 00:00 UTC and so many hours.
fn hour(hours: i64) -> Timestamp {
    Timestamp::from_second(1_773_964_800 + hours * 3600).unwrap()
}

fn plan(name: &str, zone: &str, away: bool) -> PlanChange {
    let away = if away {
        "[[away]]\nfrom = 2026-03-25\nuntil = 2026-04-02\ntimezone = \"America/Los_Angeles\"\n"
    } else {
        ""
    };
    let text = format!(
        "name = \"{name}\"\ntimezone = \"{zone}\"\n[[medication]]\nname = \"A\"\n\
         take = \"1\"\nat = \"08:00\"\n{away}"
    );
    let defaults = Defaults {
        zone: Zone::get("Asia/Shanghai").unwrap(),
        language: Language::En,
        quiet_hours: None,
        day: Day::default(),
        now: None,
    };
    let plan = read(&Source::new("p.toml", text.clone()), &defaults)
        .unwrap()
        .plan;
    PlanChange {
        patient: name.to_owned(),
        meaning: plan.meaning_hash(),
        source: [0; 32],
        plan,
        inline: false,
        text,
        file: "p.toml".to_owned(),
        address: None,
        caregivers: Vec::new(),
    }
}

/// Something that may be written of a dose.
fn entry(dice: &mut Dice) -> Entry {
    let medication = ["A", "B", "=C"][dice.below(3) as usize].to_owned();
    let slot = dice.within(0, 60);
    let due = |slot| hour(slot * 7);
    let by = Teller::Patient;
    let about = || About {
        id: medication.clone(),
        due: Millis(due(slot)),
    };
    let reason = ExpiredReason::ALL[dice.below(9) as usize];
    let state = match dice.below(12) {
        0..=4 => DoseState::Taken,
        5 => DoseState::Skipped,
        6 | 7 => DoseState::Missed,
        8 => DoseState::Expired,
        9 if dice.below(2) == 0 => DoseState::Cancelled,
        9 => {
            let due = (slot..slot + dice.within(1, 5)).map(|slot| Millis(due(slot)));
            return Entry::DosesExpired {
                medication,
                amount: "1".to_owned(),
                due: due.collect(),
                reason,
            };
        }
        10 => return Entry::DoseReopened { about: about(), by },
        _ if dice.below(4) == 0 => {
            return Entry::CallWanted {
                reason: CallReason::RedFlag,
            };
        }
        _ => {
            return Entry::SaidNotTaken {
                about: vec![about()],
                by,
            };
        }
    };
    // To the millisecond: the edge of the tolerance is met now and then.
    let mut moment = || {
        let edge = [-3_600_000, 3_600_000, 3_600_001, -3_600_001][dice.below(4) as usize];
        let ms = if dice.below(4) == 0 {
            edge
        } else {
            dice.within(-9_000_000, 40_000_000)
        };
        Millis(due(slot) + SignedDuration::from_millis(ms))
    };
    let (said_at, taken_at) = (moment(), moment());
    let answered = match state {
        DoseState::Taken | DoseState::Skipped => true,
        _ => dice.below(3) == 0,
    };
    Entry::DoseClosed(ClosedDose {
        medication: medication.clone(),
        amount: "1".to_owned(),
        due: Millis(due(slot)),
        on_time_until: Millis(due(slot) + SignedDuration::from_hours(1)),
        state,
        reason: (state == DoseState::Expired).then_some(reason),
        reminded: None,
        in_doubt: false,
        messages: Vec::new(),
        answer: answered.then(|| GivenAnswer {
            said_at,
            taken_at: (dice.below(2) == 0).then_some(taken_at),
            by: Teller::Caregiver("lei".to_owned()),
            reason: None,
            late: false,
        }),
        corrects: false,
    })
}

/// The exported journal and the report of a store with random histories.
async fn written(seed: u64) -> (Vec<u8>, Vec<u8>) {
    let mut dice = Dice(seed);
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        path: directory.path().join("dosed.redb"),
        cache_bytes: 1 << 20,
    };
    let store = Store::open(&options, Arc::new(Telemetry::new(|_, _| {}))).unwrap();
    let names: Vec<String> = (0..70).map(|number| format!("p{number}")).collect();
    let plans = names.iter().zip(ZONES.iter().cycle());
    let plans = plans.map(|(name, zone)| plan(name, zone, name.ends_with('3')));
    store
        .apply(
            hour(0),
            plans.collect(),
            Vec::new(),
            ExpiredReason::DaemonDown,
            Arc::new(Unlimited),
            0,
        )
        .await
        .unwrap();
    for name in &names {
        let rows = (0..dice.below(40)).map(|_| JournalRow {
            // The clock may have been set back in between.
            at: hour(dice.within(0, 400)).as_millisecond(),
            entries: (0..=dice.below(3)).map(|_| entry(&mut dice)).collect(),
        });
        let rows: Vec<_> = rows.collect();
        store
            .write_journal(hour(1), name.clone(), rows)
            .await
            .unwrap();
    }
    store.close().await;
    let reader = crate::store::open_reader(&options).unwrap();
    let clinic = Zone::get("Asia/Shanghai").unwrap();
    let now = hour(2_000);
    let mut journal = Vec::new();
    journal::write(&mut journal, &reader, None, &clinic, now)
        .ok()
        .unwrap();
    let (from, until) = match dice.below(3) {
        0 => ("2026-03-01", "2026-05-01"),
        1 => ("2026-03-24", "2026-03-31"),
        _ => ("2026-03-22T10:30", "2026-04-01T00:00:00+02:00"),
    };
    let report = crate::cli::report::json_of(&reader, from, until, &clinic, now);
    assert_eq!(reader.unreadable(), 0);
    (journal, report)
}

#[tokio::test]
async fn figures_are_those_of_an_independent_recomputation() {
    let is_there = Command::new("python3").arg("--version").output().is_ok();
    // The tests of the system install it and demand this one.
    assert!(
        is_there || std::env::var_os("DOSED_PYTHON").is_none(),
        "python3 is not there"
    );
    let directory = tempfile::tempdir().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/adherence/recompute.py");
    for seed in 1..=6 {
        let (journal, report) = written(seed * 7_919).await;
        assert!(journal.len() > 100_000 && report.len() > 10_000);
        let paths = ["journal", "report"].map(|name| directory.path().join(name));
        std::fs::write(&paths[0], journal).unwrap();
        std::fs::write(&paths[1], report).unwrap();
        if is_there {
            let output = Command::new("python3")
                .arg(script)
                .args(&paths)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            let complained = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "seed {seed}: {said}{complained}");
        }
    }
}
