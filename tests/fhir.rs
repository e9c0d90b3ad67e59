//! FHIR through the built binary: previews, imports, refusals.

use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

fn dosed(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dosed"))
        .args(args)
        .output()
        .expect("the binary runs")
}

fn request(id: &str, patient: &str, time: &str) -> Value {
    json!({
        "resourceType": "MedicationRequest", "id": id, "status": "active", "intent": "order",
        "medicationReference": {"reference": "Medication/m"},
        "subject": {"reference": patient},
        "dosageInstruction": [{
            "timing": {"repeat": {"timeOfDay": [time], "boundsPeriod": {"start": "2026-03-02"}}},
            "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "tablet"}}],
        }],
    })
}

fn others() -> [Value; 3] {
    [
        json!({"resourceType": "Observation", "id": "o"}),
        json!({"resourceType": "Medication", "id": "m", "code": {"text": "Aspirin"}}),
        json!({"resourceType": "Patient", "id": "B", "name": [{"text": "Bo Ek"}]}),
    ]
}

fn ndjson(values: &[Value]) -> String {
    let lines: Vec<String> = values.iter().map(Value::to_string).collect();
    lines.join("\n") + "\n"
}

fn file(directory: &TempDir, text: &str) -> String {
    let path = directory.path().join("in.json");
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn preview(path: &str, more: &[&str]) -> Output {
    let fixed = [
        "preview",
        "--fhir",
        path,
        "--timezone",
        "UTC",
        "--from",
        "2026-03-02",
        "--days",
        "2",
    ];
    dosed(&[&fixed, more].concat())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_refused_resource_is_named_and_the_others_are_shown_in_order() {
    let directory = TempDir::new().unwrap();
    let mut values = vec![
        request("r1", "Patient/B", "20:00:00"),
        request("r2", "Patient/A", "20:00:00"),
        request("r3", "Patient/B", "08:00:00"),
        request("bad", "Patient/C", "8am"),
    ];
    values.extend(others());
    let lines = ndjson(&values)
        + "{\"resourceType\": \"MedicationRequest\"\n\n"
        + &ndjson(&[request("r4", "Patient/A", "07:00:00")]);
    let bundle = json!({"resourceType": "Bundle", "entry": values.iter().map(|value| json!({"resource": value})).collect::<Vec<_>>()});
    for (input, more, refused) in [
        (lines, 1, 2),
        (bundle.to_string(), 0, 1),
        (serde_json::to_string_pretty(&bundle).unwrap(), 0, 1),
    ] {
        let path = file(&directory, &input);
        let output = preview(&path, &["--json"]);
        assert_eq!(output.status.code(), Some(1));
        let stderr = text(&output.stderr);
        assert_eq!(
            stderr
                .lines()
                .filter(|line| line.starts_with("error: "))
                .count(),
            refused,
            "{stderr}"
        );
        assert!(
            stderr.contains(
                "MedicationRequest/bad: dosageInstruction[0].timing.repeat.timeOfDay[0]: `8am`"
            ),
            "{stderr}"
        );
        let rows: Vec<Value> = text(&output.stdout)
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let shown: Vec<(&str, &str)> = rows
            .iter()
            .map(|row| (row["at"].as_str().unwrap(), row["id"].as_str().unwrap()))
            .collect();
        let day: Vec<&str> = shown.iter().take(3 + more).map(|(_, id)| *id).collect();
        assert_eq!(day, [&["r4"][..more], &["r3", "r2", "r1"]].concat());
        assert_eq!(rows.len(), 2 * (3 + more));
        let last = rows.last().unwrap();
        assert_eq!(last["at"], "2026-03-03T20:00:00+00:00");
        assert_eq!(last["patient"], "Patient/B");
        assert_eq!(
            (&last["name"], &last["dose"], &last["kind"]),
            (&json!("Aspirin"), &json!("1 tablet"), &json!("dose"))
        );
    }
}

#[test]
fn one_patient_is_shown_by_reference_or_id() {
    let directory = TempDir::new().unwrap();
    let values = [
        request("r1", "Patient/B", "20:00:00"),
        request("r2", "Patient/A", "20:00:00"),
    ];
    let path = file(&directory, &ndjson(&values));
    for patient in ["Patient/A", "A"] {
        let output = preview(&path, &["--patient", patient]);
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(
            text(&output.stdout),
            "2026-03-02 Mon 20:00  Patient/A  Medication/m  1 tablet\n2026-03-03 Tue 20:00  Patient/A  Medication/m  1 tablet\n"
        );
    }
}

#[test]
fn what_is_no_resource_is_an_error() {
    let directory = TempDir::new().unwrap();
    for input in [
        "",
        "{",
        "[]",
        "null",
        "{}",
        "\u{feff}{\"resourceType\": 5}",
        "name = \"x\"",
        "{\"resourceType\": \"Patient\"}",
    ] {
        let path = file(&directory, input);
        let output = preview(&path, &[]);
        assert_eq!(output.status.code(), Some(1), "{input}");
        assert!(text(&output.stderr).starts_with("error: "), "{input}");
        let out = directory.path().join("out");
        let output = dosed(&["import", "fhir", &path, "--out", out.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(65), "{input}");
    }
    assert_eq!(preview("/nonexistent/file", &[]).status.code(), Some(66));
}

#[test]
fn an_import_writes_one_plan_a_patient_and_replaces_none_unasked() {
    let directory = TempDir::new().unwrap();
    let mut values = vec![
        request("r1", "Patient/B", "20:00:00"),
        request("r2", "Patient/b", "20:00:00"),
        request("r3", "Patient/B", "08:00:00"),
    ];
    values.extend(others());
    let path = file(&directory, &ndjson(&values));
    let out = directory.path().join("plans.d");
    let import = |more: &[&str]| {
        let fixed = [
            "import",
            "fhir",
            &path,
            "--timezone",
            "Asia/Shanghai",
            "--out",
            out.to_str().unwrap(),
        ];
        dosed(&[&fixed, more].concat())
    };
    assert_eq!(import(&[]).status.code(), Some(0));
    let plan = |stem: &str| fs::read_to_string(out.join(format!("{stem}.toml"))).unwrap();
    assert!(plan("b").contains("name = \"Bo Ek\""));
    assert_eq!(plan("b").matches("[[medication]]").count(), 2);
    assert!(plan("b-2").contains("id = \"r2\""));
    assert_eq!(fs::read_dir(&out).unwrap().count(), 2);
    assert!(dosed(&["check", out.to_str().unwrap()]).status.success());

    fs::remove_file(out.join("b.toml")).unwrap();
    fs::write(out.join("b-2.toml"), "mine").unwrap();
    assert_eq!(import(&[]).status.code(), Some(73));
    assert_eq!(plan("b-2"), "mine");
    assert!(!Path::new(&out.join("b.toml")).exists());
    assert_eq!(import(&["--force"]).status.code(), Some(0));
    assert!(plan("b-2").contains("Aspirin"));
}

#[test]
fn what_an_import_cannot_carry_is_said() {
    let directory = TempDir::new().unwrap();
    let mut hourly = request("r1", "Patient/B", "20:00:00");
    hourly["dosageInstruction"][0]["timing"]["repeat"] =
        json!({"period": 6, "periodUnit": "h", "dayOfWeek": ["tue"]});
    let mut stopped = request("r2", "Patient/B", "20:00:00");
    stopped["status"] = json!("stopped");
    let path = file(
        &directory,
        &ndjson(&[hourly, stopped, request("r3", "Patient/B", "20:00:00")]),
    );
    let out = directory.path().join("out");
    let output = dosed(&[
        "import",
        "fhir",
        &path,
        "--out",
        out.to_str().unwrap(),
        "--start",
        "2026-03-02",
    ]);
    assert_eq!(output.status.code(), Some(1));
    let stderr = text(&output.stderr);
    assert!(
        stderr.contains(
            "warning: MedicationRequest/r1: dosageInstruction[0]: days of the week with a period in hours"
        ),
        "{stderr}"
    );
    assert!(
        stderr.contains("note: MedicationRequest/r2: not carried over: its status is `stopped`"),
        "{stderr}"
    );
    assert!(
        fs::read_to_string(out.join("b.toml"))
            .unwrap()
            .contains("id = \"r3\"")
    );
}
