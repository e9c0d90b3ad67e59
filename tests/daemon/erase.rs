//! A patient's right to be forgotten, through the built binary.

use crate::support::{PATIENCE, World, eventually, metric};
use serde_json::Value;

/// What a command lists of everybody.
async fn listed(world: &World, command: &str) -> String {
    let ends = ["--from", "2026-01-01", "--until", "2026-12-31", "--journal"];
    let mut arguments = vec![command, "--json"];
    match command {
        "history" => arguments.extend(ends),
        "patients" => arguments.push("--all"),
        _ => {}
    }
    let output = world.cli(&arguments).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout).expect("JSON is UTF-8")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_erased_is_named_nowhere_and_the_others_go_on() {
    let world = World::at("2026-03-24T07:59:57+08:00").await;
    let keys = "take = \"1片\"\nat = \"08:00, 20:00\"";
    for (id, name) in [("wang-xiulan", "王秀兰"), ("li", "李雷")] {
        world.patient(id, name, &[("二甲双胍", keys)]);
    }
    let daemon = world.start().await;
    let both = world.sandbox.wait_for(|inbox| inbox.len() == 2, PATIENCE);
    assert!(both.await, "the reminders do not come");
    eventually("both settled", async || {
        let depth = metric(&daemon.metrics().await, "dosed_outbox_depth", &[]);
        (depth == 0.0).then_some(())
    })
    .await;

    let erase = async |arguments: &[&str]| {
        let output = world.cli(&[&["erase"], arguments].concat()).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let data = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), said, data)
    };
    let (code, said, _) = erase(&["nobody", "--yes"]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("no patient `nobody` is known"), "{said}");
    let (code, said, _) = erase(&["wang-xiulan", "--yes"]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("wang-xiulan.toml") && said.contains("dosed reload"));

    std::fs::remove_file(world.path("plans.d/wang-xiulan.toml")).expect("the plan is there");
    let (code, said, _) = erase(&["wang-xiulan", "--yes"]).await;
    assert_eq!(code, Some(1), "in force until it is read again: {said}");
    let reloaded = world.cli(&["reload", "--accept-removals"]).await;
    assert_eq!(reloaded.status.code(), Some(0), "{reloaded:?}");
    let (code, said, _) = erase(&["wang-xiulan"]).await;
    assert_eq!(code, Some(64), "{said}");
    assert!(said.contains("--yes"), "{said}");
    assert!(listed(&world, "history").await.contains("wang-xiulan"));

    let (code, said, data) = erase(&["wang-xiulan", "--yes", "--json"]).await;
    assert_eq!(code, Some(0), "{said}");
    let erased: Value = serde_json::from_str(&data).expect("an object");
    assert_eq!(erased["result"], "done");
    assert_eq!(erased["contacts"], 1, "{data}");
    assert_eq!(erased["texts"], 1, "{data}");
    let known_as = erased["known_as"].as_str().expect("an id").to_owned();
    let stays = erased["stays"].to_string();
    assert!(
        stays.contains(&known_as) && stays.contains("backups"),
        "{stays}"
    );

    for command in ["history", "patients", "calls", "inbox"] {
        let text = listed(&world, command).await;
        assert!(!text.contains("wang") && !text.contains("王秀兰"), "{text}");
    }
    assert!(listed(&world, "history").await.contains(&known_as));
    let (code, said, _) = erase(&["wang-xiulan", "--yes"]).await;
    assert_eq!(code, Some(1), "{said}");
    let beside = world.cli(&["fsck"]).await;
    assert_eq!(beside.status.code(), Some(0), "{beside:?}");
    let ended = daemon.stop().await;
    assert!(!ended.log.contains("wang") && ended.log.contains(&known_as));
    let alone = world.cli(&["fsck"]).await;
    assert_eq!(alone.status.code(), Some(0), "{alone:?}");
    let (code, said, _) = erase(&["li", "--yes"]).await;
    assert_eq!(code, Some(1), "the plan is there: {said}");
    std::fs::remove_file(world.path("plans.d/li.toml")).expect("the plan is there");

    world.clock.set("2026-03-24T19:59:57+08:00", 1);
    world.write_plan(
        "li",
        format!(
            "name = \"李雷\"\nwechat = \"o-li\"\n[[medication]]\nname = \"二甲双胍\"\n{keys}\n"
        ),
    );
    let daemon = world.start().await;
    let third = world.sandbox.wait_for(|inbox| inbox.len() == 3, PATIENCE);
    assert!(third.await, "the other one is not reminded");
    assert_eq!(daemon.stop().await.code(), Some(0));
    assert_eq!(&*world.sandbox.deliveries()[2].touser, "o-li");
    let (code, said, _) = erase(&[&known_as, "--yes"]).await;
    assert_eq!(code, Some(69), "no daemon: {said}");
}
