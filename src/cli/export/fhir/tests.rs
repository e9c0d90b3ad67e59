//! Random histories as resources: validated by programs of others, and compared with the exported
//! journal by a program of its own (`tests/exports`).

use super::*;
use crate::engine::{
    About, Adviser, ClosedDose, DoseState, Entry, ExpiredReason, GivenAnswer, MessageId, Millis,
    Recipient, Teller, Unlimited, Value,
};
use crate::plan::{Day, Defaults, Language, diagnostic::Source, read};
use crate::store::{JournalRow, Options, PlanChange, Store, Telemetry};
use jiff::SignedDuration;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

const PATIENTS: usize = 40;

/// With a question of each kind; the ids of questions begin with `q-`.
const PLAN: &str = r#"
name = "王秀兰 & <Co>"
born = 1950-02-03
[[medication]]
name = "A 500 mg"
id = "A"
take = "1 tablet"
at = "08:00"
[[medication]]
name = "二甲双胍"
id = "B"
take = "遵医嘱"
at = "09:00"
[[check_in]]
id = "q-bp"
ask = "血压？"
answer = "blood pressure"
at = "08:00"
[[check_in]]
id = "q-sugar"
ask = "Sugar?"
answer = "blood glucose"
at = "08:00"
[[check_in]]
id = "q-temperature"
ask = "Temperature?"
answer = "temperature"
at = "08:00"
[[check_in]]
id = "q-weight"
ask = "Weight?"
answer = "weight"
at = "08:00"
[[check_in]]
id = "q-pulse"
ask = "Pulse?"
answer = "heart rate"
at = "08:00"
[[check_in]]
id = "q-steps"
ask = "How many steps?"
answer = "number from 0 to 100"
at = "08:00"
[[check_in]]
id = "q-well"
ask = "Well?"
answer = "yes or no"
at = "08:00"
[[check_in]]
id = "q-words"
ask = "How are you?"
answer = "text"
at = "08:00"
"#;

struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len() as u64) as usize]
    }
}

/// 2026-03-20 00:00 UTC and so many minutes.
fn minute(minutes: u64) -> Timestamp {
    Timestamp::UNIX_EPOCH
        + SignedDuration::from_secs(1_773_964_800)
        + SignedDuration::from_mins(minutes.cast_signed())
}

fn due(dice: &mut Dice) -> Millis {
    Millis(minute(dice.below(60) * 420))
}

fn teller(dice: &mut Dice) -> Teller {
    match dice.below(3) {
        0 => Teller::Caregiver("lei".to_owned()),
        _ => Teller::Patient,
    }
}

fn dose(dice: &mut Dice) -> Entry {
    let due = due(dice);
    let state = DoseState::CLOSING[dice.below(DoseState::CLOSING.len() as u64) as usize];
    let answered = matches!(state, DoseState::Taken | DoseState::Skipped)
        || (state == DoseState::Missed && dice.below(3) == 0);
    let answer = answered.then(|| GivenAnswer {
        said_at: Millis(due.0 + SignedDuration::from_millis(61_234)),
        taken_at: (dice.below(2) == 0).then(|| Millis(minute(dice.below(9_999)))),
        by: teller(dice),
        reason: (dice.below(2) == 0).then(|| "felt dizzy".to_owned()),
        late: false,
    });
    let amounts = [
        "1 tablet",
        "1.5片",
        "1-2 puffs",
        "as directed",
        "",
        "½ tablet",
        "0.5 mL",
    ];
    Entry::DoseClosed(ClosedDose {
        medication: dice.of(&["A", "B", "gone"]).to_owned(),
        amount: dice.of(&amounts).to_owned(),
        due,
        on_time_until: due,
        state,
        reason: (state == DoseState::Expired).then(|| ExpiredReason::ALL[dice.below(9) as usize]),
        reminded: None,
        in_doubt: false,
        messages: Vec::new(),
        answer,
        corrects: false,
    })
}

