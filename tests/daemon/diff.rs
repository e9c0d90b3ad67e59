//! `dosed diff` says what the daemon would do, and does nothing.

use crate::support::{World, eventually, metric};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// Exit code, stdout and stderr of `dosed diff` at the world's time.
async fn diff(world: &World, arguments: &[&str]) -> (i32, String, String) {
    let clock = world.clock.argument();
    let output = world
        .cli(&[&["diff", "--clock", &clock], arguments].concat())
        .await;
    let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
    (
        output.status.code().expect("it is not killed"),
        text(output.stdout),
        text(output.stderr),
    )
}

/// A store with what the plans say now, at this time.
async fn applied(world: &World) {
    let daemon = world.start().await;
    let ended = daemon.stop().await;
    assert_eq!(ended.code(), Some(0), "{}", ended.log);
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).collect()
}

const METFORMIN: (&str, &str) = ("二甲双胍", "take = \"1片\"\nat = \"08:00, 20:00\"");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_said_of_plans_that_are_in_force_and_the_store_is_not_touched() {
    let world = World::at("2026-03-24T12:00:00+08:00").await;
    world.patient("wang", "王秀兰", &[METFORMIN]);
    applied(&world).await;
    let before = std::fs::read(world.path("dosed.redb")).expect("the store");
    assert_eq!(diff(&world, &[]).await, (0, String::new(), String::new()));
    // What the bytes say in other words is said, and is nothing to be looked at.
    world.write(
        "plans.d/wang.toml",
        format!("# seen by Dr Hao\n{}", world.read("plans.d/wang.toml")),
    );
    let (code, out, _) = diff(&world, &[]).await;
    assert_eq!(code, 0, "{out}");
    assert_eq!(
        out,
        "wang (王秀兰): only the text of the file changes: nothing follows from it\n"
    );
    world.patient(
        "wang",
        "王秀兰",
        &[("二甲双胍", "take = \"2片\"\nat = \"08:00\"")],
    );
    assert_eq!(diff(&world, &[]).await.0, 1);
    let after = std::fs::read(world.path("dosed.redb")).expect("the store");
    assert!(before == after, "not a byte of the store is changed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doses_are_added_withdrawn_moved_and_changed_in_words() {
    let world = World::at("2026-03-24T12:00:00+08:00").await;
    let plan = |medications: &[(&str, &str)]| world.patient("wang", "王秀兰", medications);
    plan(&[
        ("A", "take = \"1片\"\nat = \"08:00\"\ndays = \"wed, thu\""),
        ("B", "take = \"5 mg\"\nat = \"18:00\"\ndays = \"fri\""),
        ("C", "take = \"1片\"\nat = \"09:00\"\ndays = \"sat\""),
        ("D", "take = \"1片\"\nat = \"10:00\"\ndays = \"sun\""),
    ]);
    applied(&world).await;
    plan(&[
        ("A", "take = \"1片\"\nat = \"09:00\"\ndays = \"wed, thu\""),
        ("B", "take = \"2.5 mg\"\nat = \"18:00\"\ndays = \"fri\""),
        (
            "D",
            "take = \"1片\"\nat = \"10:00\"\ndays = \"sun\"\nnote = \"饭后\"",
        ),
        ("E", "take = \"1片\"\nat = \"07:00\"\ndays = \"mon\""),
    ]);
    let (code, out, error) = diff(&world, &[]).await;
    assert_eq!((code, error.as_str()), (1, ""), "{out}");
    assert_eq!(
        lines(&out),
        [
            "wang (王秀兰): the plan changes",
            "2026-03-25 Wed 08:00  A, 1片: moved from Wed 08:00 to 09:00",
            "2026-03-26 Thu 08:00  A, 1片: moved from Thu 08:00 to 09:00",
            "2026-03-27 Fri 18:00  B, 5 mg: 2.5 mg instead of 5 mg",
            "2026-03-28 Sat 09:00  C, 1片: withdrawn",
            "2026-03-30 Mon 07:00  E, 1片: added",
            "only the text of messages changes: the note of D",
        ]
    );
    let (_, json, _) = diff(&world, &["--json"]).await;
    let all: Vec<serde_json::Value> = json
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is JSON"))
        .collect();
    let changes: Vec<_> = all.iter().map(|line| line["change"].as_str()).collect();
    assert_eq!(
        changes,
        [
            "plan_changed",
            "moved",
            "moved",
            "amount",
            "withdrawn",
            "added",
            "text"
        ]
        .map(Some)
    );
    assert_eq!(all[1]["at"], "2026-03-25T08:00:00+08:00");
    assert_eq!(all[1]["to"], "2026-03-25T09:00:00+08:00");
    assert_eq!(all[3]["was"], "5 mg");
    assert_eq!(all[3]["dose"], "2.5 mg");
    // And once it is applied there is nothing to say.
    applied(&world).await;
    assert_eq!(diff(&world, &[]).await.0, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dose_reminded_of_today_is_not_shown_at_its_new_time_today() {
    let world = World::new().await;
    let plan = |at: &str| {
        let keys = format!("take = \"1片\"\nat = \"{at}\"");
        world.patient("wang", "王秀兰", &[("二甲双胍", keys.as_str())]);
    };
    plan("08:00");
    let daemon = world.start().await;
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() == 1, MINUTE)
            .await
    );
    eventually("everything settled", async || {
        (metric(&daemon.metrics().await, "dosed_outbox_depth", &[]) == 0.0).then_some(())
    })
    .await;
    plan("09:00");
    // The daemon runs, and holds the store.
    let (code, out, _) = diff(&world, &[]).await;
    daemon.stop().await;
    assert_eq!(code, 1);
    let found = lines(&out);
    assert_eq!(
        found[1],
        "2026-03-25 Wed 08:00  二甲双胍, 1片: moved from Wed 08:00 to 09:00"
    );
    // Tuesday next week is at 09:00, beyond the seven days; today is served.
    assert!(!out.contains("2026-03-24"), "{out}");
    // Nor is a second one of today where the first was reminded of.
    plan("09:00, 21:00");
    let (_, out, _) = diff(&world, &[]).await;
    let today: Vec<_> = out
        .lines()
        .filter(|line| line.contains("2026-03-24"))
        .collect();
    assert_eq!(today, ["  2026-03-24 Tue 21:00  二甲双胍, 1片: added"]);
    // What was taken out cancels the dose that waits for an answer.
    world.patient(
        "wang",
        "王秀兰",
        &[("别的药", "take = \"1片\"\nat = \"07:00\"")],
    );
    let (_, out, _) = diff(&world, &[]).await;
    assert!(
        lines(&out).contains(
            &"2026-03-24 Tue 08:00  二甲双胍, 1片: has fallen and waits for an answer: cancelled"
        ),
        "{out}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_passed_before_a_medication_was_new_is_not_shown_as_added() {
    let world = World::at("2026-03-24T12:00:00+08:00").await;
    world.patient("wang", "王秀兰", &[METFORMIN]);
    let (code, out, error) = diff(&world, &[]).await;
    assert_eq!(code, 1, "{error}");
    assert!(error.contains("no store"), "{error}");
    let found = lines(&out);
    assert_eq!(found[0], "wang (王秀兰): the plan is new");
    assert_eq!(found[1], "2026-03-24 Tue 20:00  二甲双胍, 1片: added");
    assert_eq!(found.len(), 1 + 14, "{out}");
    assert!(!world.path("dosed.redb").exists(), "nothing is made");
    // A patient whom nobody can reach is reminded of nothing.
    world.write_plan(
        "li",
        "name = \"李雷\"\n[[medication]]\nname = \"A\"\ntake = \"1片\"\nat = \"08:00\"\n",
    );
    let (_, out, _) = diff(&world, &[]).await;
    assert!(
        out.starts_with(
            "li (李雷): the plan is new\n  A is new: no reminder of it in the next 7 days\n  no \
             contact is known (`wechat` is missing): nobody is reminded of the 7 things"
        ),
        "{out}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rejected_ended_and_inline_plans_are_told() {
    let world = World::at("2026-03-24T12:00:00+08:00").await;
    let once = [("A", "take = \"1片\"\nat = \"08:00\"\ndays = \"wed\"")];
    for id in ["bad", "gone", "kept"] {
        world.patient(id, "王秀兰", &once);
    }
    applied(&world).await;
    let good = world.read("plans.d/bad.toml");
    world.write_plan("bad", good.replace("08:00", "8.00"));
    std::fs::remove_file(world.path("plans.d/gone.toml")).expect("it is there");
    let inline = "\n[patients.zhao]\nname = \"赵云\"\nwechat = \"o-zhao\"\n\
                  [[patients.zhao.medication]]\nname = \"B\"\ntake = \"1片\"\nat = \"09:00\"\n\
                  days = \"thu\"\n";
    world.write("dosed.toml", world.config() + inline);
    let (code, out, error) = diff(&world, &[]).await;
    assert_eq!((code, error.as_str()), (1, ""));
    let found = lines(&out);
    assert_eq!(
        found[0],
        "bad (王秀兰): the plan is rejected; the last good one stays in force"
    );
    assert!(
        found[1].contains("bad.toml:7:") && found[1].contains("error"),
        "{out}"
    );
    assert!(out.contains("write: at = \"08:00\""), "{out}");
    assert_eq!(
        found[found.len() - 4..],
        [
            "gone (王秀兰): the plan would end, a minute after its file was removed",
            "2026-03-25 Wed 08:00  A, 1片: withdrawn",
            "zhao (赵云): the plan is new",
            "2026-03-26 Thu 09:00  B, 1片: added",
        ]
    );
    assert!(!out.contains("kept"), "{out}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_that_vanish_at_once_and_a_missing_directory_end_nothing() {
    let world = World::at("2026-03-24T12:00:00+08:00").await;
    world.crowd(8);
    applied(&world).await;
    for n in 0..6 {
        std::fs::remove_file(world.path(&format!("plans.d/p{n:04}.toml"))).expect("it is there");
    }
    let (code, out, error) = diff(&world, &[]).await;
    assert_eq!(code, 1);
    assert!(
        error.contains("6 of 8 plans in force have no file any more"),
        "{error}"
    );
    assert!(error.contains("--accept-removals"), "{error}");
    assert_eq!(out.lines().count(), 6, "{out}");
    assert!(out.contains("p0000 (患者0000): the file is gone; the plan stays in force"));
    std::fs::rename(world.path("plans.d"), world.path("elsewhere")).expect("it is there");
    let (code, out, error) = diff(&world, &[]).await;
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(
        error.contains("does not exist: all of its plans stay in force (8)"),
        "{error}"
    );
}
