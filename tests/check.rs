//! `dosed check`, as the built binary.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

const CONFIG: &str = r#"
[clinic]
timezone = "Asia/Shanghai"

[messaging]
channel = "wechat"

[wechat]
appid = "wx0123456789abcdef"
secret_file = "secret"

[wechat.templates.dose]
id = "dose-template"
[wechat.templates.dose.data]
thing1 = "{{ patient }}"
thing2 = "{{ medications }}"
time3 = "{{ at }}"
"#;

const GOOD: &str = r#"name = "王秀兰"

[[medication]]
name = "二甲双胍"
take = "1片"
at = "08:00, 20:00"
start = 2026-03-02
"#;

/// A clinic in a directory of its own.
struct Clinic {
    directory: TempDir,
}

impl Clinic {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clinic = Self { directory };
        clinic.write("dosed.toml", CONFIG);
        clinic.write("secret", "0123456789abcdef0123456789abcdef\n");
        clinic.mode("secret", 0o600);
        fs::create_dir(clinic.path("plans.d")).unwrap();
        clinic
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Runs `dosed check` in the clinic's directory.
    fn check(&self, arguments: &[&str]) -> Checked {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dosed"));
        command
            .arg("check")
            .args(arguments)
            .current_dir(self.directory.path());
        for name in [
            "STATE_DIRECTORY",
            "CREDENTIALS_DIRECTORY",
            "RUNTIME_DIRECTORY",
            "CLICOLOR_FORCE",
            "DOSED_LOG",
        ] {
            command.env_remove(name);
        }
        Checked::from(command.output().unwrap())
    }
}

/// How a check ended.
#[derive(Debug)]
struct Checked {
    exit: Option<i32>,
    out: String,
    err: String,
}

