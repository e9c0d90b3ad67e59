//! Tests of loading, over real directories.

use super::*;
use crate::daemon::config::Environment;
use std::fs;
use std::path::Path;
use std::time::Duration;

const GOOD: &str = "name = \"A\"\n[[medication]]\nname = \"M\"\ntake = \"1\"\nat = \"08:00\"\n";

fn config(directory: &Path, text: &str) -> Config {
    let text = format!("[clinic]\ntimezone = \"Asia/Shanghai\"\n{text}");
    let source = Source::new(directory.join("dosed.toml"), text);
    Config::parse(&source, &Environment::default()).unwrap()
}

fn plans_d() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let plans = directory.path().join("plans.d");
    fs::create_dir(&plans).unwrap();
    (directory, plans)
}

fn load_all(config: &Config) -> LoadedPlans {
    load(config, &HashMap::new(), Timestamp::UNIX_EPOCH)
}

fn id(text: &str) -> PatientId {
    text.parse().unwrap()
}

#[test]
fn files_and_tables_are_one_set_of_patients_each_with_their_own_findings() {
    let (directory, plans) = plans_d();
    fs::write(plans.join("a.toml"), GOOD).unwrap();
    fs::write(plans.join("b.toml"), GOOD.replace("take", "tkae")).unwrap();
    fs::write(plans.join("notes.txt"), "").unwrap();
    let inline = "[patients.c]\nname = \"C\"\n[patients.d]\nnmae = \"D\"\n[patients]\ne = 3\n\
                  [patients.\"F f\"]\n";
    let inline = inline.replace("[patients]\ne = 3\n", "");
    let loaded = load_all(&config(directory.path(), &inline));
    assert!(loaded.directory.is_ok());
    let good: Vec<(&str, bool)> = loaded
        .plans
        .iter()
        .map(|(id, plan)| (id.as_str(), plan.plan.is_ok()))
        .collect();
    assert_eq!(good, [("a", true), ("b", false), ("c", true), ("d", false)]);
    assert_eq!(
        loaded.plans[&id("a")].origin,
        Origin::File(plans.join("a.toml"))
    );
    assert_eq!(loaded.plans[&id("a")].text, GOOD);
    assert_eq!(loaded.plans[&id("a")].plan.as_ref().unwrap().plan.name, "A");
    assert_eq!(loaded.plans[&id("c")].origin, Origin::Inline);
    assert_eq!(loaded.plans[&id("c")].text, "[patients.c]\nname = \"C\"\n");
    let strays: Vec<bool> = loaded.strays.iter().map(Diagnostic::is_error).collect();
    assert_eq!(strays, [true, false], "the id, the notes");
}

#[test]
fn a_patient_that_is_no_table_is_that_patients_finding() {
    let (directory, _plans) = plans_d();
    let loaded = load_all(&config(
        directory.path(),
        "[patients]\na = 3\nb = { name = \"B\" }\n",
    ));
    let findings = loaded.plans[&id("a")].plan.as_ref().unwrap_err();
    assert_eq!(findings[0].message(), "`a` must be a table, not a number");
    assert!(loaded.plans[&id("b")].plan.is_ok());
}

#[test]
fn a_file_that_cannot_be_read_is_rejected_and_one_that_is_gone_is_absent() {
    let (directory, plans) = plans_d();
    fs::create_dir(plans.join("directory.toml")).unwrap();
    std::os::unix::fs::symlink("nowhere", plans.join("dangling.toml")).unwrap();
    fs::write(
        plans.join("large.toml"),
        vec![b'#'; PLAN_BYTES_MAX as usize + 1],
    )
    .unwrap();
    fs::write(
        plans.join("limit.toml"),
        format!("{GOOD}{}", "#".repeat(1000)),
    )
    .unwrap();
    fs::write(plans.join("latin.toml"), b"name = \"\xe9\"\n").unwrap();
    let loaded = load_all(&config(directory.path(), ""));
    for (name, message) in [
        (
            "directory",
            "the plan cannot be read: it is not a regular file",
        ),
        ("dangling", "the plan cannot be read: it does not exist"),
        (
            "large",
            "the plan cannot be read: it is larger than 1048576 bytes",
        ),
        (
            "latin",
            "the file is not UTF-8: byte 0xE9 cannot stand here",
        ),
    ] {
        let findings = loaded.plans[&id(name)].plan.as_ref().unwrap_err();
        assert_eq!(findings[0].message(), message, "{name}");
        let place = findings[0].place();
        assert!(
            place.contains(&format!("plans.d/{name}.toml:1:")),
            "{place}"
        );
    }
    assert!(loaded.plans[&id("limit")].plan.is_ok());

    let gone = PlanFile {
        path: plans.join("gone.toml"),
        stamp: None,
    };
    let terms = Terms::of(&config(directory.path(), ""), Timestamp::UNIX_EPOCH);
    assert!(read_file(&gone, &terms).is_none());
}

#[test]
fn a_missing_directory_is_no_empty_one() {
    let directory = tempfile::tempdir().unwrap();
    let loaded = load_all(&config(directory.path(), "[patients.a]\nname = \"A\"\n"));
    assert!(matches!(loaded.directory, Err(ScanError::Missing(_))));
    assert_eq!(loaded.plans.len(), 1);
}