fn answer(dice: &mut Dice) -> Entry {
    let number = |dice: &mut Dice| Value::Number(dice.below(99_999).cast_signed());
    let (check_in, value) = match dice.below(8) {
        0 => {
            let (upper, lower) = (90 + dice.below(99) as u32, 40 + dice.below(60) as u32);
            ("q-bp", Value::BloodPressure { upper, lower })
        }
        1 => ("q-sugar", number(dice)),
        2 => ("q-temperature", number(dice)),
        3 => ("q-weight", number(dice)),
        4 => ("q-pulse", number(dice)),
        5 => ("q-steps", number(dice)),
        6 => ("q-well", Value::Bool(dice.below(2) == 0)),
        _ => {
            let words = dice.of(&["还可以", "so-so \"quoted\"", ""]);
            ("q-words", Value::Text(words.to_owned()))
        }
    };
    Entry::CheckInAnswered {
        check_in: check_in.to_owned(),
        due: due(dice),
        value,
        late: false,
        alert: dice.below(4) == 0,
        by: teller(dice),
    }
}

/// Something that is said of a message; few messages, so that much is said of each.
fn message(dice: &mut Dice) -> Entry {
    let message = MessageId([dice.below(40) as u8; 16]);
    let mut about = Vec::new();
    for _ in 0..dice.below(3) {
        let id = dice.of(&["A", "B", "gone", "q-bp", "q-words"]).to_owned();
        about.push(About { id, due: due(dice) });
    }
    let reason = ExpiredReason::ALL[dice.below(9) as usize];
    match dice.below(7) {
        0..=2 => Entry::Accepted {
            message,
            at: due(dice),
            about,
        },
        3 => Entry::NotAccepted {
            message,
            reason: (dice.below(2) == 0).then_some(reason),
            about,
        },
        4 => Entry::Delivered { message },
        5 => Entry::NotDelivered {
            message,
            reason,
            about,
        },
        _ if dice.below(2) == 0 => Entry::Advised {
            text: "Drink water.".to_owned(),
            by: Adviser::Operator,
            message: Some(message),
        },
        _ => Entry::Told {
            message,
            to: match dice.below(3) {
                0 => Recipient::Patient,
                1 => Recipient::Caregiver("lei".to_owned()),
                _ => Recipient::Staff("Hao".to_owned()),
            },
            news: "missed".to_owned(),
        },
    }
}

fn entry(dice: &mut Dice) -> Entry {
    match dice.below(12) {
        0..=3 => dose(dice),
        4 => Entry::DosesExpired {
            medication: "A".to_owned(),
            amount: "1 tablet".to_owned(),
            due: vec![due(dice)],
            reason: ExpiredReason::ApiDown,
        },
        5 => Entry::DoseReopened {
            about: About {
                id: "A".to_owned(),
                due: due(dice),
            },
            by: teller(dice),
        },
        6 => Entry::TakenAsNeeded {
            medication: "gone".to_owned(),
            at: Millis(minute(dice.below(50_000))),
            by: teller(dice),
        },
        7 => Entry::Wrote {
            text: dice
                .of(&["头晕", " ", "I feel <b>bad</b>\nreally"])
                .to_owned(),
            red_flag: dice.below(2) == 0,
            by: teller(dice),
        },
        8 | 9 => answer(dice),
        _ => message(dice),
    }
}