impl From<Output> for Checked {
    fn from(output: Output) -> Self {
        Self {
            exit: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A plan with one mistake, and how it must be shown.
struct Broken {
    kind: &'static str,
    plan: Vec<u8>,
    line: usize,
    /// `None` where the finding may point at any part of the value.
    column: Option<usize>,
    /// A part of the finding.
    message: &'static str,
    /// The line that is shown.
    shown: &'static str,
}

fn broken_plans() -> [Broken; 8] {
    let with = |from: &str, to: &str| {
        assert_eq!(GOOD.matches(from).count(), 1, "{from}");
        GOOD.replace(from, to).into_bytes()
    };
    let second = "[[medication]]\nname = \"二甲双胍\"\ntake = \"1片\"\nat = \"12:00\"\n";
    [
        Broken {
            kind: "syntax",
            plan: with("\"1片\"", "1片"),
            line: 5,
            column: Some(8),
            message: "must be quoted",
            shown: "take = 1片",
        },
        Broken {
            kind: "unknown key",
            plan: with("take =", "tkae ="),
            line: 5,
            column: Some(1),
            message: "the nearest known one is `take`",
            shown: "tkae = \"1片\"",
        },
        Broken {
            kind: "bad time",
            plan: with("20:00", "25:00"),
            line: 6,
            column: None,
            message: "25:00",
            shown: "at = \"08:00, 25:00\"",
        },
        Broken {
            kind: "bad date",
            plan: with("03-02", "02-30"),
            line: 7,
            column: Some(9),
            message: "invalid date",
            shown: "start = 2026-02-30",
        },
        Broken {
            kind: "wrong type",
            plan: with("\"08:00, 20:00\"", "true"),
            line: 6,
            column: Some(6),
            message: "`at` must be",
            shown: "at = true",
        },
        Broken {
            kind: "duplicate id",
            plan: format!("{GOOD}{second}").into_bytes(),
            line: 9,
            column: Some(8),
            message: "二甲双胍",
            shown: "name = \"二甲双胍\"",
        },
        Broken {
            kind: "invalid UTF-8",
            plan: [b"name = \"".as_slice(), b"\xcd\xf5\"\n", GOOD.as_bytes()].concat(),
            line: 1,
            column: Some(9),
            message: "UTF-8",
            shown: "name = \"\u{fffd}\u{fffd}\"",
        },
        Broken {
            kind: "misfit",
            plan: with("二甲双胍", "盐酸二甲双胍缓释片（进口分装，每片五百毫克）"),
            line: 4,
            column: Some(8),
            message: "short = ",
            shown: "name = \"盐酸二甲双胍缓释片（进口分装，每片五百毫克）\"",
        },
    ]
}

#[test]
fn each_kind_of_broken_plan_is_shown_and_the_99_others_are_not() {
    let clinic = Clinic::new();
    for number in 0..100 {
        clinic.write(&format!("plans.d/p{number}.toml"), GOOD);
    }
    let fine = clinic.check(&["--config", "dosed.toml"]);
    assert_eq!(fine.exit, Some(0), "{fine:?}");
    assert!(fine.err.contains("100 plans checked"), "{fine:?}");

    for broken in broken_plans() {
        let Broken { kind, line, .. } = broken;
        clinic.write("plans.d/p7.toml", broken.plan);
        let checked = clinic.check(&["--config", "dosed.toml"]);
        assert_eq!(checked.exit, Some(1), "{kind}: {checked:?}");
        assert_eq!(checked.out, "", "{kind}");
        let place = format!("plans.d/p7.toml:{line}:");
        let first = checked.err.lines().find(|line| line.contains(&place));
        let first = first.unwrap_or_else(|| panic!("{kind}: no {place} in\n{}", checked.err));
        let rest = &first[first.find(&place).unwrap() + place.len()..];
        let (column, sentence) = rest.split_once(": ").unwrap();
        let column: usize = column.parse().unwrap();
        assert!(
            broken.column.is_none_or(|expected| column == expected),
            "{kind}: {first}"
        );
        assert!(sentence.starts_with("error: "), "{kind}: {first}");
        assert!(
            checked.err.contains(broken.message),
            "{kind}: {}",
            checked.err
        );
        let shown = format!("{line} | {}\n", broken.shown);
        assert!(checked.err.contains(&shown), "{kind}: {}", checked.err);
        for other in checked
            .err
            .lines()
            .filter(|line| line.contains(": error: "))
        {
            assert!(other.contains("/p7.toml:"), "{kind}: {other}");
        }

        let lone = clinic.check(&["plans.d/p7.toml"]);
        // Without the configuration nothing is known of the template's fields.
        let wrong = kind != "misfit";
        assert_eq!(lone.exit, Some(i32::from(wrong)), "{kind}: {lone:?}");
        assert_eq!(lone.err.contains(&place), wrong, "{kind}: {lone:?}");
    }

    clinic.write("plans.d/p7.toml", GOOD);
    assert_eq!(
        clinic.check(&["--config", "dosed.toml"]).exit,
        Some(0),
        "mended"
    );
}

#[test]
fn findings_are_one_json_object_a_line_in_the_order_of_the_text() {
    let clinic = Clinic::new();
    clinic.write("plans.d/b.toml", GOOD.replace("take =", "tkae ="));
    clinic.write("plans.d/a.toml", "nmae = 1\nneam = 2\n");
    let checked = clinic.check(&["--json", "plans.d"]);
    assert_eq!((checked.exit, checked.err.as_str()), (Some(1), ""));
    let findings: Vec<serde_json::Value> = checked
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let places: Vec<(String, u64)> = findings
        .iter()
        .map(|finding| {
            let path = finding["path"].as_str().unwrap().to_owned();
            (path, finding["line"].as_u64().unwrap())
        })
        .collect();
    let mut sorted = places.clone();
    sorted.sort();
    assert_eq!(places, sorted);
    assert!(
        places.contains(&("plans.d/a.toml".to_owned(), 2)),
        "{places:?}"
    );
    for finding in &findings {
        let keys: Vec<&str> = finding
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let mut keys = keys;
        keys.sort_unstable();
        assert_eq!(
            keys,
            ["column", "help", "line", "message", "path", "severity"]
        );
    }
}

#[test]
fn quiet_shows_errors_only() {
    let clinic = Clinic::new();
    clinic.write("plans.d/notes.txt", "");
    clinic.write("plans.d/a.toml", GOOD);
    let loud = clinic.check(&["plans.d"]);
    assert_eq!(loud.exit, Some(0));
    assert!(
        loud.err.starts_with("plans.d/notes.txt:1:1: warning: "),
        "{loud:?}"
    );
    let quiet = clinic.check(&["--quiet", "plans.d"]);
    assert_eq!((quiet.exit, quiet.err.as_str()), (Some(0), ""));
    clinic.write("plans.d/Wang.toml", GOOD);
    let quiet = clinic.check(&["--quiet", "plans.d"]);
    assert_eq!(quiet.exit, Some(1));
    assert_eq!(quiet.err.matches(": warning: ").count(), 0, "{quiet:?}");
    assert!(
        quiet.err.starts_with("plans.d/Wang.toml:1:1: error: "),
        "{quiet:?}"
    );
}

#[test]
fn a_patient_in_both_places_is_an_error_at_both() {
    let clinic = Clinic::new();
    clinic.write(
        "dosed.toml",
        format!("{CONFIG}\n[patients.a]\nname = \"A\"\n"),
    );
    clinic.write("plans.d/a.toml", GOOD);
    let checked = clinic.check(&["--config", "dosed.toml"]);
    assert_eq!(checked.exit, Some(1));
    let line = CONFIG.lines().count() + 2;
    assert!(
        checked
            .err
            .contains(&format!("dosed.toml:{line}:11: error: ")),
        "{checked:?}"
    );
    assert!(
        checked.err.contains("plans.d/a.toml:1:1: error: "),
        "{checked:?}"
    );
}

#[test]
fn a_broken_inline_plan_is_shown_in_the_configuration() {
    let clinic = Clinic::new();
    let text =
        format!("{CONFIG}\n[patients.a]\nname = \"A\"\nnmae = 1\n[patients.B]\nname = \"B\"\n");
    clinic.write("dosed.toml", text);
    let checked = clinic.check(&["--config", "dosed.toml"]);
    assert_eq!(checked.exit, Some(1));
    let line = CONFIG.lines().count() + 4;
    assert!(
        checked
            .err
            .contains(&format!("dosed.toml:{line}:1: error: ")),
        "{checked:?}"
    );
    assert!(
        checked
            .err
            .contains(&format!("dosed.toml:{}:11: error: ", line + 1)),
        "{checked:?}"
    );
    assert_eq!(
        clinic
            .check(&["--config", "dosed.toml", "--config-only"])
            .exit,
        Some(0)
    );
}

#[test]
fn exit_codes_tell_a_wrong_command_from_a_missing_file_from_a_finding() {
    let clinic = Clinic::new();
    clinic.write("plans.d/a.toml", GOOD);
    for (arguments, exit) in [
        (
            &["--config", "dosed.toml", "--config-only", "--quiet"][..],
            0,
        ),
        (&["--config", "dosed.toml"], 0),
        (&["plans.d/a.toml"], 0),
        (&[], 64),
        (&["--config-only", "plans.d"], 64),
        (&["--config", "dosed.toml", "--config-only", "plans.d"], 64),
        (&["--nonsense"], 64),
        (&["--config", "absent.toml"], 66),
        (&["absent.toml"], 66),
        (&["absent"], 66),
    ] {
        let checked = clinic.check(arguments);
        assert_eq!(checked.exit, Some(exit), "{arguments:?}: {checked:?}");
        assert_eq!(
            checked.err.contains("absent"),
            exit == 66,
            "{arguments:?}: {checked:?}"
        );
    }
}

#[test]
fn what_run_would_refuse_is_a_finding() {
    let clinic = Clinic::new();
    let check = || clinic.check(&["--config", "dosed.toml", "--config-only"]);
    assert_eq!(check().exit, Some(0));

    clinic.mode("secret", 0o644);
    let exposed = check();
    assert_eq!(exposed.exit, Some(1));
    assert!(
        exposed
            .err
            .contains("dosed.toml:10:15: error: the secret file "),
        "{exposed:?}"
    );
    assert!(!exposed.err.contains("0123456789abcdef0123"), "{exposed:?}");
    clinic.mode("secret", 0o600);

    let own_ca = CONFIG.replace("appid", "ca_file = \"ca.pem\"\nappid");
    clinic.write("dosed.toml", &own_ca);
    assert!(check().err.contains("ca.pem"), "{:?}", check());
    clinic.write("ca.pem", "no certificate");
    let checked = check();
    assert_eq!(checked.exit, Some(1));
    assert!(checked.err.contains("wechat.ca_file"), "{checked:?}");

    clinic.write("dosed.toml", CONFIG.replace("timezone", "timezome"));
    let checked = check();
    assert_eq!(checked.exit, Some(1));
    assert!(
        checked.err.contains("dosed.toml:3:1: error: "),
        "{checked:?}"
    );
    assert!(checked.err.contains("`timezone`"), "{checked:?}");
}

#[test]
fn a_refill_that_the_patient_would_not_be_told_of_is_a_warning() {
    let clinic = Clinic::new();
    let counted = format!("{GOOD}stock = \"60片，2026-03-02\"\nrefill_when = \"7 days left\"\n");
    clinic.write("plans.d/wang.toml", &counted);
    let checked = clinic.check(&["--config", "dosed.toml"]);
    assert_eq!(checked.exit, Some(0), "it is no error: {}", checked.err);
    for words in [
        "plans.d/wang.toml:9:",
        "the patient is not told when it runs low",
        "refill_when = \"7 days left\"",
        "the configuration needs a table [wechat.templates.notice]",
        "1 plan checked: no errors, 1 warning",
    ] {
        assert!(checked.err.contains(words), "{words}: {}", checked.err);
    }
    let notice = "[wechat.templates.notice]\nid = \"notice\"\n[wechat.templates.notice.data]\n\
                  thing1 = \"{{ patient }}\"\nthing2 = \"{{ text }}\"\ntime3 = \"{{ at }}\"\n";
    clinic.write("dosed.toml", format!("{CONFIG}{notice}"));
    let checked = clinic.check(&["--config", "dosed.toml"]);
    assert!(
        checked.err.contains("nothing to say against it"),
        "{}",
        checked.err
    );
    // Over the console there is nothing that is not said.
    clinic.write(
        "dosed.toml",
        "[clinic]\ntimezone = \"Asia/Shanghai\"\n[messaging]\nchannel = \"console\"\n",
    );
    let checked = clinic.check(&["--config", "dosed.toml"]);
    assert!(
        checked.err.contains("nothing to say against it"),
        "{}",
        checked.err
    );
}

#[test]
fn whatever_lies_in_the_plan_directory_the_check_ends() {
    let clinic = Clinic::new();
    let at = |name: &str| clinic.path(&format!("plans.d/{name}"));
    clinic.write("plans.d/good.toml", GOOD);
    fs::create_dir(at("directory.toml")).unwrap();
    std::os::unix::fs::symlink("loop.toml", at("loop.toml")).unwrap();
    std::os::unix::fs::symlink("/nowhere", at("dangling.toml")).unwrap();
    fs::write(at("large.toml"), vec![b'#'; 10 << 20]).unwrap();
    fs::write(at("deep.toml"), "a = ".to_owned() + &"[".repeat(100_000)).unwrap();
    fs::write(at("zeros.toml"), vec![0; 4096]).unwrap();
    let (fifo, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR);
    rustix::fs::mknodat(rustix::fs::CWD, at("pipe.toml"), fifo, mode, 0).unwrap();
    let checked = clinic.check(&["plans.d"]);
    assert_eq!(checked.exit, Some(1));
    for name in [
        "dangling",
        "deep",
        "directory",
        "large",
        "loop",
        "pipe",
        "zeros",
    ] {
        let place = format!("plans.d/{name}.toml:1:");
        assert!(checked.err.contains(&place), "{name}: {}", checked.err);
    }
    assert!(!checked.err.contains("good.toml"), "{}", checked.err);
}

#[test]
fn the_example_configuration_and_its_patients_are_fine() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let example = root.join("config.example.toml");
    let clinic = Clinic::new();
    let checked = clinic.check(&["--config", example.to_str().unwrap()]);
    assert_eq!(checked.exit, Some(0), "{checked:?}");
    assert!(
        checked.err.contains("2 plans checked: nothing to say"),
        "{checked:?}"
    );

    let text = fs::read_to_string(example).unwrap();
    let text = text.replace("channel = \"console\"", "channel = \"wechat\"");
    clinic.write("wechat.toml", text.replace("wechat-secret", "secret"));
    let checked = clinic.check(&["--config", "wechat.toml"]);
    assert_eq!(checked.exit, Some(0), "{checked:?}");
}