#[test]
fn a_patient_in_both_places_is_refused_even_when_the_file_has_not_changed() {
    let (directory, plans) = plans_d();
    fs::write(plans.join("a.toml"), GOOD).unwrap();
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(3600);
    let file = fs::File::options()
        .write(true)
        .open(plans.join("a.toml"))
        .unwrap();
    file.set_modified(long_ago).unwrap();
    let both = config(directory.path(), "[patients.a]\nname = \"A\"\n");
    let stamp = Stamp::of(
        &fs::metadata(plans.join("a.toml")).unwrap(),
        std::time::SystemTime::now() + Duration::from_secs(60),
    );
    let known = HashMap::from([(id("a"), stamp.unwrap())]);
    let loaded = load(&both, &known, Timestamp::UNIX_EPOCH);
    assert!(loaded.unchanged.is_empty());
    let findings = loaded.plans[&id("a")].plan.as_ref().unwrap_err();
    let places: Vec<String> = findings.iter().map(Diagnostic::place).collect();
    assert!(places[0].ends_with("dosed.toml:3:11"), "{places:?}");
    assert!(places[1].ends_with("plans.d/a.toml:1:1"), "{places:?}");
}

#[test]
fn a_file_with_a_known_stamp_is_not_read() {
    let (directory, plans) = plans_d();
    fs::write(plans.join("a.toml"), GOOD).unwrap();
    let config = config(directory.path(), "");
    let path = plans.join("a.toml");
    let later = std::time::SystemTime::now() + Duration::from_secs(60);
    let stamp = Stamp::of(&fs::metadata(&path).unwrap(), later);
    let known = HashMap::from([(id("a"), stamp.unwrap())]);
    assert!(is_known(&id("a"), stamp, &known));
    assert!(!is_known(&id("b"), stamp, &known));
    assert!(!is_known(&id("a"), None, &known));

    // It was written a moment ago and might be written again within the same tick.
    let loaded = load(&config, &known, Timestamp::UNIX_EPOCH);
    assert!(loaded.unchanged.is_empty());
    assert!(loaded.plans[&id("a")].plan.is_ok());
}

#[test]
fn what_the_channel_cannot_hold_is_refused_at_the_name() {
    let wechat = "[messaging]\nchannel = \"wechat\"\n[wechat]\nappid = \"wx1\"\nsecret_file = \"s\"\n\
                  [wechat.templates.dose]\nid = \"T\"\ndata.thing1 = \"{{ medications }}\"\n";
    let (directory, plans) = plans_d();
    let long = "M".repeat(30);
    let plan = |medication: &str, rest: &str| {
        format!("name = \"A\"\n[[medication]]\nname = {medication}\nat = \"08:00\"\n{rest}")
    };
    let check_in = "[[check_in]]\nask = \"Well?\"\nanswer = \"yes or no\"\nat = \"09:00\"\n";
    for (name, text) in [
        ("long", plan(&format!("\"{long}\""), "take = \"1\"\n")),
        (
            "short",
            plan(&format!("\"{long}\"\nshort = \"M\""), "take = \"1\"\n"),
        ),
        (
            "shortlong",
            plan(&format!("\"{long}\"\nshort = \"{long}\""), "take = \"1\"\n"),
        ),
        (
            "amount",
            plan(
                "\"M\"",
                "take = { mon = \"1\", tue = \"1 spoonful-of-the-brown-sirup\" }\n",
            ),
        ),
        (
            "needed",
            plan(&format!("\"{long}\""), "take = \"1\"\n")
                .replace("at = \"08:00\"", "as_needed = \"pain\""),
        ),
        ("asks", plan("\"M\"", &format!("take = \"1\"\n{check_in}"))),
    ] {
        fs::write(plans.join(format!("{name}.toml")), text).unwrap();
    }
    let loaded = load_all(&config(directory.path(), wechat));
    let found: Vec<(&str, Vec<String>)> = loaded
        .plans
        .iter()
        .map(|(id, plan)| {
            let errors = plan.plan.as_ref().err().into_iter().flatten();
            let errors = errors.filter(|found| found.is_error()).map(|found| {
                let at = found.position();
                format!(
                    "{}:{} {}",
                    at.line,
                    at.column,
                    found.help().unwrap_or_default()
                )
            });
            (id.as_str(), errors.collect())
        })
        .collect();
    let short = "give it a name of at most 18 characters: short = \"…\"".to_owned();
    assert_eq!(
        found,
        [
            (
                "amount",
                vec!["5:8 say the amount in fewer words".to_owned()]
            ),
            (
                "asks",
                vec!["7:7 the configuration needs a table [wechat.templates.check_in]".to_owned()]
            ),
            ("long", vec![format!("3:8 {short}")]),
            ("needed", vec![]),
            ("short", vec![]),
            ("shortlong", vec![format!("4:9 {short}")]),
        ]
    );
    let unlimited = load_all(&config(directory.path(), ""));
    assert!(unlimited.plans.values().all(|plan| plan.plan.is_ok()));
}