fn change(patient: String, zone: &str) -> PlanChange {
    let text = PLAN.replacen("born", &format!("timezone = \"{zone}\"\nborn"), 1);
    let defaults = Defaults {
        zone: Zone::get("Asia/Shanghai").unwrap(),
        language: Language::En,
        quiet_hours: None,
        day: Day::default(),
        now: None,
    };
    let plan = read(&Source::new("p.toml", text.clone()), &defaults);
    let plan = plan.unwrap().plan;
    PlanChange {
        patient,
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

async fn history(seed: u64, directory: &Path) -> Reader {
    let mut dice = Dice(seed);
    let options = Options {
        path: directory.join("dosed.redb"),
        cache_bytes: 1 << 20,
    };
    let store = Store::open(&options, Arc::new(Telemetry::new(|_, _| {}))).unwrap();
    // Ids of patients have underscores, which those of FHIR have not.
    let names: Vec<String> = (0..PATIENTS).map(|n| format!("p_{n}")).collect();
    let zones = ["Asia/Shanghai", "Europe/Berlin", "Pacific/Apia"];
    let plans = names.iter().zip(zones.iter().cycle());
    let plans = plans.map(|(name, zone)| change(name.clone(), zone));
    let (now, fits) = (minute(0), Arc::new(Unlimited));
    let overdue = ExpiredReason::DaemonDown;
    store
        .apply(now, plans.collect(), Vec::new(), overdue, fits, 0)
        .await
        .unwrap();
    for name in &names {
        let mut rows = Vec::new();
        for _ in 0..dice.below(90) {
            let entries = (0..=dice.below(3)).map(|_| entry(&mut dice)).collect();
            rows.push(JournalRow {
                at: minute(dice.below(30_000)).as_millisecond(),
                entries,
            });
        }
        rows.sort_by_key(|row| row.at);
        store
            .write_journal(minute(1), name.clone(), rows)
            .await
            .unwrap();
    }
    store.close().await;
    crate::store::open_reader(&options).unwrap()
}

fn resources(reader: &Reader, from: Timestamp, until: Timestamp) -> Vec<u8> {
    let mut written = Vec::new();
    let zone = Zone::get("Asia/Shanghai").unwrap();
    let (from, until) = (End::Instant(from), End::Instant(until));
    let done = write(&mut written, reader, None, &zone, from, until);
    assert!(done.is_ok());
    written
}

fn count(lines: &[u8]) -> usize {
    std::str::from_utf8(lines).unwrap().lines().count()
}

fn run(program: &str, arguments: &[&Path]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    // A module's source may stand in what Node says.
    let complained: String = complained.chars().rev().take(2_000).collect();
    let complained: String = complained.chars().rev().collect();
    assert!(output.status.success(), "{program}: {said}{complained}");
    println!("{said}");
}

#[tokio::test]
async fn random_histories_are_valid_resources_and_say_what_the_journal_says() {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/exports");
    let modules = std::env::var_os("DOSED_FHIR_VALIDATORS");
    let has_python = Command::new("python3").arg("--version").output().is_ok();
    for seed in [3, 77, 20_261_126] {
        let directory = tempfile::tempdir().unwrap();
        let reader = history(seed, directory.path()).await;
        let all = resources(&reader, Timestamp::MIN, Timestamp::MAX);
        let lines = count(&all);
        assert!(lines > 2_000, "{lines}");
        let again = resources(&reader, Timestamp::MIN, Timestamp::MAX);
        assert!(all == again, "the same are the same in each export");
        let part = resources(&reader, minute(5_000), minute(15_000));
        let of_part = count(&part);
        assert!(of_part > PATIENTS && of_part < lines / 2, "{of_part}");
        let mut journal = Vec::new();
        let zone = Zone::get("Asia/Shanghai").unwrap();
        let done = super::super::journal::write(&mut journal, &reader, None, &zone, minute(90_000));
        assert!(done.is_ok());
        let paths = ["journal", "fhir"].map(|name| directory.path().join(name));
        std::fs::write(&paths[0], journal).unwrap();
        std::fs::write(&paths[1], all).unwrap();
        if has_python {
            let script = scripts.join("resources.py");
            run("python3", &[&script, &paths[0], &paths[1]]);
        }
        // The tests of the system install them.
        if let Some(modules) = &modules {
            let script = scripts.join("validate.mjs");
            run("node", &[&script, Path::new(modules), &paths[1]]);
        }
    }
}
